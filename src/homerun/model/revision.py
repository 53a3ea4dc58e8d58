"""A revision as the data plane and the autoscaler need it: a typed view over its v2 JSON; and when two are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import Container, Containers
from homerun.model.quantity import parse_seconds
from homerun.model.secret_needs import NO_SECRETS, SecretNeeds
from homerun.model.volume import Volume, parse_volumes

DEFAULT_MAX_INSTANCES = 100
DEFAULT_UTILIZATION = 0.6
"""Of an instance's CPU and of its concurrency, at which there should be another one (contract §2.1)."""


def template_hash(template: Mapping[str, Any], v1: Sequence[Sequence[Any]]) -> str:
    """Two templates with the same hash make the same revision. `v1`: what the service keeps beside its v2 body."""
    beside = [entry for entry in v1 if entry[0][:2] == ["spec", "template"]]
    parts = [template, beside] if beside else template
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RevisionSpec:
    """`name` and `service` are full resource names; `timeout` in seconds. Targets are shares; 0: disabled (§2.1)."""

    name: str
    service: str
    containers: Containers
    concurrency: int
    timeout: float
    min_instances: int
    max_instances: int
    concurrency_target: float
    cpu_target: float
    service_account: str = ""
    affinity: bool = False
    """Clients are led back to the instance that they were with."""
    volumes: tuple[Volume, ...] = ()
    secrets: SecretNeeds = NO_SECRETS

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> RevisionSpec:
        service = names.parent(body["name"])
        containers = Containers.parse(body["containers"], owner=names.last(service), take_requests=True)
        scaling = body.get("scaling") or {}
        return cls(
            name=body["name"],
            service=service,
            containers=containers,
            concurrency=body.get("maxInstanceRequestConcurrency") or (80 if containers.ingress.cpu >= 1 else 1),
            timeout=parse_seconds(body.get("timeout", "300s")),
            min_instances=scaling.get("minInstanceCount", 0),
            max_instances=scaling.get("maxInstanceCount") or DEFAULT_MAX_INSTANCES,
            concurrency_target=scaling.get("concurrencyUtilization", DEFAULT_UTILIZATION),
            cpu_target=scaling.get("cpuUtilization", DEFAULT_UTILIZATION),
            service_account=body.get("serviceAccount", ""),
            affinity=body.get("sessionAffinity", False),
            volumes=parse_volumes(body.get("volumes") or ()),
            secrets=SecretNeeds.parse(body, service),
        )

    @property
    def ingress(self) -> Container:
        """The container that takes the requests."""
        return self.containers.ingress

    def environment(self, container: Container) -> dict[str, str]:
        """What it finds besides its own variables (contract §1.2): PORT only if requests come to it."""
        service = names.last(self.service)
        return {
            **({"PORT": str(container.port)} if container.port is not None else {}),
            "K_SERVICE": service,
            "K_CONFIGURATION": service,
            "K_REVISION": names.last(self.name),
        }
