"""Who gets the next request: the free slots of a revision's instances, and one queue in front of all of them.

The rules: an instance never has more than `concurrency` requests in flight; nobody waits while a slot is free; those
who wait are served in the order of their arrival. Of the instances with a free slot the least loaded one gets the
request, and of equals the one used last, so that the others may fall idle and be stopped.

Every operation costs the same for one instance as for a thousand: instances with a free slot sit in one bucket per
number of requests in flight, and `_lowest` points to the first bucket that is not empty.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from homerun.core.billing import billable


class State(enum.Enum):
    ACTIVE = "active"
    FAILED = "failed"
    """It could not be reached, or is not ready: nothing new is sent to it until it is reported up again."""
    DRAINING = "draining"
    GONE = "gone"


_ACTIVE, _GONE = State.ACTIVE, State.GONE
"""Used with every request: Python 3.11 takes longer to look up a member of an enumeration than to call a function."""


class Instance:
    """What the dispatcher keeps of an instance. Whoever sends the requests derives a class with more in it."""

    __slots__ = ("busy", "id", "in_flight", "paid", "requests", "since", "state")

    def __init__(self, id: str) -> None:
        self.id = id
        self.in_flight = 0
        self.state = State.GONE
        self.since = 0.0
        """When it last went from idle to busy or back."""
        self.busy = 0.0
        """Billable seconds since the last sample: with at least one request, in steps of 100 ms (contract §6)."""
        self.paid = 0.0
        """Up to when time is counted in `busy`. Ahead of the clock after a request that took no whole step: those
        that come meanwhile cost nothing more."""
        self.requests = 0
        """Requests ended since the last sample."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state.value}, {self.in_flight} in flight>"


Ticket = TypeVar("Ticket", bound=Hashable)
"""Whatever stands for a request."""
I = TypeVar("I", bound=Instance)  # noqa: E741 - reads as what it is


class QueueFull(Exception):
    """As many requests wait already as may wait."""


@dataclass(frozen=True, slots=True)
class Assign(Generic[Ticket, I]):
    """The request that waited longest has a slot on this instance."""

    ticket: Ticket
    instance: I


@dataclass(frozen=True, slots=True)
class Drained(Generic[I]):
    """The last request of a draining instance has ended."""

    instance: I


@dataclass(frozen=True, slots=True)
class InstanceSample:
    """Seconds: `busy` since the last sample, as they are billed; `idle` since the last request ended, 0 while busy."""

    instance: str
    in_flight: int
    busy: float
    requests: int
    idle: float


@dataclass(frozen=True, slots=True)
class Sample:
    """`concurrency`: requests in flight or waiting, averaged over the time since the last sample."""

    concurrency: float
    in_flight: int
    waiting: int
    requests: int
    instances: list[InstanceSample]


