"""A revision of a worker pool as its crew needs it: a typed view over its v2 JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import DEFAULT_PORT, Container, StartupProbe


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """`name` and `pool` are full resource names. `startup_probe` None: ready as soon as it runs."""

    name: str
    pool: str
    container: Container
    startup_probe: StartupProbe | None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> WorkerSpec:
        container, pool = body["containers"][0], names.parent(body["name"])
        probe, ports = container.get("startupProbe"), container.get("ports") or [{}]
        return cls(
            name=body["name"],
            pool=pool,
            container=Container.parse(container, owner=names.last(pool), takes_requests=False),
            startup_probe=StartupProbe.parse(probe, ports[0].get("containerPort") or DEFAULT_PORT) if probe else None,
        )

    def environment(self) -> dict[str, str]:
        """What a worker pool's container finds besides its own variables (contract §1.2): no PORT, no K_ variables."""
        return {
            "CLOUD_RUN_WORKER_POOL": names.last(self.pool),
            "CLOUD_RUN_WORKER_POOL_REVISION": names.last(self.name),
        }
