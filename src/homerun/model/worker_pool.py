"""A revision of a worker pool as its crew needs it: a typed view over its v2 JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import Containers
from homerun.model.secret_needs import NO_SECRETS, SecretNeeds
from homerun.model.volume import Volume, parse_volumes


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """`name` and `pool` are full resource names."""

    name: str
    pool: str
    containers: Containers
    volumes: tuple[Volume, ...] = ()
    service_account: str = ""
    secrets: SecretNeeds = NO_SECRETS

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> WorkerSpec:
        pool = names.parent(body["name"])
        return cls(
            name=body["name"],
            pool=pool,
            containers=Containers.parse(body["containers"], owner=names.last(pool), take_requests=False),
            volumes=parse_volumes(body.get("volumes") or ()),
            service_account=body.get("serviceAccount", ""),
            secrets=SecretNeeds.parse(body, pool),
        )

    @property
    def probed(self) -> bool:
        """Whether anything has to pass before an instance counts as started; else it does as soon as it runs."""
        return any(container.startup_probe for container in self.containers)

    def environment(self) -> dict[str, str]:
        """What its containers find besides their own variables (contract §1.2): no PORT, no K_ variables."""
        return {
            "CLOUD_RUN_WORKER_POOL": names.last(self.pool),
            "CLOUD_RUN_WORKER_POOL_REVISION": names.last(self.name),
        }
