"""What the engine is told of an attempt of a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from homerun.controllers.container_spec import container_specs
from homerun.controllers.secrets import Secrets
from homerun.controllers.volumes import Folders, volume_specs
from homerun.engine.base import InstanceSpec
from homerun.model import labels
from homerun.model.execution import ExecutionSpec


def instance_id(execution_uid: str, index: int, attempt: int) -> str:
    """The same attempt always has the same id: starting it twice is refused by the engine."""
    return hashlib.sha256(f"{execution_uid}/{index}/{attempt}".encode()).hexdigest()[:32]


class AttemptSpecs:
    """`grace`: seconds between SIGTERM and SIGKILL."""

    def __init__(self, secrets: Secrets, folders: Folders, grace: float) -> None:
        self._secrets, self._folders, self._grace = secrets, folders, grace

    async def make(self, id: str, spec: ExecutionSpec, images: Sequence[str], index: int, attempt: int) -> InstanceSpec:
        """`images`: the pinned reference of each container. Raises HomerunError: a secret cannot be read."""
        opened = await self._secrets.open(spec.secrets)
        system = spec.environment(index, attempt)
        return InstanceSpec(
            id=id,
            containers=container_specs(spec.containers, images, opened.beside(lambda container: system)),
            labels=labels.of_attempt(spec, index, attempt, id),
            main=spec.main,
            grace=self._grace,
            background=True,
            volumes=volume_specs(spec.volumes, spec.containers.memory, self._folders, opened.files),
        )
