"""All instances of one revision: how many, which one goes, what a failure means.

Events in (load from the router, news from the engine), commands out. The fleet owns its instances' states; whoever
calls it carries the commands out and calls `tick` at `wake` (None: nothing to wait for; idle costs nothing).

A start that fails is not repeated at once: consecutive failures back off, and `failure` says why, so that waiting
requests can be refused instead of kept. The first start of a revision, its deployment check, happens without traffic
(`check`), and its outcome decides whether the revision ever gets any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from homerun.core.autoscaler import Autoscaler, Decision, Scaling
from homerun.core.backoff import delay
from homerun.core.instance import Instance, Signal, State
from homerun.core.patience import Patience

STABLE_AFTER = 10.0
"""An instance that lives this long after it became ready is no crash loop."""
LONGEST_CRASH_DELAY = 10.0
"""Shorter than for starts that fail: what becomes ready can answer requests, and they wait for this."""
RECOVERED_AFTER = 600.0
"""Instances that turn out not to be alive further apart than this have nothing to do with each other."""
EVALUATE_EVERY = 1.0
TAKEN_BACK = "what was leaving is used again"
HISTORY = 50
"""Decisions kept for `describe`."""


_THERE = (State.READY, State.UNREADY)
"""Started, and not on their way out."""


@dataclass(frozen=True, slots=True)
class Start:
    id: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Give it no new requests; `drained` is expected when its last one is answered."""

    id: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Give it new requests again: it was draining, and `drained` is not expected any more."""

    id: str


@dataclass(frozen=True, slots=True)
class Stop:
    id: str


@dataclass(frozen=True, slots=True)
class Withhold:
    """Give it no new requests until `Resume`; it stays."""

    id: str


@dataclass(frozen=True, slots=True)
class Resume:
    id: str


Command = Start | Drain | Recall | Stop | Withhold | Resume


@dataclass(frozen=True, slots=True)
class Load:
    """What the router reports of one instance. Seconds."""

    in_flight: int
    idle: float


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision that changed something, or should have, for people. `note`: which are stopped, or why none starts."""

    at: float
    ready: int
    starting: int
    decision: Decision
    note: str = ""


