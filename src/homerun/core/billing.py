"""What is billed, by the rules of contract §6: whole numbers in, whole numbers out, so that sums stay exact.

Time is counted in milliseconds and always a multiple of 100; CPU in vCPU-microseconds (thousandths of a core times
milliseconds); memory in byte-milliseconds. What it costs is the tariff's business (core/tariff.py).

An instance billed by request pays for its start, for the time with requests (the router counts that:
core/dispatcher.py) and for its end; one billed by instance, of a job or of a worker pool for its whole life, at least a
minute of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from homerun.core.task import Outcome, Task

STEP = 100
"""Milliseconds: time is rounded up to them."""
MINIMUM = 60_000
"""Milliseconds that an instance is billed for at least, where whole lives are."""
_DAY = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
GIB = 1 << 30


class Rate(StrEnum):
    """At which price something is billed. What a minimum adds is kept apart, so that a bill can leave it out."""

    REQUEST = "request"
    """A service billed by request: starts, time with requests, ends."""
    IDLE = "idle"
    """Likewise, an instance that the service's minimum keeps while it has no request."""
    INSTANCE = "instance"
    """A service billed by instance, and jobs."""
    INSTANCE_MINIMUM = "instance-minimum"
    WORKER = "worker"
    WORKER_MINIMUM = "worker-minimum"


EXTRA = {Rate.INSTANCE: Rate.INSTANCE_MINIMUM, Rate.WORKER: Rate.WORKER_MINIMUM}
"""Where the rest of the first minute is booked."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of an instance: all its containers. `cpu` in thousandths of a core, `memory` in bytes."""

    cpu: int
    memory: int

    @classmethod
    def of(cls, cores: float, memory: int) -> Size:
        return cls(round(cores * 1000), memory)


@dataclass(frozen=True, slots=True)
class Amount:
    """Units as above. `ms`: of instances, whatever their size."""

    ms: int = 0
    cpu: int = 0
    memory: int = 0
    requests: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.ms + other.ms,
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.requests + other.requests,
        )

    @property
    def vcpu_seconds(self) -> float:
        return self.cpu / 1e6

    @property
    def gib_seconds(self) -> float:
        return self.memory / (GIB * 1000)


Used = dict[Rate, Amount]
ByDay = dict[str, Used]
"""By day in UTC, as `2026-12-01`."""


@dataclass(frozen=True, slots=True)
class Life:
    """Of one instance. `started`: wall clock; the others in seconds: until it was ready (its whole life, if it never
    was), until it had ended, and the part of that after it was asked to end."""

    started: float
    startup: float
    lived: float
    stopping: float = 0.0


def billable(seconds: float) -> int:
    """Milliseconds: rounded up to the next 100; a rounding error's worth of excess does not cost a step."""
    return math.ceil(seconds * 1000 / STEP - 1e-6) * STEP


def amount(ms: int, size: Size, requests: int = 0) -> Amount:
    return Amount(ms, ms * size.cpu, ms * size.memory, requests)


def add(into: ByDay, day: str, rate: Rate, more: Amount) -> None:
    used = into.setdefault(day, {})
    used[rate] = used.get(rate, Amount()) + more


def merge(into: Used, more: Mapping[Rate, Amount]) -> None:
    for rate, each in more.items():
        into[rate] = into.get(rate, Amount()) + each


def merge_days(into: ByDay, more: Mapping[str, Mapping[Rate, Amount]]) -> None:
    for day, used in more.items():
        merge(into.setdefault(day, {}), used)


def gather(into: Used, days: Mapping[str, Mapping[Rate, Amount]]) -> None:
    """Whatever day it was."""
    for used in days.values():
        merge(into, used)


def total(used: Mapping[Rate, Amount]) -> Amount:
    return sum(used.values(), Amount())


def without_minimum(used: Mapping[Rate, Amount]) -> Used:
    return {rate: each for rate, each in used.items() if rate not in EXTRA.values()}


def day_of(at: float) -> str:
    return _day(_number(at))


def spread(started: float, ms: int) -> Iterable[tuple[str, int]]:
    """How many of the `ms` from `started` on (wall clock) are in which day."""
    return ((_day(number), part) for number, part in _spread(started, ms))


def book_time(into: ByDay, rate: Rate, size: Size, started: float, ms: int) -> None:
    for day, part in spread(started, ms):
        add(into, day, rate, amount(part, size))


def book_life(into: ByDay, rate: Rate, size: Size, life: Life) -> None:
    """Of REQUEST: its start and its end. Else all of it, and what is missing to a minute on the day of its end."""
    if rate is Rate.REQUEST:
        book_time(into, rate, size, life.started, billable(life.startup))
        if life.stopping > 0:
            book_time(into, rate, size, life.started + life.lived - life.stopping, billable(life.stopping))
        return
    ms = billable(life.lived)
    book_time(into, rate, size, life.started, ms)
    if 0 < ms < MINIMUM:
        add(into, day_of(life.started + life.lived), EXTRA[rate], amount(MINIMUM - ms, size))


def book_tasks(into: ByDay, size: Size, tasks: Iterable[Task], now: float) -> None:
    """Each attempt of an execution; those that run up to `now`. Not those that never began, nor those whose end nobody
    saw: nobody knows how long they ran."""
    sums: Counter[tuple[int, Rate]] = Counter()
    for task in tasks:
        for attempt in task.attempts:
            ended = attempt.ended
            if ended is None:
                ended = now
            elif attempt.outcome is Outcome.UNSTARTED or (attempt.code is None and attempt.signal is None):
                continue
            ms = billable(ended - attempt.started)
            for number, part in _spread(attempt.started, ms):
                sums[number, Rate.INSTANCE] += part
            if 0 < ms < MINIMUM:
                sums[_number(ended), Rate.INSTANCE_MINIMUM] += MINIMUM - ms
    for (number, rate), ms in sums.items():
        add(into, _day(number), rate, amount(ms, size))


@dataclass(frozen=True, slots=True)
class Kept:
    """`count` instances that a minimum keeps, not billed yet since `since` (wall clock, milliseconds)."""

    count: int
    since: int

    def until(self, now: float, busy: int = 0) -> tuple[Kept, list[tuple[str, int]]]:
        """What is billed as idle by day, when instances had requests for `busy` ms of it; and what is left then."""
        end = max(round(now * 1000), self.since)
        parts = [(day, part * self.count) for day, part in spread(self.since / 1000, end - self.since)]
        for index in reversed(range(len(parts))):
            day, part = parts[index]
            parts[index] = day, max(part - busy, 0)
            busy = max(busy - part, 0)
        return replace(self, since=end), [(day, part) for day, part in parts if part]


def encode(used: Mapping[Rate, Amount]) -> dict[str, list[int]]:
    return {str(rate): [each.ms, each.cpu, each.memory, each.requests] for rate, each in used.items()}


def decode(stored: Mapping[str, list[int]]) -> Used:
    return {Rate(rate): Amount(*each) for rate, each in stored.items()}


def _spread(started: float, ms: int) -> Iterable[tuple[int, int]]:
    at = round(started * 1000)
    while ms > 0:
        part = min(ms, _DAY - at % _DAY)
        yield at // _DAY, part
        at, ms = at + part, ms - part


def _number(at: float) -> int:
    """Of the day, since 1970."""
    return round(at * 1000) // _DAY


def _day(number: int) -> str:
    return date.fromordinal(_EPOCH + number).isoformat()