class Dispatcher(Generic[Ticket, I]):
    def __init__(self, concurrency: int, queue_deadline: float, queue_limit: int, now: float) -> None:
        self.concurrency = concurrency
        self.queue_deadline = queue_deadline
        self.queue_limit = queue_limit
        self.instances: dict[str, I] = {}
        self.in_flight = 0
        self.leaving = 0
        """Those of them on instances that get no new ones."""
        self._queue: OrderedDict[Ticket, float] = OrderedDict()
        """Who waits, with the time of arrival."""
        self._buckets: list[dict[I, None]] = [{} for _ in range(concurrency)]
        """Active instances with a free slot by requests in flight; in each, the one used last comes last."""
        self._lowest = concurrency
        """The first bucket that is not empty; `concurrency` when no slot is free."""
        self._area = 0.0
        """Integral of (in flight + waiting) from `_sampled` to `_changed`."""
        self._changed = self._sampled = now
        self._requests = 0
        self._departed: list[InstanceSample] = []
        """The last words of those that are gone."""

    def __repr__(self) -> str:
        return f"<Dispatcher {len(self.instances)} instances, {self.in_flight} in flight, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def expires(self) -> float | None:
        """When the queue deadline of the request that waits longest passes."""
        return next(iter(self._queue.values())) + self.queue_deadline if self._queue else None

    # Requests

    def acquire(self, ticket: Ticket, now: float) -> I | None:
        """A slot at once, or None: the request waits, until an Assign or `expire` names it. Raises QueueFull."""
        if self._lowest < self.concurrency:
            return self._take(now)
        if len(self._queue) >= self.queue_limit:
            raise QueueFull
        self._integrate(now)
        self._queue[ticket] = now
        return None

    def claim(self, instance: I, now: float) -> bool:
        """A slot of this very instance, if it has a free one: then nobody waits who would come before."""
        if instance.state is not State.ACTIVE or instance.in_flight >= self.concurrency:
            return False
        bucket = self._buckets[instance.in_flight]
        del bucket[instance]
        bucket[instance] = None
        lowest, self._lowest = self._lowest, instance.in_flight
        self._take(now)
        self._lowest = min(lowest, self._lowest)
        return True

    def retry(self, ticket: Ticket, arrived: float, now: float, avoid: I | None = None) -> I | None:
        """As `acquire`, for a request that had its turn in vain: it waits at the head of the queue. It goes to `avoid`
        only if no other instance has a slot for it."""
        if self._lowest < self.concurrency:
            other = self._best_but(avoid) if avoid is not None else None
            if other is not None and self.claim(other, now):
                return other
            return self._take(now)
        self._integrate(now)
        self._queue[ticket] = arrived
        self._queue.move_to_end(ticket, last=False)
        return None

    def release(self, instance: I, now: float) -> Assign[Ticket, I] | Drained[I] | None:
        """A request of `instance` has ended, however it did."""
        state = instance.state
        if state is _GONE:
            return None
        # As in _take.
        self._area += (self.in_flight + len(self._queue)) * (now - self._changed)
        self._changed = now
        self.in_flight -= 1
        self._requests += 1
        load = instance.in_flight - 1
        instance.requests += 1
        if state is not _ACTIVE:
            self.leaving -= 1
            self._set_load(instance, load, now)
            return Drained(instance) if load == 0 and state is State.DRAINING else None
        buckets = self._buckets
        if load + 1 < self.concurrency:
            del buckets[load + 1][instance]
        self._set_load(instance, load, now)
        if load < self.concurrency:
            buckets[load][instance] = None
            if load < self._lowest:
                self._lowest = load
        if self._queue and self._lowest < self.concurrency:
            return self._assign(now)
        return None

    def cancel(self, ticket: Ticket, now: float) -> bool:
        """The client is gone: leave the queue. False if it was not in it."""
        self._integrate(now)
        return self._queue.pop(ticket, None) is not None

    def expire(self, now: float) -> list[Ticket]:
        """Take those out of the queue whose deadline has passed."""
        late: list[Ticket] = []
        self._integrate(now)
        while (expires := self.expires) is not None and expires <= now:
            late.append(self._queue.popitem(last=False)[0])
        return late

    def flush(self, now: float) -> list[Ticket]:
        """Take everybody out of the queue: no instance will come."""
        self._integrate(now)
        everybody = list(self._queue)
        self._queue.clear()
        return everybody

    # Instances

    def inherit(self, instance: I, requests: int, now: float) -> None:
        """Before its first `up`: it works on so many requests of somebody else's. A `release` follows for each."""
        self._integrate(now)
        instance.in_flight = requests
        self.in_flight += requests

    def up(self, instance: I, now: float) -> list[Assign[Ticket, I]]:
        """Ready for requests: a new one, or one that was failed or draining."""
        if instance.state is State.ACTIVE:
            return []
        if instance.state is State.GONE:
            self._enter(instance, now)
        else:
            self.leaving -= instance.in_flight
        instance.state = State.ACTIVE
        if instance.in_flight < self.concurrency:
            self._buckets[instance.in_flight][instance] = None
            self._lowest = min(self._lowest, instance.in_flight)
        return self._serve(now)

    def fail(self, instance: I) -> None:
        """It cannot be reached. Its requests in flight go on."""
        self._leave(instance, State.FAILED)

    def withhold(self, instance: I, now: float) -> None:
        """It is there, and gets nothing new before its next `up`. Its requests in flight go on."""
        if instance.state is State.GONE:
            self._enter(instance, now)
            self.leaving += instance.in_flight
            instance.state = State.FAILED
        elif instance.state is State.ACTIVE:
            self._leave(instance, State.FAILED)

    def drain(self, instance: I) -> Drained[I] | None:
        """Nothing new for it; Drained now or from the `release` of its last request."""
        self._leave(instance, State.DRAINING)
        return None if instance.in_flight else Drained(instance)

    def gone(self, instance: I, now: float) -> None:
        """Forget it. Its requests in flight count no more; their `release` is ignored."""
        self._integrate(now)
        last = _sample(instance, now)
        if last.busy or last.requests:
            self._departed.append(replace(last, in_flight=0))
        self._leave(instance, State.GONE)
        del self.instances[instance.id]
        self.in_flight -= instance.in_flight
        self.leaving -= instance.in_flight

    # The revision

    def configure(self, concurrency: int, queue_deadline: float, now: float) -> list[Assign[Ticket, I]]:
        """Take new limits. Requests in flight stay, even above a lower concurrency."""
        self.queue_deadline = queue_deadline
        if concurrency == self.concurrency:
            return []
        self.concurrency = self._lowest = concurrency
        self._buckets = [{} for _ in range(concurrency)]
        for instance in self.instances.values():
            if instance.state is State.ACTIVE and instance.in_flight < concurrency:
                self._buckets[instance.in_flight][instance] = None
                self._lowest = min(self._lowest, instance.in_flight)
        return self._serve(now)

    def restart_sampling(self, now: float) -> None:
        """The time of silence before `now` is not to be averaged over."""
        self._area, self._changed, self._sampled = 0.0, now, now

    def sample(self, now: float) -> Sample:
        """What happened since the last sample."""
        self._integrate(now)
        span = now - self._sampled
        average = self._area / span if span > 0 else float(self.in_flight + self.waiting)
        sample = Sample(
            concurrency=average,
            in_flight=self.in_flight,
            waiting=self.waiting,
            requests=self._requests,
            instances=[*(_sample(instance, now) for instance in self.instances.values()), *self._departed],
        )
        self._area, self._sampled, self._requests, self._departed = 0.0, now, 0, []
        return sample

    # Inside

    def _integrate(self, now: float) -> None:
        self._area += (self.in_flight + len(self._queue)) * (now - self._changed)
        self._changed = now

    def _take(self, now: float) -> I:
        """A slot of the best instance. There must be one."""
        # _integrate, inline: this and `release` are on the path of every request.
        self._area += (self.in_flight + len(self._queue)) * (now - self._changed)
        self._changed = now
        lowest = self._lowest
        bucket = self._buckets[lowest]
        instance, _ = bucket.popitem()
        load = lowest + 1
        if load < self.concurrency:
            self._buckets[load][instance] = None
        if not bucket:
            # Either this very instance is in the next bucket now, or no slot is left at all.
            self._lowest = load
        self.in_flight += 1
        instance.in_flight = load
        if load == 1:
            instance.since = now
        return instance

    def _assign(self, now: float) -> Assign[Ticket, I]:
        ticket, _ = self._queue.popitem(last=False)
        return Assign(ticket, self._take(now))

    def _serve(self, now: float) -> list[Assign[Ticket, I]]:
        served: list[Assign[Ticket, I]] = []
        self._integrate(now)
        while self._queue and self._lowest < self.concurrency:
            served.append(self._assign(now))
        return served

    def _set_load(self, instance: I, load: int, now: float) -> None:
        instance.in_flight = load
        if load == 0:
            if now > instance.paid:
                _charge(instance, now)
            instance.since = now

    def _enter(self, instance: I, now: float) -> None:
        self.instances[instance.id] = instance
        instance.since = now

    def _leave(self, instance: I, state: State) -> None:
        """Out of the buckets, if it is in one."""
        load = instance.in_flight
        if instance.state is State.ACTIVE:
            self.leaving += load
            if load < self.concurrency:
                del self._buckets[load][instance]
                while self._lowest < self.concurrency and not self._buckets[self._lowest]:
                    self._lowest += 1
        instance.state = state

    def _best_but(self, avoid: I) -> I | None:
        for bucket in self._buckets[self._lowest :]:
            for instance in reversed(bucket):
                if instance is not avoid:
                    return instance
        return None


def _charge(instance: Instance, now: float) -> None:
    """Count the time since it became busy, up to now."""
    begin = max(instance.since, instance.paid)
    seconds = billable(max(now - begin, 0.0)) / 1000
    instance.paid = begin + seconds
    instance.busy += seconds


def _sample(instance: Instance, now: float) -> InstanceSample:
    """Reads and resets the instance's counters."""
    idle = 0.0
    if instance.in_flight:
        _charge(instance, now)
        instance.since = now
    else:
        idle = now - instance.since
    sample = InstanceSample(instance.id, instance.in_flight, instance.busy, instance.requests, idle)
    instance.busy, instance.requests = 0.0, 0
    return sample