class Fleet:
    """One revision's instances. `new_id` names new ones."""

    def __init__(self, scaling: Scaling, idle_timeout: float, new_id: Callable[[], str]) -> None:
        self.instances: dict[str, Instance] = {}
        self.failure = ""
        self.history: deque[Explained] = deque(maxlen=HISTORY)
        self.closed = False
        self.held = False
        """Keep what is ready: others, which are to take over, are not there yet."""
        self._autoscaler = Autoscaler(scaling)
        self._patience = Patience(idle_timeout)
        self._quiet_since: float | None = None
        """When the last request that is known of ended, or was seen under way."""
        self._new_id = new_id
        self._checking = 0
        """Instances whose start is to show that the revision works."""
        self._failures = 0
        self._crashes = 0
        self._ill = 0
        """Instances in a row that were ended because they were not alive any more."""
        self._ill_at = 0.0
        self._retry_at = 0.0
        self._missing = 0
        self._ticked = 0.0
        self._startups: deque[float] = deque(maxlen=20)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.count(state)} {state}" for state in State if self.count(state))
        return f"<Fleet {counts or 'empty'}{', closed' if self.closed else ''}>"

    def count(self, *states: State) -> int:
        return sum(instance.state in states for instance in self.instances.values())

    @property
    def minimum(self) -> int:
        """Instances that there should be without any load."""
        return self._autoscaler.scaling.minimum

    @property
    def maximum(self) -> int:
        """Instances that there may be under any load; 0: it is disabled."""
        return self._autoscaler.scaling.maximum

    @property
    def hopeless(self) -> bool:
        """The last start failed, and nothing else is there or on its way: `failure` says why."""
        return bool(self.failure) and not self.count(State.STARTING, *_THERE)

    @property
    def checking(self) -> bool:
        """It is not known yet whether the revision works."""
        return self._checking > 0

    @property
    def short(self) -> int:
        """Instances that the minimum still lacks."""
        return max(self.minimum - self.count(State.READY), 0)

    @property
    def average_startup(self) -> float:
        """Seconds, over the last starts; 0 before the first."""
        return sum(self._startups) / len(self._startups) if self._startups else 0.0

    @property
    def wake(self) -> float | None:
        """When to call `tick` next: an instance's idle time is over, or a failed start may be tried again."""
        if self.closed:
            return None
        there = self.count(*_THERE)
        surplus = self._idle()[: max(there - self.minimum, 0)]
        idle_ends = [since + self._kept(there, self._ticked) for since, _ in surplus]
        retry = [self._retry_at] if self._backs_off and self._missing else []
        candidates = idle_ends + retry
        # An idle instance may be held by the metric: look again as the window moves on, but not in a loop.
        return max(min(candidates), self._ticked + EVALUATE_EVERY) if candidates else None

    # Events

    def configure(self, scaling: Scaling, now: float) -> list[Command]:
        """New limits or targets."""
        self._autoscaler.scaling = scaling
        return self.tick(now)

    def check(self, now: float, number: int = 1) -> list[Command]:
        """Start so many instances whatever the load, to learn whether the revision works."""
        self._checking = number
        return self.tick(now)

    def adopt(self, instances: Iterable[Instance]) -> None:
        """Instances that ran before this fleet existed."""
        self.instances.update((instance.id, instance) for instance in instances)

    def demand(self, in_flight: int, waiting: int, now: float) -> list[Command]:
        if in_flight or waiting:
            self._hear(now)
        self._autoscaler.demand(in_flight, waiting)
        return self.tick(now)

    def usage(
        self, concurrency: float, in_flight: int, waiting: int, loads: Mapping[str, Load], now: float, ended: int = 0
    ) -> list[Command]:
        """A second's: average `concurrency`, requests `ended` in it, and what there is of them right now."""
        leaving = 0
        for id, load in loads.items():
            instance = self.instances.get(id)
            if instance is None or instance.state is not State.READY:
                leaving += load.in_flight
            if instance is not None:
                instance.in_flight = load.in_flight
                instance.idle_since = None if load.in_flight else now - load.idle
        if in_flight or waiting:
            self._hear(now)
        elif loads:
            self._hear(now - min(load.idle for load in loads.values()))
        # What leaving instances still answer needs nobody to take it over.
        self._autoscaler.observe(max(concurrency - leaving, 0.0), max(in_flight - leaving, 0), waiting, now, ended)
        return self.tick(now)

    def cpu(self, used_cores: float, now: float, span: float = 1.0) -> list[Command]:
        """What the ready instances used together, on average over the `span` seconds up to `now`."""
        self._autoscaler.observe_cpu(used_cores, now, span)
        return self.tick(now)

    def lost_sight(self, now: float) -> list[Command]:
        """The router is gone, and with it the requests that it had reported."""
        for instance in self.instances.values():
            instance.in_flight = 0
            if instance.state in (*_THERE, State.DRAINING) and instance.idle_since is None:
                instance.idle_since = now
        return self.demand(0, 0, now)

    def ready(self, id: str, now: float) -> list[Command]:
        instance = self.instances.get(id)
        if instance is None or instance.state is not State.STARTING:
            return []
        instance.signal(Signal.READY)
        instance.ready_at = instance.idle_since = now
        self._startups.append(now - instance.created)
        recovered = self._failures > self._crashes
        # To become ready says nothing against a crash loop.
        self.failure, self._failures = "", self._crashes
        self._see_check(self._checking)
        if self.closed:
            return self._drain([id])
        # Others that were wanted as well had to wait for this one.
        return self.tick(now) if recovered else []

    def _see_check(self, number: int) -> None:
        """So many are to show that the revision works: what fails beside others that do not is tried again later."""
        self._checking = 0 if self.count(State.READY) >= number else number

    def unready(self, id: str, now: float) -> list[Command]:
        """It says that it cannot take requests now: others do, and another one stands in for it."""
        instance = self.instances.get(id)
        if instance is None:
            return []
        instance.well = False
        if not instance.signal(Signal.UNREADY):
            return []
        return [Withhold(id), *self.tick(now)]

    def ready_again(self, id: str, now: float) -> list[Command]:
        instance = self.instances.get(id)
        if instance is None:
            return []
        instance.well = True
        if instance.state is not State.UNREADY:
            return []
        instance.signal(Signal.READY)
        return [Resume(id), *self.tick(now)]

    def unwell(self, id: str) -> None:
        """It is about to be ended, as it is not alive any more."""
        if (instance := self.instances.get(id)) is not None:
            instance.well = False

    def drained(self, id: str, now: float) -> list[Command]:
        instance = self.instances.get(id)
        if instance is None or not instance.signal(Signal.DRAINED):
            return []
        return [Stop(id), *self.tick(now)]

    def exited(
        self, id: str, now: float, failure: str = "", *, ill: bool = False, unborn: bool = False
    ) -> list[Command]:
        """The instance ended, or never came to be (`unborn`). `failure` says why, where nobody asked it to stop; `ill`:
        it was ended because it was not alive any more."""
        instance = self.instances.pop(id, None)
        if instance is None:
            return []
        lived = now - instance.ready_at if instance.ready_at is not None else 0.0
        expected = instance.state in (State.STOPPING, State.DRAINING)
        instance.signal(Signal.EXITED)
        if ill and not expected:
            # The first is followed by another at once, the next ones not: what ails them may be no fault of theirs.
            self._ill = self._ill + 1 if now - self._ill_at < RECOVERED_AFTER else 1
            self._ill_at = now
            self._retry_at = now + delay(self._ill - 1, most=LONGEST_CRASH_DELAY)
        if lived >= STABLE_AFTER:
            self._failures = self._crashes = 0
        elif not expected:
            self._failures += 1
            if instance.ready_at is not None:
                self._crashes += 1
                self._retry_at = now + delay(max(self._failures, self._ill - 1), most=LONGEST_CRASH_DELAY)
            elif unborn and self._failures == 1 and not self._checking:
                # No fault of the revision's, which has started before: whoever waits need not hear of one mishap.
                self._retry_at = now
            else:
                self._retry_at = now + delay(self._failures)
                self.failure = failure
                if self.hopeless:
                    # Whoever waited is refused with the failure: they are nobody's demand any more.
                    self._autoscaler.demand(0, 0)
            self._see_check(min(self._checking, self.count(State.STARTING, *_THERE)))
        return self.tick(now)

    def failed(self, id: str, now: float) -> list[Command]:
        """The router could not reach it: stop it, and let another take its place."""
        instance = self.instances.get(id)
        if instance is None or not instance.signal(Signal.STOP):
            return []
        return [Stop(id), *self.tick(now)]

    def close(self, now: float) -> list[Command]:
        """The revision is going away: nothing new; what runs finishes its requests."""
        self.closed, self._checking = True, 0
        drains: list[Command] = [Drain(i.id) for i in self.instances.values() if i.signal(Signal.DRAIN)]
        stops: list[Command] = [Stop(i.id) for i in self.instances.values() if self._abandon_start(i)]
        return drains + stops

    # The decision

    def tick(self, now: float) -> list[Command]:
        """Compare what is there with what should be."""
        self._ticked = now
        if self.closed:
            return []
        decision = self._autoscaler.decide(now, self.average_startup)
        if decision.want < self._checking:
            decision = Decision(self._checking, "deployment check", "check", self._checking)
        starting, ready = self.count(State.STARTING), self.count(State.READY)
        self._missing = max(min(decision.want, self._room(decision.want)) - ready - starting, 0)
        if self._missing:
            recalled = self._recall(self._missing, now)
            self._missing -= len(recalled)
            started = self._start(self._missing, now) if self._missing else []
            commands = recalled + started
            note = TAKEN_BACK if recalled else "" if started else self._backing_off
        else:
            commands, note = self._stop(max(decision.want, self.minimum), now)
        if commands or (note and (not self.history or note != self.history[-1].note)):
            self.history.append(Explained(now, ready, starting, decision, note))
        return commands

    def _room(self, want: int) -> int:
        """Instances that may be ready or starting. Each one that is not ready is stood in for once: if none ever gets
        ready that must not fill the machine. And all count for the maximum."""
        unready = self.count(State.UNREADY)
        return min(self.maximum, 2 * want) - unready if unready else want

    @property
    def _backs_off(self) -> bool:
        return self._failures > 0 or self._ill > 1

    @property
    def _backing_off(self) -> str:
        if not self._failures:
            return f"{self._ill} instances in a row were not alive any more: others start after a while"
        starts = "the last start" if self._failures == 1 else f"{self._failures} starts in a row"
        return f"{starts} failed: one is tried again after a while"

    def _stop(self, want: int, now: float) -> tuple[list[Command], str]:
        """What there is above `want`, if it may go now; and which those are, for people."""
        there = self.count(*_THERE)
        if self.held or there <= want:
            return [], ""
        if ids := self._idle_too_long(want, now):
            last = there == len(ids)
            why = self._patience.why if last else "idle beside others"
            return self._drain(ids), why if self._autoscaler.scaling.fixed is None else ""
        if ids := self._too_many_busy(want, now):
            return self._drain(ids), "the load fits on those that stay"
        return [], ""

    def _recall(self, number: int, now: float) -> list[Command]:
        """Of those that drain and have room the least busy come back. A deployment check is about new ones."""
        if self._checking:
            return []
        full = self._autoscaler.scaling.concurrency
        draining = [i for i in self.instances.values() if i.state is State.DRAINING and i.well and i.in_flight < full]
        chosen = sorted(draining, key=lambda instance: instance.in_flight)[:number]
        for instance in chosen:
            instance.signal(Signal.RECALL)
            if instance.idle_since is not None:
                instance.idle_since = now
        return [Recall(instance.id) for instance in chosen]

    def _start(self, number: int, now: float) -> list[Command]:
        if any(i.ready_at is not None and now - i.ready_at >= STABLE_AFTER for i in self.instances.values()):
            self._failures = self._crashes = 0
        if self._ill > 1 and now < self._retry_at:
            return []
        if self._failures:
            # Not before the back-off is over, and then one, to see.
            if now < self._retry_at or self.count(State.STARTING):
                return []
            number = 1
        commands: list[Command] = []
        for _ in range(number):
            id = self._new_id()
            self.instances[id] = Instance(id, now)
            commands.append(Start(id))
        return commands

    def _idle_too_long(self, want: int, now: float) -> list[str]:
        """Those above `want` whose idle time is over, the longest idle first; manual scaling waits not."""
        there = self.count(*_THERE)
        chosen: list[str] = []
        for since, id in self._idle()[: there - want]:
            # A nanosecond of slack: a timer set for `idle_since + timeout` may round to just before it.
            if now - since >= self._kept(there - len(chosen), now) - 1e-9:
                chosen.append(id)
        return chosen

    def _kept(self, ready: int, now: float) -> float:
        """Seconds for which one of so many ready instances may be idle."""
        if self._autoscaler.scaling.fixed is not None:
            return 0.0
        if ready == 1:
            return self._patience.seconds
        ended = self._autoscaler.pace(now) * self.average_startup
        return self._patience.spare(1 / ended if ended > 1 else 1.0)

    def _idle(self) -> list[tuple[float, str]]:
        """Instances without requests: those that are not ready before those that are, the longest idle first."""
        found = [
            (i.state is State.READY, i.idle_since, i.id)
            for i in self.instances.values()
            if i.state in _THERE and i.idle_since is not None
        ]
        return [(since, id) for _, since, id in sorted(found)]

    def _too_many_busy(self, want: int, now: float) -> list[str]:
        """Where requests are spread over more instances than they need, the least busy get no new ones: they fall idle.

        Otherwise a load that became smaller would keep all of them a little busy, and none could ever be stopped.
        """
        by_hand = self._autoscaler.scaling.fixed is not None
        needed = want if by_hand else min(max(want, self._autoscaler.needed(now), 1), self.maximum)
        busy = sorted(
            (i.in_flight, i.id) for i in self.instances.values() if i.state is State.READY and i.idle_since is None
        )
        return [id for _, id in busy[: max(len(busy) - needed, 0)]]

    def _drain(self, ids: Iterable[str]) -> list[Command]:
        return [Drain(id) for id in ids if self.instances[id].signal(Signal.DRAIN)]

    def _hear(self, last: float) -> None:
        """The last request that is known of ended at `last`, or is under way then: a pause before it is over."""
        if self._quiet_since is not None and last > self._quiet_since:
            self._patience.record(last - self._quiet_since)
        self._quiet_since = last

    @staticmethod
    def _abandon_start(instance: Instance) -> bool:
        return instance.state is State.STARTING and instance.signal(Signal.STOP)
