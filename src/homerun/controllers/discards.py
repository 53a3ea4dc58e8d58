"""Instances that nobody wants any more: stopped if they run, removed when they have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from homerun.aio.tasks import Supervisor
from homerun.core.billing import Life
from homerun.engine.base import Engine, Event, Exited, InstanceState, Phase


class Discards:
    def __init__(self, engine: Engine, supervisor: Supervisor, grace: float) -> None:
        self._engine, self._supervisor = engine, supervisor
        self.grace = grace
        """Seconds between SIGTERM and SIGKILL."""
        self._ending: set[str] = set()

    def add(self, states: Iterable[InstanceState]) -> None:
        for state in states:
            if state.phase is Phase.EXITED:
                self.remove(state.id)
            else:
                self._ending.add(state.id)
                self.stop(state.id)

    def settle(self, state: InstanceState, billed: Awaitable[None]) -> None:
        """Likewise for one. If it has ended already, it is `billed` before anything of it is forgotten."""
        if state.phase is not Phase.EXITED:
            self.add([state])
        self._supervisor.spawn(self._settle(state, billed), name=f"settle {state.id[:8]}")

    async def _settle(self, state: InstanceState, billed: Awaitable[None]) -> None:
        await billed
        if state.phase is Phase.EXITED:
            self.remove(state.id)

    def on_event(self, event: Event) -> bool:
        """False: not one of these."""
        if event.id not in self._ending:
            return False
        if isinstance(event, Exited):
            self._ending.discard(event.id)
            self.remove(event.id)
        return True

    def stop(self, id: str) -> None:
        """SIGTERM, then SIGKILL after the grace period; returns at once."""
        self._supervisor.spawn(self._engine.stop(id, self.grace), name=f"stop {id[:8]}")

    def remove(self, id: str) -> None:
        """Forget an instance that has ended; returns at once."""
        self._supervisor.spawn(self._engine.remove(id), name=f"remove {id[:8]}")


def life_of(state: InstanceState, now: float) -> Life:
    """Of an instance that the engine found: until its exit, or until now."""
    ended = state.exited if state.exited is not None else now
    ready = state.ready if state.ready is not None else ended
    return Life(state.started, ready - state.started, ended - state.started)
