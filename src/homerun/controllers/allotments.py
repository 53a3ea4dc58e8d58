"""Gives the instances of services their CPU: more while they start, nearly none while they have no requests.

Only those of revisions that want either are here. Busy and idle is what the routers say (plane.py); the path from there
to the kernel is short, because a request is already with the instance when we hear of it.
"""

from __future__ import annotations

import asyncio

from homerun.core.allotment import Allotment, Allowance, boosted
from homerun.engine.base import THROTTLED, Engine
from homerun.lib.clock import Clock
from homerun.model.container import Containers


def allowance(containers: Containers) -> Allowance:
    """Of an instance: what its containers may use together. Whether it is throttled, the ingress container says."""
    at_start = sum(boosted(c.cpu) if c.startup_boost else c.cpu for c in containers)
    return Allowance(containers.cpu, at_start, throttled=containers.ingress.cpu_idle)


class Allotments:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._instances: dict[str, Allotment] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __repr__(self) -> str:
        return f"<Allotments of {len(self._instances)} instances>"

    def add(self, id: str, allowed: Allowance, *, adopted: bool = False) -> None:
        """It is ready, just now or `adopted`: before we were there. It counts as busy until somebody says otherwise."""
        if not allowed.throttled and (adopted or not allowed.boosts):
            return
        self._instances[id] = Allotment(allowed, THROTTLED, self._clock.mono(), adopted=adopted)
        self._set_timer(id)

    def busy(self, id: str) -> None:
        if (instance := self._instances.get(id)) is not None:
            self._apply(id, instance.busy(self._clock.mono()))

    def idle(self, id: str) -> None:
        if (instance := self._instances.get(id)) is not None:
            self._apply(id, instance.idle(self._clock.mono()))

    def forget(self, id: str) -> None:
        """It stops, or is gone."""
        self._instances.pop(id, None)
        if (timer := self._timers.pop(id, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """No more timers."""
        for id in list(self._instances):
            self.forget(id)

    def _apply(self, id: str, cores: float | None) -> None:
        if cores is not None:
            self._engine.allot(id, cores)

    def _set_timer(self, id: str) -> None:
        wake = self._instances[id].wake
        if wake is not None:
            delay = max(wake - self._clock.mono(), 0.0)
            self._timers[id] = asyncio.get_running_loop().call_later(delay, self._on_timer, id)

    def _on_timer(self, id: str) -> None:
        del self._timers[id]
        self._apply(id, self._instances[id].tick(self._clock.mono()))
        self._set_timer(id)
