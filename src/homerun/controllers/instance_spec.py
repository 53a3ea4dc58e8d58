"""What the engine is told of an instance of a service."""

from __future__ import annotations

from collections.abc import Sequence

from homerun.controllers.container_spec import boosted_start, container_specs
from homerun.controllers.secrets import Secrets
from homerun.controllers.volumes import Folders, volume_specs
from homerun.core.billed import LABEL, Billed
from homerun.engine.base import InstanceSpec
from homerun.model import labels
from homerun.model.revision import RevisionSpec


class InstanceSpecs:
    """`grace`: seconds between SIGTERM and SIGKILL."""

    def __init__(self, secrets: Secrets, folders: Folders, grace: float) -> None:
        self._secrets, self._folders, self._grace = secrets, folders, grace

    async def make(self, id: str, spec: RevisionSpec, images: Sequence[str], checkpoint: str) -> InstanceSpec:
        """`images`: the pinned reference of each container. Raises HomerunError: a secret cannot be read."""
        opened = await self._secrets.open(spec.secrets)
        containers = container_specs(spec.containers, images, opened.beside(spec.environment))
        return InstanceSpec(
            id=id,
            containers=tuple(map(boosted_start, containers, spec.containers)),
            labels={**labels.of_revision(spec, id), LABEL: Billed.of(spec).label},
            port=spec.ingress.port,
            grace=self._grace,
            volumes=volume_specs(spec.volumes, spec.containers.memory, self._folders, opened.files),
            checkpoint=checkpoint,
        )
