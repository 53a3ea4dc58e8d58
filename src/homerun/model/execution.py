"""An execution of a job: a typed view over its v2 JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import Containers
from homerun.model.quantity import parse_seconds
from homerun.model.secret_needs import NO_SECRETS, SecretNeeds
from homerun.model.volume import Volume, parse_volumes


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """`name` and `job` are full resource names; `timeout` in seconds, for each attempt. `parallelism` 0: no limit."""

    name: str
    job: str
    containers: Containers
    task_count: int
    parallelism: int
    max_retries: int
    timeout: float
    volumes: tuple[Volume, ...] = ()
    service_account: str = ""
    secrets: SecretNeeds = NO_SECRETS

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> ExecutionSpec:
        template, job = body["template"], names.parent(body["name"])
        return cls(
            name=body["name"],
            job=job,
            containers=Containers.parse(template["containers"], owner=names.last(job), take_requests=False),
            task_count=int(body.get("taskCount", 1)),
            parallelism=int(body.get("parallelism", 0)),
            max_retries=int(template.get("maxRetries", 3)),
            timeout=parse_seconds(template.get("timeout", "600s")),
            volumes=parse_volumes(template.get("volumes") or ()),
            service_account=template.get("serviceAccount", ""),
            secrets=SecretNeeds.parse(template, job),
        )

    @property
    def main(self) -> str:
        """The container that does the work, and whose end is the task's: the first that no other depends on.

        The real platform names none. Whoever others wait for is there to serve them.
        """
        serving = {name for container in self.containers for name in container.depends_on}
        return next(container.name for container in self.containers if container.name not in serving)

    def task_name(self, index: int) -> str:
        return f"{self.name}/tasks/{names.last(self.name)}-task{index}"

    def environment(self, index: int, attempt: int) -> dict[str, str]:
        """What a task's containers find besides their own variables (contract §1.2)."""
        return {
            "CLOUD_RUN_JOB": names.last(self.job),
            "CLOUD_RUN_EXECUTION": names.last(self.name),
            "CLOUD_RUN_TASK_INDEX": str(index),
            "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
            "CLOUD_RUN_TASK_COUNT": str(self.task_count),
        }
