"""How much CPU a revision's instances use, for the autoscaler: read while there is traffic, and only then.

The averages that decide are over a minute, so a look at the kernel's counters every few seconds suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homerun.aio.tasks import Supervisor
from homerun.engine.base import Engine
from homerun.lib.clock import Clock

PERIOD = 5.0
FRESH = 2 * PERIOD
"""A reading that is older is not compared with: there was a pause between them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`used`: seconds of CPU by instance, since its start."""

    at: float
    used: dict[str, float]


class CpuSamples:
    """`tell` hears of a revision, the cores that its instances used together, and over how many seconds."""

    def __init__(
        self, engine: Engine, supervisor: Supervisor, clock: Clock, tell: Callable[[str, float, float], None]
    ) -> None:
        self._engine, self._supervisor, self._clock, self._tell = engine, supervisor, clock, tell
        self._last: dict[str, Reading] = {}
        self._reading: set[str] = set()

    def look(self, revision: str, instances: Sequence[str]) -> None:
        """There is traffic for `instances`; called as often as one likes."""
        last = self._last.get(revision)
        if revision in self._reading or not instances or (last and self._clock.mono() - last.at < PERIOD - 0.5):
            return
        self._reading.add(revision)
        self._supervisor.spawn(self._read(revision, instances), name=f"CPU of {revision}")

    def forget(self, revision: str) -> None:
        self._last.pop(revision, None)

    async def _read(self, revision: str, instances: Sequence[str]) -> None:
        try:
            used = await self._engine.cpu_used(instances)
        finally:
            self._reading.discard(revision)
        fresh, last = Reading(self._clock.mono(), dict(used)), self._last.get(revision)
        self._last[revision] = fresh
        if last is not None and fresh.at - last.at <= FRESH:
            span = fresh.at - last.at
            # One that was not there before has started since, with more CPU than it will use.
            cores = sum(now - last.used[id] for id, now in used.items() if id in last.used) / span
            self._tell(revision, cores, span)
