"""Standbys of services: has the engine make instances ahead, as core/standby.py decides.

Nothing of it is ever waited for. A standby is not an instance yet: no request, no bill and no API knows it. What it was
made with may be out of date when it is wanted (a secret has a new version): the engine compares, and begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from homerun.aio.tasks import Supervisor
from homerun.core.standby import CALM, Command, Dismiss, Prepare, Standbys, room
from homerun.engine.base import Engine, InstanceSpec
from homerun.lib import ids
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.lib.memory import Memory, memory
from homerun.model.revision import RevisionSpec
from homerun.model.volume import EmptyDir, SecretFiles


def can_wait(spec: RevisionSpec) -> bool:
    """Whether its instances can be made long before they start: folders that others may move meanwhile cannot."""
    return all(isinstance(volume, EmptyDir | SecretFiles) for volume in spec.volumes)


class StandbyKeeper:
    """`most`: how many the user wants. `spec_of`: of an instance of a revision, by its id. `look`: at memory."""

    def __init__(
        self,
        engine: Engine,
        supervisor: Supervisor,
        clock: Clock,
        spec_of: Callable[[str, str], Awaitable[InstanceSpec]],
        most: int,
        look: Callable[[], Memory] = memory,
    ) -> None:
        self._engine, self._supervisor, self._clock, self._spec_of = engine, supervisor, clock, spec_of
        self.look = look
        self.standbys = Standbys(min(most, room(look().total)), ids.instance_id)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, revision: str) -> str:
        """The id of its next instance."""
        return self.standbys.take(revision, self._clock.mono())

    def used(self, revision: str) -> None:
        self.standbys.used(revision, self._clock.mono())

    def allow(self, revision: str, allowed: bool) -> None:
        """Told after whatever may change it. What follows does so later: somebody may wait for an instance now."""
        standby = self.standbys.of(revision)
        if standby is None:
            return
        self.standbys.allow(revision, allowed)
        if allowed is not bool(standby.id):
            self._plan_later(CALM)

    def gone(self, revision: str) -> None:
        self._carry_out(self.standbys.gone(revision))

    def dismiss(self, id: str) -> None:
        """The start that it was for came to nothing."""
        self._carry_out([Dismiss(id)])

    def close(self) -> None:
        """The engine throws away what there is."""
        self._closed = True
        self._stop_timer()

    def _plan(self) -> None:
        self._stop_timer()
        self._carry_out(self.standbys.plan(self._clock.mono(), self.look().free))
        if (wake := self.standbys.wake) is not None:
            self._plan_later(max(wake - self._clock.mono(), 0.0))

    def _plan_later(self, seconds: float) -> None:
        """Or sooner, if that is due anyway."""
        loop = asyncio.get_running_loop()
        if self._closed or not self.standbys.most or (self._timer and self._timer.when() <= loop.time() + seconds):
            return
        self._stop_timer()
        self._timer = loop.call_later(seconds, self._plan)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Prepare(revision, id):
                    self._supervisor.spawn(self._prepare(revision, id), name=f"prepare {id[:8]}")
                case Dismiss(id):
                    self._supervisor.spawn(self._engine.dismiss(id), name=f"dismiss {id[:8]}")

    async def _prepare(self, revision: str, id: str) -> None:
        try:
            spec = await self._spec_of(revision, id)
            if self.standbys.wanted(id):
                await self._engine.prepare(spec)
        except HomerunError:
            # Whoever starts an instance will hear why.
            self.standbys.failed(id)
        else:
            self.standbys.made(id, self._clock.mono())
        self._plan_later(0.0)
