"""How much CPU an instance of a service may use right now (contract §1.7, §2.4).

While it starts: its limit, or more with startup boost. When it is ready: its limit while it has requests; without any,
nearly nothing if its CPU is throttled. The boost lasts a while longer, because what is ready is seldom warm; it gives
nothing to an instance without requests. What stops has its limit again: that is the engine's own doing.
"""

from __future__ import annotations

from dataclasses import dataclass

BOOST_AFTER_READY = 10.0
_BOOSTS = ((1.0, 2.0), (2.0, 4.0))
_LARGEST_BOOST = 8.0


def boosted(cores: float) -> float:
    """Cores while it starts, for a container that may use `cores` later."""
    return max(cores, next((more for limit, more in _BOOSTS if cores <= limit), _LARGEST_BOOST))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a revision's instances may use; `at_start`: at first. `throttled`: nothing without requests."""

    cores: float
    at_start: float
    throttled: bool = False

    @property
    def boosts(self) -> bool:
        return self.at_start > self.cores


class Allotment:
    """One instance that is ready. Each event answers the cores that it has from now on, None for no change.

    `idle_cores`: what a throttled one is left with. It starts out as busy: whoever sends requests says when none are.
    """

    def __init__(self, allowance: Allowance, idle_cores: float, now: float, *, adopted: bool = False) -> None:
        """`adopted`: ready before we were there, and with its limit now."""
        self._allowance, self._idle_cores = allowance, idle_cores
        self._boosted_until = now + BOOST_AFTER_READY
        self._boosts = allowance.boosts and not adopted
        self._busy = True
        self.cores = allowance.cores if adopted else allowance.at_start

    def __repr__(self) -> str:
        return f"<Allotment {'busy' if self._busy else 'idle'}, {self.cores:g} cores>"

    @property
    def wake(self) -> float | None:
        """When to call `tick`: the boost is over. None: never."""
        return self._boosted_until if self._boosts else None

    def busy(self, now: float) -> float | None:
        self._busy = True
        return self.tick(now)

    def idle(self, now: float) -> float | None:
        self._busy = False
        return self.tick(now)

    def tick(self, now: float) -> float | None:
        self._boosts = self._boosts and now < self._boosted_until
        cores = self._due()
        if cores == self.cores:
            return None
        self.cores = cores
        return cores

    def _due(self) -> float:
        if self._allowance.throttled and not self._busy:
            return self._idle_cores
        return self._allowance.at_start if self._boosts else self._allowance.cores
