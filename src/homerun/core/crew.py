"""All instances of one worker pool: how many of each revision, which one goes, and when one that ended starts again.

Nobody but its user asks a worker pool for instances. Their number and its split say how many places each revision has,
and every place is kept filled: an instance that ends, however it ends, is followed by another, the first at once, the
next after 1 s, 2 s, 4 s and so on up to five minutes. One that lived for ten minutes has earned a fresh start.

When number or split change, new instances start before old ones stop: what has lost its place goes on as long as those
that take over are not ready. A revision that has not been tried yet gets one instance to show that it works (`check`),
and keeps it until its pool has made up its mind.

Events in, commands out. Whoever calls carries the commands out and calls `tick` at `wake`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from homerun.core.backoff import delay
from homerun.core.instance import Instance, Signal, State
from homerun.core.split import split

MAX_DELAY = 300.0
STABLE_AFTER = 600.0
"""An instance that lives this long is no crash loop: the back-off begins anew."""
HISTORY = 100
"""Decisions kept for `describe`."""
_SLACK = 1e-9
"""A timer may come a rounding error too early."""


@dataclass(frozen=True, slots=True)
class Start:
    id: str
    revision: str


@dataclass(frozen=True, slots=True)
class Stop:
    id: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The check is over; `failure` is empty when it passed."""

    revision: str
    failure: str = ""


Command = Start | Stop | Checked


@dataclass(frozen=True, slots=True)
class Explained:
    """Something that was decided, for people: so many instances of the revision are wanted while so many are ready."""

    at: float
    revision: str
    want: int
    ready: int
    reason: str


@dataclass(slots=True)
class Place:
    """Where one instance of a revision belongs. Without one it waits for its next start."""

    revision: str
    instance: Instance | None = None
    failures: int = 0
    gone: bool = False


@dataclass(slots=True)
class _Revision:
    places: list[Place] = field(default_factory=list)
    admitted: bool = False
    want: int = 0
    why: str = ""
    settle: float | None = None
    """Under check: how long an instance must be ready for."""
    held: bool = False
    """The check passed, and its instance stays until the pool is settled."""


