"""Services, worker pools and jobs: what differs between the kinds that users write. The rest is in resources.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homerun.lib.errors import Violation
from homerun.model import limits
from homerun.model.checks import check_job, check_service, check_worker_pool
from homerun.model.defaults import with_job_defaults, with_service_defaults, with_worker_pool_defaults
from homerun.wire.discovery import description

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """`check(body, id)`, `complete(body, id, project_number)`; `stages`: conditions besides Ready."""

    name: str
    collection: str
    id_limit: int
    check: Callable[[Json, str], Iterator[Violation]]
    complete: Callable[[Json, str, str], dict[str, Any]]
    stages: tuple[str, ...]

    @property
    def schema(self) -> str:
        return f"GoogleCloudRunV2{self.name}"

    @property
    def id_field(self) -> str:
        """`serviceId`, the query parameter of create."""
        return f"{self.name[0].lower()}{self.name[1:]}Id"

    def written(self, body: Json) -> dict[str, Any]:
        """The part of a stored body that its author wrote."""
        return {key: value for key, value in body.items() if key in _writable(self.schema)}

    def server(self, body: Json) -> dict[str, Any]:
        """The part of a stored body that is ours."""
        return {key: value for key, value in body.items() if key not in _writable(self.schema)}


def _writable(schema: str) -> frozenset[str]:
    if schema not in _WRITABLE:
        properties = description("run.v2").schemas[schema]["properties"]
        own = {key for key, value in properties.items() if not value.get("readOnly")} - {"name", "etag"}
        _WRITABLE[schema] = frozenset(own)
    return _WRITABLE[schema]


_WRITABLE: dict[str, frozenset[str]] = {}

SERVICE = Kind(
    "Service",
    "services",
    limits.SERVICE_ID,
    check_service,
    with_service_defaults,
    ("ConfigurationsReady", "RoutesReady"),
)
WORKER_POOL = Kind("WorkerPool", "workerPools", limits.WORKER_POOL_ID, check_worker_pool, with_worker_pool_defaults, ())
JOB = Kind("Job", "jobs", limits.JOB_ID, check_job, with_job_defaults, ())
