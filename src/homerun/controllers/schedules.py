"""Schedules: each attempt made when it is time, and what became of it written down.

The document is all that there is to know of a schedule (core.schedule_record): a reconciler reads it, lets the machine
decide (core.schedule), writes it, and only then attempts. An attempt that a document says is under way, and that this
process knows nothing of, was made by one before it, and nobody knows how it ended: it is made again.

There is one timer, for the earliest of all schedules. It never sleeps longer than LONGEST, because clocks are set and
laptops sleep, and no timer of the operating system's that counts seconds hears of it.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from homerun.aio.tasks import Supervisor
from homerun.core.http_attempt import INTERNAL, UNIMPLEMENTED, Outcome
from homerun.core.schedule import Attempt
from homerun.core.schedule_record import is_running, next_of, recorded, restored, text_of
from homerun.lib.clock import Clock
from homerun.model.names import last
from homerun.model.schedule import KIND, target_of
from homerun.store.base import Document, Put, Store

KINDS = frozenset({KIND})
LONGEST = 60.0
"""Seconds."""
AT_ONCE = 1000
"""Attempts under way: each has a connection. Further ones wait until one has ended."""

_log = logging.getLogger("homerun.schedules")


class AttemptLog(Protocol):
    """Who hears of attempts."""

    def attempting(self, name: str, job: Mapping[str, Any], scheduled: str) -> None: ...
    def attempted(self, name: str, job: Mapping[str, Any], outcome: Outcome) -> None: ...


Call = Callable[[Mapping[str, Any], str, str], Awaitable[Outcome]]
"""Calls an HTTP target: the job, its id, and the time that the attempt stands for (controllers.http_targets)."""


@dataclass(slots=True)
class _Flight:
    """An attempt of this process. `id`: which one of which schedule; names are used again."""

    id: tuple[str, int]
    outcome: Outcome | None = None


class Schedules:
    """`again`: to be called with a schedule that should be looked at again."""

    def __init__(self, store: Store, supervisor: Supervisor, clock: Clock, call: Call, log: AttemptLog) -> None:
        self._store, self._supervisor, self._clock = store, supervisor, clock
        self._call, self._observer = call, log
        self.again: Callable[[str], None] = lambda schedule: None
        self._flights: dict[str, _Flight] = {}
        self._due: dict[str, float] = {}
        """When each is to be looked at."""
        self._heap: list[tuple[float, str]] = []
        """The same, and what has been overtaken since."""
        self._timer: asyncio.TimerHandle | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<Schedules {len(self._due)} with a time, {len(self._flights)} attempts under way>"

    def keys(self, document: Document) -> Collection[str]:
        """Those that have something to do now. The others are only taken note of: there may be thousands."""
        if document.deleted:
            self._due.pop(document.name, None)
            return ()
        if is_running(document.internal):
            return () if document.name in self._flights else (document.name,)
        when = _seconds(next_of(document.body, document.internal))
        if when is not None and when <= self._clock.now():
            return (document.name,)
        self._plan(document.name, when)
        return ()

    async def reconcile(self, key: str) -> None:
        document = await self._store.get(KIND, key)
        flight = self._flights.get(key)
        if document is None:
            self._plan(key, None)
            self._land(key)
            return
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        schedule, body, internal = restored(document.body, document.internal), document.body, document.internal
        mine = flight is not None and flight.id == _attempt_of(document)
        if flight is not None and flight.outcome is not None and mine:
            schedule.ended(now, ok=flight.outcome.ok)
            body = {**body, "status": _status(flight.outcome)}
        start: Attempt | None = None
        if flight is None or flight.outcome is not None:
            start = schedule.running or schedule.tick(now)
        if start is not None:
            body = {**body, "lastAttemptTime": text_of(now)}
            internal = {**internal, "attempts": internal.get("attempts", 0) + 1}
        body, internal = recorded(schedule, body, internal)
        if (body, internal) != (document.body, document.internal):
            [document] = await self._store.apply(Put(KIND, key, body, internal, if_version=document.version))
        self._land(key)
        # The end of an attempt is news of its own.
        self._plan(key, None if key in self._flights else _seconds(schedule.next))
        if start is not None:
            self._launch(document, start)

    def close(self) -> None:
        """Nothing happens from here on. Attempts end with the supervisor."""
        if self._timer is not None:
            self._timer.cancel()
        self._due.clear()
        self._heap.clear()

    # Attempts

    def _launch(self, document: Document, attempt: Attempt) -> None:
        flight = _Flight(_attempt_of(document))
        self._flights[document.name] = flight
        self._supervisor.spawn(self._fly(flight, document, text_of(attempt.scheduled)), name=f"attempt {document.name}")

    async def _fly(self, flight: _Flight, document: Document, scheduled: str) -> None:
        name, job = document.name, document.body
        async with self._slots:
            self._observer.attempting(name, job, scheduled)
            outcome = await self._attempt(name, job, scheduled)
            self._observer.attempted(name, job, outcome)
        flight.outcome = outcome
        self.again(name)

    async def _attempt(self, name: str, job: Mapping[str, Any], scheduled: str) -> Outcome:
        if target_of(job) != "httpTarget":
            return Outcome(UNIMPLEMENTED, "Pub/Sub is not part of homerun yet: give the schedule an httpTarget")
        try:
            return await self._call(job, last(name), scheduled)
        except Exception as error:  # a bug of ours must not stop the schedule
            _log.error("an attempt of %s failed", name, exc_info=error)
            return Outcome(INTERNAL, f"homerun failed at this: {type(error).__name__}; its log has the details")

    def _land(self, key: str) -> None:
        """What became of the attempt is written down, or nobody's business any more."""
        flight = self._flights.get(key)
        if flight is not None and flight.outcome is not None:
            del self._flights[key]

    # Time

    def _plan(self, key: str, when: float | None) -> None:
        if when is None:
            self._due.pop(key, None)
        elif self._due.get(key) != when:
            self._due[key] = when
            heapq.heappush(self._heap, (when, key))
            if self._heap[0] == (when, key):
                self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._heap:
            left = self._heap[0][0] - self._clock.now()
            self._timer = asyncio.get_running_loop().call_later(min(max(left, 0), LONGEST), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                self.again(key)
        self._arm()


def _attempt_of(document: Document) -> tuple[str, int]:
    """Which attempt of which schedule its last one is."""
    return document.internal["uid"], document.internal.get("attempts", 0)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _status(outcome: Outcome) -> dict[str, Any]:
    """As google.rpc.Status."""
    return {} if outcome.ok else {"code": outcome.code, "message": outcome.message}
