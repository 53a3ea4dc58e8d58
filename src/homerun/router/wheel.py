"""One timer for all timeouts of all connections, and none when there are no connections.

A timeout is nearly always moved before it strikes: each request moves that of its connection. So moving one must cost
nothing: a connection just notes its new deadline, and stays where it is on the wheel. When the wheel gets there it
asks the connection to `check`, which acts or says when to look again. Only a deadline *before* the noted visit needs
an `add`. Deadlines strike up to one tick late.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Protocol

TICK = 0.1
_MARGIN = 0.002
"""Event loops round timers to milliseconds: one that fires just before its tick would find nothing to do."""


class Entry(Protocol):
    visit: int
    """The tick at which the wheel looks at it; 0: not on the wheel."""

    def check(self, now: float) -> float | None:
        """Act if it is time. Returns when to look again; None: never."""
        ...


class Wheel:
    def __init__(self, loop: asyncio.AbstractEventLoop, mono: Callable[[], float]) -> None:
        self._loop, self._mono = loop, mono
        self._ticks: dict[int, dict[Entry, None]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def add(self, entry: Entry, when: float) -> None:
        """Look at `entry` at `when`, and no more when it was to be looked at before."""
        tick = int(when / TICK) + 1
        if entry.visit:
            self.remove(entry)
        entry.visit = tick
        entries = self._ticks.get(tick)
        if entries is None:
            entries = self._ticks[tick] = {}
            heapq.heappush(self._order, tick)
            self._arm()
        entries[entry] = None

    def remove(self, entry: Entry) -> None:
        entries = self._ticks.get(entry.visit)
        entry.visit = 0
        if entries is not None:
            entries.pop(entry, None)
            if not entries:
                self._drop_empty()

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._ticks.values())

    def _drop_empty(self) -> None:
        """Empty ticks further back stay until it is their turn: a timer that finds nothing, at most one a tick."""
        while self._order and not self._ticks[self._order[0]]:
            del self._ticks[heapq.heappop(self._order)]
        if not self._order and self._timer is not None:
            self._timer.cancel()
            self._timer, self._armed = None, 0

    def _arm(self) -> None:
        first = self._order[0]
        if self._timer is not None:
            if self._armed <= first:
                return
            self._timer.cancel()
        self._armed = first
        self._timer = self._loop.call_later(max(0.0, first * TICK - self._mono()) + _MARGIN, self._turn)

    def _turn(self) -> None:
        self._timer, self._armed = None, 0
        now = self._mono()
        due: list[Entry] = []
        while self._order and self._order[0] * TICK <= now:
            due += self._ticks.pop(heapq.heappop(self._order))
        for entry in due:
            entry.visit = 0
        for entry in due:
            again = entry.check(now)
            if again is not None and not entry.visit:
                self.add(entry, again)
        if self._order:
            self._arm()