class Crew:
    """One worker pool's instances. `new_id` names new ones."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.instances: dict[str, Instance] = {}
        """All, with those that are on their way out."""
        self.revision_of: dict[str, str] = {}
        self.history: deque[Explained] = deque(maxlen=HISTORY)
        self.closed = False
        self._new_id = new_id
        self._revisions: dict[str, _Revision] = {}
        self._places: dict[str, Place] = {}
        """By the id of the instance in it."""
        self._ready: Counter[str] = Counter()
        """Instances that are ready and have a place, by revision."""
        self._settled: bool | None = None
        """None: number and split are not known yet."""
        self._due: list[tuple[float, int, Place]] = []
        """Places that wait for their next start, the earliest first."""
        self._order = count()

    def __repr__(self) -> str:
        states = Counter(instance.state for instance in self.instances.values())
        counts = ", ".join(f"{number} {state}" for state, number in states.items())
        return f"<Crew {counts or 'empty'}{', closed' if self.closed else ''}>"

    def knows(self, revision: str) -> bool:
        """It was not released."""
        return revision in self._revisions

    @property
    def wake(self) -> float | None:
        """When to call `tick` next: a place is due, or a check is over."""
        if self.closed:
            return None
        while self._due and not _waits(self._due[0][2]):
            heappop(self._due)
        times = [at for name, r in self._revisions.items() if (at := self._check_ends(name, r)) is not None]
        return min([*times, *(entry[0] for entry in self._due[:1])], default=None)

    # What is wanted

    def configure(self, total: int, percents: Mapping[str, int], now: float, *, settled: bool = True) -> list[Command]:
        """`total` instances, split over revisions. `settled`: no revision is still on its way to be among them."""
        self._settled = settled
        shares = split(total, percents)
        for name in shares:
            self._revisions.setdefault(name, _Revision())
        for name, revision in self._revisions.items():
            revision.want = shares.get(name, 0)
            revision.why = f"{percents.get(name, 0)} % of {total} instances"
            revision.held = revision.held and not settled
        return self.tick(now)

    def admit(self, revision: str, now: float) -> list[Command]:
        """From now on its instances can be started. What runs already is not touched: it may be about to be checked."""
        known = self._revisions.setdefault(revision, _Revision())
        if known.admitted or self.closed:
            return []
        known.admitted = True
        for place in known.places:
            self._queue(place, now)
        return self._start(now)

    def check(self, revision: str, settle: float, now: float) -> list[Command]:
        """One instance whatever the split; it passes when it has been ready for `settle` seconds, or ended well."""
        self._revisions.setdefault(revision, _Revision()).settle = settle
        return self.tick(now)

    def release(self, revision: str, now: float) -> list[Command]:
        """The revision failed or is gone: no more instances of it."""
        released = self._revisions.pop(revision, None)
        if released is None or self.closed:
            return []
        return [c for place in released.places for c in self._vacate(place)] + self.tick(now)

    def close(self, now: float) -> list[Command]:
        """The pool is gone, or homerun goes down."""
        self.closed = True
        return [Stop(id) for id, instance in self.instances.items() if instance.signal(Signal.STOP)]

    # What happens

    def adopt(self, revision: str, instance: Instance) -> None:
        """It ran before this crew existed."""
        place = Place(revision, instance)
        self._revisions.setdefault(revision, _Revision()).places.append(place)
        self.instances[instance.id], self.revision_of[instance.id] = instance, revision
        self._places[instance.id] = place
        self._ready[revision] += instance.state is State.READY

    def ready(self, id: str, now: float) -> list[Command]:
        instance = self.instances.get(id)
        if instance is None or not instance.signal(Signal.READY):
            return []
        instance.ready_at = now
        self._ready[self.revision_of[id]] += 1
        return self.tick(now)

    def exited(self, id: str, now: float, what: str, *, ok: bool = False, more: str = "") -> list[Command]:
        """It ended, or never came to be. `what` says how, and to who checks `more`; `ok`: with exit code 0."""
        instance, place = self.instances.pop(id, None), self._places.pop(id, None)
        name = self.revision_of.pop(id, "")
        if instance is None or place is None or self.closed:
            return []
        self._ready[name] -= instance.state is State.READY
        if now - instance.created >= STABLE_AFTER:
            place.failures = 0
        wait = delay(place.failures, most=MAX_DELAY)
        place.instance, place.failures = None, place.failures + 1
        commands: list[Command] = []
        revision = self._revisions[name]
        if revision.settle is not None:
            passed = ok and instance.ready_at is not None
            commands.append(self._end_check(name, "" if passed else f"{what} {more}".strip()))
        follows = f" Another starts {f'in {wait:g} s' if wait else 'at once'}."
        stays = len(revision.places) <= self._want(revision)
        self._explain(name, f"{id[:8]} ended: {what}{follows if stays else ''}", now)
        self._queue(place, now + wait)
        return commands + self.tick(now)

    # The decision

    def tick(self, now: float) -> list[Command]:
        """Compare what is there with what should be."""
        if self.closed:
            return []
        commands: list[Command] = []
        for name, revision in self._revisions.items():
            ends = self._check_ends(name, revision)
            if ends is not None and now >= ends - _SLACK:
                commands.append(self._end_check(name, ""))
            for _ in range(self._want(revision) - len(revision.places)):
                revision.places.append(Place(name))
                self._queue(revision.places[-1], now)
        commands += self._trim(now)
        return commands + self._start(now)

    def _want(self, revision: _Revision) -> int:
        want = max(revision.want, int(revision.held or revision.settle is not None))
        if self._settled is None or not (self._settled or revision.admitted):
            # Nobody has said yet what is to become of those that are there.
            return max(want, len(revision.places))
        return want

    def _start(self, now: float) -> list[Command]:
        started: Counter[str] = Counter()
        commands: list[Command] = []
        while self._due and self._due[0][0] <= now + _SLACK:
            place = heappop(self._due)[2]
            if not _waits(place) or not self._revisions[place.revision].admitted:
                continue
            id = self._new_id()
            place.instance = self.instances[id] = Instance(id, now)
            self.revision_of[id], self._places[id] = place.revision, place
            commands.append(Start(id, place.revision))
            started[place.revision] += not place.failures
        for name, number in started.items():
            if number:
                self._explain(name, f"{self._why(name)}: {number} started", now)
        return commands

    def _trim(self, now: float) -> list[Command]:
        """Take places away where there are too many: empty ones first, then those whose instance is not ready yet.

        What is ready stays as long as instances that are wanted elsewhere are not: nothing is lost by a change.
        """
        missing = sum(max(r.want - self._ready[name], 0) for name, r in self._revisions.items())
        commands: list[Command] = []
        for name, revision in self._revisions.items():
            surplus = len(revision.places) - self._want(revision)
            unready = len(revision.places) - self._ready[name]
            stay = min(max(surplus - unready, 0), missing)
            missing -= stay
            if surplus > stay:
                revision.places.sort(key=_merit)
                chosen = [revision.places.pop() for _ in range(surplus - stay)]
                stops = [command for place in chosen for command in self._vacate(place)]
                if stops:
                    self._explain(name, f"{self._why(name)}: {len(stops)} stopped", now)
                commands += stops
        return commands

    def _vacate(self, place: Place) -> list[Command]:
        place.gone = True
        instance = place.instance
        if instance is None:
            return []
        self._ready[place.revision] -= instance.state is State.READY
        del self._places[instance.id]
        return [Stop(instance.id)] if instance.signal(Signal.STOP) else []

    def _queue(self, place: Place, at: float) -> None:
        if _waits(place):
            heappush(self._due, (at, next(self._order), place))

    def _check_ends(self, name: str, revision: _Revision) -> float | None:
        """When the check passes if nothing happens any more."""
        if revision.settle is None:
            return None
        ready = [p.instance.ready_at for p in revision.places if p.instance and p.instance.ready_at is not None]
        return min(ready) + revision.settle if ready else None

    def _end_check(self, name: str, failure: str) -> Checked:
        revision = self._revisions[name]
        revision.settle, revision.held = None, not failure
        return Checked(name, failure)

    def _why(self, name: str) -> str:
        revision = self._revisions[name]
        return "deployment check" if revision.settle is not None else revision.why

    def _explain(self, name: str, reason: str, now: float) -> None:
        self.history.append(Explained(now, name, self._want(self._revisions[name]), self._ready[name], reason))


def _waits(place: Place) -> bool:
    return place.instance is None and not place.gone


def _is_ready(place: Place) -> bool:
    return place.instance is not None and place.instance.state is State.READY


def _merit(place: Place) -> tuple[int, float]:
    """Who keeps a place: the ready, then the starting, the elder first."""
    if place.instance is None:
        return (2, 0.0)
    return (0 if _is_ready(place) else 1, place.instance.created)
