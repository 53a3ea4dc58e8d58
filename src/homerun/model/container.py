"""The containers of a service, job or worker pool as its template describes them: a typed view over its v2 JSON.

Defaults are in the JSON already (the API applies them before it stores); the fallbacks here are the same values, for
documents that were stored before a default existed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homerun.model.probe import Check, Probe
from homerun.model.quantity import parse_bytes, parse_cpu
from homerun.model.volume import VolumeMount, parse_mounts

DEFAULT_PORT = 8080


def container_names(containers: Sequence[Mapping[str, Any]], owner: str) -> list[str]:
    """What they are called, in order: `hello-1` is the first of `hello` if nobody named it (contract §1.11).

    `owner`: the id of the service, job or worker pool.
    """
    return [container.get("name") or f"{owner}-{number}" for number, container in enumerate(containers, 1)]


@dataclass(frozen=True, slots=True)
class Container:
    """`port` None: takes no requests (a sidecar, a job's). `cpu` in cores, `memory` in bytes."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    cpu: float = 1.0
    memory: int = 512 << 20
    cpu_idle: bool = True
    """CPU only while requests are in flight: billed by request, not by instance."""
    startup_boost: bool = False
    """More CPU while it starts (contract §2.4)."""
    port: int | None = None
    h2c: bool = False
    """HTTP/2 without TLS is spoken on its port."""
    startup_probe: Probe | None = None
    """None: it is well as soon as it runs."""
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    depends_on: tuple[str, ...] = ()
    """Names of containers that must be well before it starts."""
    mounts: tuple[VolumeMount, ...] = ()

    @classmethod
    def parse(cls, json: Mapping[str, Any], *, name: str, takes_requests: bool) -> Container:
        """`name`: what it is called, by its author or by us. One that takes requests has a probe in any case."""
        resources = json.get("resources") or {}
        limits = resources.get("limits") or {}
        ports = json.get("ports") or [{}]
        declared = ports[0].get("containerPort") or DEFAULT_PORT
        port = declared if takes_requests else None
        probes = {
            check: Probe.parse(given, declared, check)
            for check in Check
            if (given := json.get(f"{check.lower()}Probe"))
        }
        return cls(
            name=name,
            image=json["image"],
            command=tuple(json.get("command") or ()),
            args=tuple(json.get("args") or ()),
            env={e["name"]: e.get("value", "") for e in json.get("env") or () if not e.get("valueSource")},
            working_dir=json.get("workingDir", ""),
            cpu=parse_cpu(limits.get("cpu", "1000m")),
            memory=parse_bytes(limits.get("memory", "512Mi")),
            cpu_idle=resources.get("cpuIdle", not resources),
            startup_boost=resources.get("startupCpuBoost", False),
            port=port,
            h2c=port is not None and ports[0].get("name") == "h2c",
            startup_probe=probes.get(Check.STARTUP, Probe(declared) if takes_requests else None),
            liveness_probe=probes.get(Check.LIVENESS),
            readiness_probe=probes.get(Check.READINESS),
            depends_on=tuple(json.get("dependsOn") or ()),
            mounts=parse_mounts(json.get("volumeMounts") or ()),
        )


class Containers(tuple[Container, ...]):
    """Those of one instance, in the template's order."""

    __slots__ = ()

    @classmethod
    def parse(cls, containers: Sequence[Mapping[str, Any]], *, owner: str, take_requests: bool) -> Containers:
        """`owner`: the id of the service, job or worker pool. One of a service's takes the requests (contract §1.3)."""
        ingress = next((n for n, json in enumerate(containers) if json.get("ports")), 0) if take_requests else None
        named = zip(container_names(containers, owner), containers, strict=True)
        return cls(
            Container.parse(json, name=name, takes_requests=number == ingress)
            for number, (name, json) in enumerate(named)
        )

    @property
    def ingress(self) -> Container:
        """The one that takes the requests; the first, where none does."""
        return next((container for container in self if container.port is not None), self[0])

    @property
    def cpu(self) -> float:
        """Cores of an instance."""
        return sum(container.cpu for container in self)

    @property
    def memory(self) -> int:
        """Bytes of an instance."""
        return sum(container.memory for container in self)

    def named(self, name: str) -> Container:
        """The first if nobody is called so."""
        return next((container for container in self if container.name == name), self[0])
