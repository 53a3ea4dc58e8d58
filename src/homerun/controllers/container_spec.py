"""What the engine is told of a container, from what its template says."""

from __future__ import annotations

from collections.abc import Mapping

from homerun.engine.base import ContainerSpec, Probe
from homerun.model.container import Container, StartupProbe


def container_spec(container: Container, image: str, system: Mapping[str, str]) -> ContainerSpec:
    """`image` is the pinned reference; `system` are the platform's variables, which win over the user's."""
    return ContainerSpec(
        image=image,
        name=container.name,
        command=container.command,
        args=container.args,
        env={**container.env, **system},
        working_dir=container.working_dir,
        cpu=container.cpu,
        memory=container.memory,
    )


def probe_of(probe: StartupProbe | None) -> Probe | None:
    if probe is None:
        return None
    return Probe(
        port=probe.port,
        http_path=probe.path,
        initial_delay=probe.initial_delay,
        timeout=probe.timeout,
        period=probe.period,
        failure_threshold=probe.failure_threshold,
    )
