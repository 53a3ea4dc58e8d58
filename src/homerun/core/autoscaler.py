"""How many instances of a revision should there be, and why (contract §2.1).

Two mechanisms, the larger wins. *On demand*: requests that wait without a slot start instances at once, as many as it
takes to hold them all. *By metric*: the average concurrency over a minute, at 60 % of what the instances could take.
Scaling down follows the metric, but only ever through instances that have been idle for the idle timeout, so that a
pause in traffic costs no cold start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from homerun.core.window import Window

TARGET = 0.6
WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """The knobs. `fixed`: manual scaling, exactly so many whatever the load."""

    concurrency: int
    min: int = 0
    max: int = 100
    fixed: int | None = None

    @property
    def minimum(self) -> int:
        """Instances that there should be without any load."""
        return self.min if self.fixed is None else self.fixed


@dataclass(frozen=True, slots=True)
class Decision:
    """`want` instances, for `reason`, which users see."""

    want: int
    reason: str


class Autoscaler:
    """One revision's. Observes load; decides on request, never by itself."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._window = Window(WINDOW)
        self._waiting = 0
        self._in_flight = 0

    def __repr__(self) -> str:
        return f"<Autoscaler {self._in_flight} in flight, {self._waiting} waiting, {self.scaling}>"

    def observe(self, concurrency: float, in_flight: int, waiting: int, now: float) -> None:
        """A second's usage: average `concurrency` over it, and what is there right now."""
        self._window.record(concurrency, now)
        self._in_flight, self._waiting = in_flight, waiting

    def demand(self, in_flight: int, waiting: int) -> None:
        """Requests wait for want of a slot, right now."""
        self._in_flight, self._waiting = in_flight, waiting

    def decide(self, now: float) -> Decision:
        """Instances that the load asks for, between min and max."""
        limits = self.scaling
        if limits.fixed is not None:
            return Decision(limits.fixed, f"manual scaling: {limits.fixed}")
        metric, on_demand = self._by_metric(now), self._on_demand()
        decision = on_demand if on_demand.want > metric.want else metric
        if decision.want > limits.max:
            return Decision(limits.max, f"{decision.reason}; held at the maximum of {limits.max}")
        if decision.want < limits.min:
            return Decision(limits.min, f"minimum of {limits.min}")
        return decision

    def _on_demand(self) -> Decision:
        if not self._waiting:
            return Decision(0, "no traffic")
        want = math.ceil((self._in_flight + self._waiting) / self.scaling.concurrency)
        return Decision(
            want,
            f"{self._waiting} waiting and {self._in_flight} in flight need {want} at concurrency "
            f"{self.scaling.concurrency}",
        )

    def _by_metric(self, now: float) -> Decision:
        average = self._window.average(now)
        target = TARGET * self.scaling.concurrency
        # A millionth of slack: rounding in the average must not cost an instance.
        want = math.ceil(average / target - 1e-6)
        if want <= 1:
            # Between one and none the average does not count: only "is it processing a request" does (contract §2.1).
            return Decision(1, "a request is in flight") if self._in_flight else Decision(0, "no traffic")
        return Decision(
            want, f"concurrency {average:.2f} over {WINDOW:.0f} s at a target of {target:g} an instance needs {want}"
        )
