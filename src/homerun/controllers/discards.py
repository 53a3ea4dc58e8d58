"""Instances that nobody wants any more: stopped if they run, removed when they have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from homerun.aio.tasks import Supervisor
from homerun.core.billed import LABEL, Billed
from homerun.core.billing import Life
from homerun.engine.base import Engine, Event, Exited, InstanceState, Phase
from homerun.model import labels

Book = Callable[[Billed, str, Life], Awaitable[None]]
"""Puts the life of an instance on the bill; returns when it is there for good."""


@dataclass(frozen=True, slots=True)
class _Debt:
    """Of an instance that was asked to end, at `asked`."""

    state: InstanceState
    billed: Billed
    book: Book
    asked: float


class Discards:
    def __init__(self, engine: Engine, supervisor: Supervisor, grace: float) -> None:
        self._engine, self._supervisor = engine, supervisor
        self.grace = grace
        """Seconds between SIGTERM and SIGKILL."""
        self._ending: dict[str, _Debt | None] = {}

    def add(self, states: Iterable[InstanceState]) -> None:
        for state in states:
            if state.phase is Phase.EXITED:
                self.remove(state.id)
            else:
                self._ending[state.id] = None
                self.stop(state.id)

    def settle(self, state: InstanceState, book: Book, now: float) -> None:
        """Likewise for one, of which nothing is forgotten before its life is on the bill. If nobody saw its end, nobody
        knows how long that was."""
        label = state.labels.get(LABEL)
        if label is None or (state.exit is not None and not state.exit.seen):
            self.add([state])
            return
        billed = Billed.parse(state.labels[labels.REVISION], label)
        if state.phase is Phase.EXITED:
            self._settle(state.id, billed, book, life_of(state, now))
        else:
            self._ending[state.id] = _Debt(state, billed, book, now)
            self.stop(state.id)

    def _settle(self, id: str, billed: Billed, book: Book, life: Life) -> None:
        async def settle() -> None:
            await book(billed, id, life)
            self.remove(id)

        self._supervisor.spawn(settle(), name=f"settle {id[:8]}")

    def on_event(self, event: Event) -> bool:
        """False: not one of these."""
        if event.id not in self._ending:
            return False
        if isinstance(event, Exited):
            debt = self._ending.pop(event.id)
            if debt is None or not event.exit.seen:
                self.remove(event.id)
            else:
                life = life_of(debt.state, event.at, stopping=max(event.at - debt.asked, 0.0))
                self._settle(event.id, debt.billed, debt.book, life)
        return True

    def stop(self, id: str) -> None:
        """SIGTERM, then SIGKILL after the grace period; returns at once."""
        self._supervisor.spawn(self._engine.stop(id, self.grace), name=f"stop {id[:8]}")

    def remove(self, id: str) -> None:
        """Forget an instance that has ended; returns at once."""
        self._supervisor.spawn(self._engine.remove(id), name=f"remove {id[:8]}")


def life_of(state: InstanceState, now: float, *, stopping: float = 0.0) -> Life:
    """Of an instance that the engine found: until its exit, or until now. `stopping`: the part of it since it was asked
    to end."""
    ended = state.exited if state.exited is not None else now
    ready = state.ready if state.ready is not None else ended - stopping
    return Life(state.started, ready - state.started, ended - state.started, stopping)
