"""One revision under a trace of requests, in virtual time: a dispatcher and instances; who scales them is plugged in.

Both platforms get the same requests with the same service times, the same distribution of start-up times, and the same
data path, ours: exact slots, one queue, least loaded first. Knative's own data path is at best as good, so what differs
is what each decides, and when.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from homerun.core.dispatcher import Assign, Dispatcher, Drained, Instance, Sample, State

Request = tuple[float, float]
"""When it arrives, and how long an instance works on it. Seconds."""
STARTUP_MEDIAN, STARTUP_SIGMA = 1.5, 0.5
"""Start-up is log-normal: 1.5 s in the middle and 4.8 s at the 99th percentile, as of a small interpreted program."""


@dataclass(slots=True)
class Outcome:
    """`waits` of those requests that had to wait at all, `instance_seconds` from the order to start to the end."""

    requests: int = 0
    waits: list[float] = field(default_factory=list)
    refused: int = 0
    starts: int = 0
    instance_seconds: float = 0.0

    def add(self, other: Outcome) -> None:
        self.requests += other.requests
        self.waits += other.waits
        self.refused += other.refused
        self.starts += other.starts
        self.instance_seconds += other.instance_seconds


class Scaler(Protocol):
    """Who decides. Called with what happens; acts through the world's `start`, `drain` and `at`."""

    def waiting(self, now: float) -> None: ...
    def sampled(self, sample: Sample, now: float) -> None: ...
    def ready(self, id: str, now: float) -> None: ...
    def gone(self, id: str, now: float) -> None: ...


class World:
    """Events in order of time. `deadline`: how long a request may wait; infinite: until there is a slot."""

    def __init__(self, concurrency: int, deadline: float, seed: int) -> None:
        self.outcome = Outcome()
        self.scaler: Scaler
        self.dispatcher: Dispatcher[int, Instance] = Dispatcher(concurrency, deadline, 1 << 30, 0.0)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._random = random.Random(seed)
        self._started: dict[str, float] = {}
        self._requests: Sequence[Request] = ()
        self._arrived = 0
        self._metered = False

    def run(self, requests: Sequence[Request]) -> Outcome:
        """All of `requests`, and then until nothing is left to happen."""
        self._requests = requests
        self.outcome.requests = len(requests)
        if requests:
            self.at(requests[0][0], self._arrive)
        while self._events:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
        assert not self._started, "every instance ends"
        return self.outcome

    def at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    # What the scaler orders

    def start(self, id: str, now: float) -> None:
        self._started[id] = now
        self.outcome.starts += 1
        self.at(now + STARTUP_MEDIAN * self._random.lognormvariate(0, STARTUP_SIGMA), lambda now: self._ready(id, now))

    def drain(self, id: str, now: float) -> None:
        """Nothing new for it; it ends with its last request. One that still starts ends at once."""
        instance = self.dispatcher.instances.get(id)
        if instance is None or self.dispatcher.drain(instance) is not None:
            self._end(id, now)

    def recall(self, id: str, now: float) -> None:
        """It drained, and is used again."""
        for command in self.dispatcher.up(self.dispatcher.instances[id], now):
            self._serve(command.ticket, command.instance, now)
        if self.dispatcher.waiting:
            self.at(now, self.scaler.waiting)

    @property
    def traffic(self) -> bool:
        return self._metered

    # What happens

    def _arrive(self, now: float) -> None:
        number = self._arrived
        self._arrived += 1
        if self._arrived < len(self._requests):
            self.at(self._requests[self._arrived][0], self._arrive)
        if not self._metered:
            self._metered = True
            self.dispatcher.restart_sampling(now)
            self.at(now + 1, self._sample)
        instance = self.dispatcher.acquire(number, now)
        if instance is not None:
            self._serve(number, instance, now)
            return
        if self.dispatcher.queue_deadline < float("inf"):
            self.at(now + self.dispatcher.queue_deadline, self._expire)
        self.scaler.waiting(now)

    def _serve(self, number: int, instance: Instance, now: float) -> None:
        arrived, duration = self._requests[number]
        if now > arrived:
            self.outcome.waits.append(now - arrived)
        self.at(now + duration, lambda now: self._finish(instance, now))

    def _finish(self, instance: Instance, now: float) -> None:
        command = self.dispatcher.release(instance, now)
        if isinstance(command, Assign):
            self._serve(command.ticket, command.instance, now)
        elif isinstance(command, Drained):
            self._end(instance.id, now)

    def _expire(self, now: float) -> None:
        for number in self.dispatcher.expire(now):
            self.outcome.refused += 1
            self.outcome.waits.append(now - self._requests[number][0])

    def _sample(self, now: float) -> None:
        sample = self.dispatcher.sample(now)
        self._metered = bool(sample.concurrency or sample.requests or sample.in_flight or sample.waiting)
        if self._metered:
            self.at(now + 1, self._sample)
        self.scaler.sampled(sample, now)

    def _ready(self, id: str, now: float) -> None:
        if id not in self._started:
            return
        for command in self.dispatcher.up(Instance(id), now):
            self._serve(command.ticket, command.instance, now)
        self.scaler.ready(id, now)

    def _end(self, id: str, now: float) -> None:
        self.outcome.instance_seconds += now - self._started.pop(id)
        instance = self.dispatcher.instances.get(id)
        if instance is not None and instance.state is not State.GONE:
            self.dispatcher.gone(instance, now)
        self.scaler.gone(id, now)


def numbered(prefix: str) -> Callable[[], str]:
    numbers: Iterator[int] = count()
    return lambda: f"{prefix}{next(numbers)}"
