"""What the engine is told of the containers of an instance, from what their template says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from homerun.core.allotment import boosted
from homerun.engine.base import ContainerSpec, Mount
from homerun.model.container import Container, Containers


def container_specs(
    containers: Containers, images: Sequence[str], system: Callable[[Container], Mapping[str, str]]
) -> tuple[ContainerSpec, ...]:
    """`images`: the pinned reference of each. `system`: the platform's variables in it, which win over the user's."""
    return tuple(
        _container_spec(container, image, system(container))
        for container, image in zip(containers, images, strict=True)
    )


def boosted_start(spec: ContainerSpec, container: Container) -> ContainerSpec:
    """With more CPU at first, if its author wants it; whoever starts it so allots less later."""
    return replace(spec, start_cpu=boosted(container.cpu)) if container.startup_boost else spec


def _container_spec(container: Container, image: str, system: Mapping[str, str]) -> ContainerSpec:
    return ContainerSpec(
        image=image,
        name=container.name,
        command=container.command,
        args=container.args,
        env={**container.env, **system},
        working_dir=container.working_dir,
        cpu=container.cpu,
        memory=container.memory,
        depends_on=container.depends_on,
        startup=container.startup_probe,
        liveness=container.liveness_probe,
        readiness=container.readiness_probe,
        mounts=tuple(Mount(mount.volume, mount.path, mount.sub_path) for mount in container.mounts),
    )
