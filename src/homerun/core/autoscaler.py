"""How many instances of a revision should there be, and why (contract §2.1).

Three drivers; whichever asks for most wins. *Demand*: requests that wait without a slot start instances at once, as
many as it takes to hold them all. *Concurrency* and *CPU*: what the instances did over the last minute, at 60 % (or the
user's own target) of what they could take. A driver whose target is 0 is disabled; demand never is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from homerun.core.window import Peak, Window

TARGET = 0.6
WINDOW = 60.0
PEAK, STEADY = 12.0, 75.0
"""Seconds for which all requests at once, and the averages, must have needed fewer before any that are busy are too
many: so that a load that moves around a limit starts and stops nothing."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The knobs. `fixed`: manual scaling, exactly so many whatever the load. `cpu`: of one instance, in cores. Targets
    are shares of what an instance can take, 0 disables the driver. `*_from` says where a limit comes from, for people:
    empty where it is the revision's own."""

    concurrency: int
    min: int = 0
    max: int = 100
    fixed: int | None = None
    cpu: float = 1.0
    concurrency_target: float = TARGET
    cpu_target: float = TARGET
    min_from: str = ""
    max_from: str = ""
    fixed_from: str = ""

    @property
    def minimum(self) -> int:
        """Instances that there should be without any load."""
        return self.min if self.fixed is None else self.fixed

    @property
    def maximum(self) -> int:
        """Instances that there may be under any load."""
        return self.max if self.fixed is None else self.fixed


@dataclass(frozen=True, slots=True)
class Observed:
    """What a decision was made upon: requests right now, and averages over the last minute (`cpu` in cores)."""

    in_flight: int
    waiting: int
    concurrency: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Decision:
    """`want` instances, for `reason`, which users see.

    `driver` asked for `asked` of them (demand, concurrency, cpu, or what else it was); where `want` differs, `limit`
    says what held it. `observed` is None where nothing had to be looked at.
    """

    want: int
    reason: str
    driver: str = field(default="", compare=False)
    asked: int = field(default=0, compare=False)
    limit: str = field(default="", compare=False)
    observed: Observed | None = field(default=None, compare=False)


class Autoscaler:
    """One revision's. Observes load; decides on request, never by itself."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._concurrency = Window(WINDOW)
        self._cpu = Window(WINDOW)
        self._pace = Window(WINDOW)
        self._waiting = 0
        self._in_flight = 0
        self._ended = 0
        self._peak = Peak(PEAK)
        self._steady = Peak(STEADY)

    def __repr__(self) -> str:
        return f"<Autoscaler {self._in_flight} in flight, {self._waiting} waiting, {self.scaling}>"

    def observe(self, concurrency: float, in_flight: int, waiting: int, now: float, ended: int = 0) -> None:
        """A second's usage: average `concurrency` and requests `ended` in it, and what is there right now."""
        self._concurrency.record(concurrency, now)
        self._pace.record(ended, now)
        self._in_flight, self._waiting, self._ended = in_flight, waiting, ended
        observed = self._observed(now)
        self._peak.record(math.ceil((in_flight + waiting) / self.scaling.concurrency), now)
        self._steady.record(max(self._by_concurrency(observed)[1], self._by_cpu(observed)[1]), now)

    def observe_cpu(self, used_cores: float, now: float, span: float = 1.0) -> None:
        """What the ready instances used together, on average over the `span` seconds up to `now`."""
        self._cpu.record(used_cores, now, span)

    def demand(self, in_flight: int, waiting: int) -> None:
        """Requests wait for want of a slot, right now."""
        self._in_flight, self._waiting = in_flight, waiting

    def pace(self, now: float) -> float:
        """Requests that end in a second, averaged over the last minute."""
        return self._pace.average(now)

    def needed(self, now: float) -> int:
        """Instances that could not have been done without lately: for all requests at once, or by the averages."""
        return max(self._peak.most(now), self._steady.most(now))

    def decide(self, now: float, startup: float = 0.0) -> Decision:
        """Instances that the load asks for, between min and max. `startup`: seconds that a start takes."""
        limits, observed = self.scaling, self._observed(now)
        if limits.fixed is not None:
            reason = f"manual scaling: {limits.fixed}{_of(limits.fixed_from)}"
            return Decision(limits.fixed, reason, "manual", limits.fixed, "", observed)
        driver, want, reason = self._asked(observed, startup)
        if want > limits.max:
            limit = f"held at the maximum of {limits.max}{_of(limits.max_from)}"
            return Decision(limits.max, f"{reason}; {limit}", driver, want, limit, observed)
        if want < limits.min:
            limit = f"minimum of {limits.min}{_of(limits.min_from)}"
            return Decision(limits.min, limit, driver, want, limit, observed)
        return Decision(want, reason, driver, want, "", observed)

    def _observed(self, now: float) -> Observed:
        return Observed(self._in_flight, self._waiting, self._concurrency.average(now), self._cpu.average(now))

    def _asked(self, observed: Observed, startup: float) -> tuple[str, int, str]:
        """The driver that asks for most, for how many, and why. Of equals the first one speaks."""
        asked = (self._by_concurrency(observed), self._by_cpu(observed), self._by_demand(observed, startup))
        driver, want, reason = max(asked, key=lambda one: one[1])
        if want > 1 or (want and observed.waiting):
            return driver, want, reason
        # Between one and none the average does not count: only "is it processing a request" does (contract §2.1).
        busy = observed.in_flight or observed.waiting
        return ("demand", 1, "a request is in flight") if busy else ("demand", 0, "no traffic")

    def _by_demand(self, observed: Observed, startup: float) -> tuple[str, int, str]:
        in_flight, waiting, concurrency = observed.in_flight, observed.waiting, self.scaling.concurrency
        want = math.ceil((in_flight + waiting) / concurrency)
        if waiting <= self._ended * startup:
            # Those that there are will have got to them before a new one is ready.
            want = 0
        return (
            "demand",
            want,
            f"{waiting} waiting and {in_flight} in flight need {want} at concurrency {concurrency}",
        )

    def _by_concurrency(self, observed: Observed) -> tuple[str, int, str]:
        target = self.scaling.concurrency_target * self.scaling.concurrency
        want = _needed(observed.concurrency, target)
        return (
            "concurrency",
            want,
            f"concurrency {observed.concurrency:.2f} over {WINDOW:.0f} s at a target of {target:g} an instance "
            f"needs {want}",
        )

    def _by_cpu(self, observed: Observed) -> tuple[str, int, str]:
        target = self.scaling.cpu_target * self.scaling.cpu
        # What instances do without any requests is no reason to have more of them: those would do it as well.
        want = _needed(observed.cpu, target) if observed.concurrency else 0
        return (
            "cpu",
            want,
            f"{observed.cpu:.2f} CPU used over {WINDOW:.0f} s at a target of {target:g} an instance needs {want}",
        )


def _needed(load: float, target: float) -> int:
    # A millionth of slack: rounding in the average must not cost an instance.
    return math.ceil(load / target - 1e-6) if target else 0


def _of(source: str) -> str:
    return f" ({source})" if source else ""
