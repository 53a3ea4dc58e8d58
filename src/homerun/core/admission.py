"""Which execution starts its next task, on a machine that holds only so much.

CPU is time: a task that wants more of it than there is runs alone, and slower. Memory is not: what a task may use is
set aside for as long as it runs, so that no task is killed for what another one does. Services and worker pools take
what they need without asking, and tasks have what is left; but never less than half, so that services which only might
use theirs cannot keep jobs waiting for ever.

Who has the least of the machine is next; of several, who has waited for its turn the longest. One that has nothing yet
and does not fit is waited for: nobody passes it, or a large task would wait for as long as small ones come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LEAST = 0.5
"""The part of the machine that tasks may always have."""
DELAY = 12 * 3600.0
"""Seconds after which a delayed execution waits like any other (`delayExecution`)."""
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Size:
    """`cpu` in cores, `memory` in bytes."""

    cpu: float = 0.0
    memory: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.cpu + other.cpu, self.memory + other.memory)

    def times(self, number: int) -> Size:
        return Size(self.cpu * number, self.memory * number)


@dataclass(slots=True)
class _Claim:
    """One execution: what a task of it needs, how many run, when it had its last turn, and until when it may be kept
    waiting for others."""

    need: Size
    running: int = 0
    turn: int = 0
    delayed: float | None = None


class Admission:
    """`room`: what all tasks of this machine may have together. Executions are known by a key, oldest first."""

    def __init__(self, room: Size) -> None:
        self._room = room
        self._claims: dict[str, _Claim] = {}
        self._taken = Size()
        self._turn = 0

    def __repr__(self) -> str:
        running = sum(claim.running for claim in self._claims.values())
        return f"<Admission: {running} tasks of {len(self._claims)} executions>"

    def refusal(self, need: Size) -> str:
        """Why a task that needs so much can never run here; empty: it can."""
        if need.memory <= self._room.memory:
            return ""
        return (
            f"it may use {need.memory / GIB:.1f} GiB of memory, and tasks may have {self._room.memory / GIB:.1f} GiB "
            "here all together. Give the job less with --memory, or raise --task-memory of `homerun up`"
        )

    def add(self, key: str, need: Size, delayed: float | None = None) -> None:
        """`delayed`: until then others come first."""
        self._claims[key] = _Claim(Size(min(need.cpu, self._room.cpu), need.memory), delayed=delayed)

    def forget(self, key: str) -> None:
        """It is over."""
        if (claim := self._claims.pop(key, None)) is not None:
            self._release(claim, claim.running)

    def take(self, key: str) -> None:
        """A task of it begins, or was found running. From then on it is not delayed any more."""
        claim = self._claims[key]
        self._turn += 1
        claim.running += 1
        claim.turn, claim.delayed = self._turn, None
        self._taken += claim.need

    def give(self, key: str) -> None:
        """A task of it has ended."""
        if (claim := self._claims.get(key)) is not None:
            self._release(claim, 1)
            claim.running -= 1

    def _release(self, claim: _Claim, tasks: int) -> None:
        given = claim.need.times(tasks)
        self._taken = Size(self._taken.cpu - given.cpu, self._taken.memory - given.memory)

    def next(self, waiting: Iterable[str], others: Size, now: float) -> str | None:
        """Of those that have a task to start, the one that may; None: nobody. `others`: what services hold."""
        prompt: list[str] = []
        delayed: list[str] = []
        for key in waiting:
            until = self._claims[key].delayed
            (prompt if until is None or until <= now else delayed).append(key)
        for key in sorted(prompt or delayed, key=self._order):  # stable: the oldest of several
            claim = self._claims[key]
            if self._fits(claim.need, others):
                return key
            if not claim.running:
                return None
        return None

    def wake(self, waiting: Iterable[str], now: float) -> float | None:
        """When the first of those that wait is not delayed any more."""
        times = (self._claims[key].delayed for key in waiting)
        return min((time for time in times if time is not None and time > now), default=None)

    def _order(self, key: str) -> tuple[float, int]:
        """Its share of the machine, by what it has more of (dominant resource fairness); then its last turn."""
        claim = self._claims[key]
        cpu, memory = self._room.cpu or 1.0, self._room.memory or 1
        return claim.running * max(claim.need.cpu / cpu, claim.need.memory / memory), claim.turn

    def _fits(self, need: Size, others: Size) -> bool:
        if not self._taken.memory:
            return True  # there is no smaller number of tasks than one
        cpu = max(self._room.cpu - others.cpu, self._room.cpu * LEAST)
        memory = max(self._room.memory - others.memory, self._room.memory * LEAST)
        return self._taken.cpu + need.cpu <= cpu + 1e-6 and self._taken.memory + need.memory <= memory
