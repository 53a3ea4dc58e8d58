"""Checkpoints of services: has the engine write down an instance of each revision that boots slowly, once.

Nobody waits for that. Whether an instance goes on from one is the engine's to see when it starts: it has it or not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from homerun.aio.tasks import Supervisor
from homerun.core.checkpoint import Checkpoints
from homerun.engine.base import Engine, InstanceSpec, Origin, Ready
from homerun.lib import ids
from homerun.lib.errors import HomerunError
from homerun.model.revision import RevisionSpec


def can_have(spec: RevisionSpec) -> bool:
    """One program, whose memory holds no secrets that we have put there, and whose files are its own."""
    return (
        len(spec.containers) == 1 and not spec.volumes and not spec.secrets and spec.ingress.startup_probe is not None
    )


class CheckpointKeeper:
    """`spec_of`: of an instance of a revision, by its id. `on_made` is called with one that has
    one now. Without `wanted`, none is made and none is used."""

    def __init__(
        self,
        engine: Engine,
        supervisor: Supervisor,
        spec_of: Callable[[str, str], Awaitable[InstanceSpec]],
        on_made: Callable[[str], None] = lambda revision: None,
        *,
        wanted: bool,
    ) -> None:
        self._engine, self._supervisor, self._spec_of, self._wanted = engine, supervisor, spec_of, wanted
        self._on_made = on_made
        self.checkpoints = Checkpoints()

    def name(self, spec: RevisionSpec) -> str:
        """Of the one that its instances go on from, if it is there; empty: they never do."""
        return spec.name if self._wanted and can_have(spec) else ""

    def ready(self, spec: RevisionSpec, event: Ready) -> None:
        if not self.name(spec):
            return
        if event.origin is Origin.CHECKPOINT:
            self.checkpoints.restored(spec.name)
            return
        self.checkpoints.started(spec.name, event.phases.get("listen", 0.0))
        self._go_on()

    def gone(self, revision: str) -> None:
        """It is, or nothing leads to it any more."""
        if self._wanted and self.checkpoints.gone(revision):
            self._supervisor.spawn(self._engine.drop_checkpoint(revision), name=f"drop checkpoint {revision}")

    def _go_on(self) -> None:
        if revision := self.checkpoints.next():
            self._supervisor.spawn(self._make(revision), name=f"checkpoint {revision}")

    async def _make(self, revision: str) -> None:
        try:
            await self._engine.checkpoint(await self._spec_of(revision, ids.instance_id()))
        except HomerunError as error:
            self.checkpoints.failed(revision, error.message)
        else:
            self.checkpoints.made(revision)
            self._on_made(revision)
        self._go_on()
