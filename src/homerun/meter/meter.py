"""What each service, job and worker pool has used, by the rules of Cloud Run's bill (contract §6), day by day.

Nothing is lost when control is killed, and nothing counted twice:

- What an instance cost by itself is booked when it has ended, before the engine forgets it; if the engine tells of it
  again, it is known. What still runs is worked out when somebody asks.
- The time with requests comes from the routers as a counter that only rises; how far it was read is written together
  with what was booked for it. While control is away the routers count on.
- What an execution cost is a document (a Charge) that its controller writes in the transaction of its end; `fold` makes
  it a part of the day, in one transaction as well.
- What the minimum keeps is booked from the time of the last look, which is written too.

A revision may be gone before its last instance has ended and its last request is told, and control be killed in
between: so a label of the instance says at which rate it is billed, and a Reading outlives its revision for a while.

Kinds of documents: `UsedDay` (`DAY/OWNER`), `Usage` (OWNER, of all time), `Reading` (a revision's counters).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from homerun.aio.tasks import Supervisor
from homerun.core import billing
from homerun.core.billed import Billed
from homerun.core.billing import Amount, ByDay, Kept, Life, Rate, Used
from homerun.core.invoice import Line
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.store.base import Delete, Put, Store, Write
from homerun.store.walk import walk
from homerun.wire.link import Usage

_log = logging.getLogger("homerun.meter")
FLUSH_EVERY = 5.0
KEEP_DAYS = 400
"""Days whose bills can be asked for: a year, and the month before it."""
_REMEMBERED = 200
_GONE = 100
"""Revisions that are gone and whose readings are kept: more than can have instances that end, and words to come."""
_PAGE = 500


@dataclass(slots=True)
class Reading:
    """Of one revision: how far what is counted elsewhere is on the bill."""

    billed: Billed | None
    """None: it was written before this was kept."""
    counters: dict[str, list[int]] = field(default_factory=dict)
    """Milliseconds and requests by counter of a router; the last two."""
    lives: list[str] = field(default_factory=list)
    """The last instances whose lives are booked."""
    kept: Kept | None = None

    @classmethod
    def parse(cls, revision: str, body: Mapping[str, Any]) -> Reading:
        billed = Billed.parse(revision, body["billed"]) if body.get("billed") else None
        kept = Kept(*body["kept"]) if body.get("kept") else None
        return cls(billed, dict(body["counters"]), list(body["lives"]), kept)

    def body(self) -> dict[str, Any]:
        kept = [self.kept.count, self.kept.since] if self.kept is not None else None
        billed = self.billed.label if self.billed is not None else None
        return {"billed": billed, "counters": dict(self.counters), "lives": list(self.lives), "kept": kept}


class Meter:
    def __init__(self, store: Store, supervisor: Supervisor, clock: Clock) -> None:
        self._store, self._supervisor, self._clock = store, supervisor, clock
        self._totals: dict[str, Used] = {}
        self._readings: dict[str, Reading] = {}
        self._pending: dict[str, ByDay] = {}
        """Booked, and not written yet, by owner."""
        self._stale: set[str] = set()
        """Revisions whose reading is not as it is written."""
        self._gone: dict[str, None] = {}
        """Revisions that are no more; their last words may still come."""
        self._unseen: set[str] = set()
        """Revisions of which it is not known yet what is left of what the minimum kept before control started."""
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        """Whoever finds nothing to write knows that it is durable, not that it is under way."""
        self._pruned = ""

    async def open(self, revisions: Container[str]) -> None:
        """`revisions`: those that exist."""
        for document in await self._store.list("Usage"):
            if "used" in document.body:
                self._totals[document.name] = billing.decode(document.body["used"])
        for document in await self._store.list("Reading"):
            self._readings[document.name] = Reading.parse(document.name, document.body)
        self._unseen = set(self._readings)
        for revision in [name for name in self._readings if name not in revisions]:
            self._bury(revision)

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()

    async def close(self) -> None:
        self.stop()
        await self._flush()
        self.stop()

    def totals(self, owner: str) -> Used:
        """All that a service, a job or a worker pool has used, without what `running` says."""
        return dict(self._totals.get(owner, {}))

    # What the data plane's capacity and the crews report (controllers.capacity.Metering, controllers.crews.Metering)

    def used(self, billed: Billed, usage: Usage) -> None:
        """The counter's rise since it was last read: of one that was never seen, all of it."""
        reading = self._reading(billed)
        before = reading.counters.pop(usage.counter, [0, 0])
        ms, requests = usage.billed - before[0], usage.answered - before[1]
        reading.counters[usage.counter] = [usage.billed, usage.answered]
        while len(reading.counters) > 2:
            del reading.counters[next(iter(reading.counters))]
        if billed.rate is Rate.REQUEST:
            self._settle(billed, reading, self._clock.now(), ms)
            if ms or requests:
                self._book_now(billed, Rate.REQUEST, billing.amount(ms, billed.size, requests))
        elif requests:
            self._book_now(billed, Rate.INSTANCE, Amount(requests=requests))

    def late(self, usage: Usage) -> None:
        """Likewise, of a revision that is gone."""
        reading = self._readings.get(usage.revision)
        if reading is not None and reading.billed is not None:
            self.used(reading.billed, usage)

    def kept(self, billed: Billed, count: int) -> None:
        """From now on the minimum keeps so many instances."""
        revision, now = billed.revision, self._clock.now()
        self._gone.pop(revision, None)
        if count == 0 and (revision not in self._readings or self._readings[revision].kept is None):
            return
        reading = self._reading(billed)
        if reading.kept is not None:
            if revision in self._unseen:
                # What was there before control started, and is not now, went who knows when.
                reading.kept = Kept(min(reading.kept.count, count), reading.kept.since)
            self._settle(billed, reading, now)
        self._unseen.discard(revision)
        reading.kept = Kept(count, round(now * 1000)) if count and billed.rate is Rate.REQUEST else None
        self._mark(revision)

    async def ended(self, billed: Billed, instance: str, life: Life) -> None:
        reading = self._reading(billed)
        if instance not in reading.lives:
            reading.lives = [*reading.lives[1 - _REMEMBERED :], instance]
            booked: ByDay = {}
            billing.book_life(booked, billed.rate, billed.size, life)
            self._book(billed.owner, booked)
            if billed.revision in self._gone:
                self._let_go(billed, reading, life)
            self._mark(billed.revision)
        while not await self._flush():  # noqa: ASYNC110 (a disk has no event for us)
            await asyncio.sleep(FLUSH_EVERY)

    def gone(self, billed: Billed) -> None:
        """Its revision is no more. Its last words may follow, and control may be killed before they do."""
        self._reading(billed)
        self._bury(billed.revision)

    def running(self, billed: Billed, lives: Iterable[Life]) -> ByDay:
        """What those add to the bill that have not ended yet, and what the minimum keeps since the last look."""
        booked: ByDay = {}
        for life in lives:
            billing.book_life(booked, billed.rate, billed.size, life)
        reading = self._readings.get(billed.revision)
        if reading is not None and reading.kept is not None:
            _, parts = reading.kept.until(self._clock.now())
            for day, ms in parts:
                billing.add(booked, day, Rate.IDLE, billing.amount(ms, billed.size))
        return booked

    # The history

    async def lines(self, since: str, until: str) -> list[Line]:
        """What was used from the first day of the month of `since` to before `until`, without what `running` says."""
        found: dict[tuple[str, str], Used] = {}
        async with self._writing:
            async for day, owner, used in self._days(since[:7], until):
                billing.merge(found.setdefault((day, owner), {}), used)
            for charge in await self._store.list("Charge"):
                _collect(found, charge.body["owner"], _days_of(charge.body), since[:7], until)
            for owner, days in self._pending.items():
                _collect(found, owner, days, since[:7], until)
        return [Line(day, owner, used) for (day, owner), used in sorted(found.items())]

    async def _days(self, since: str, until: str) -> AsyncIterator[tuple[str, str, Used]]:
        async for document in walk(self._store, "UsedDay", after=since):
            day, _, owner = document.name.partition("/")
            if day >= until:
                return
            yield day, owner, billing.decode(document.body)

    async def fold(self, name: str) -> None:
        """A Charge becomes a part of its owner's days."""
        async with self._writing:
            document = await self._store.get("Charge", name)
            if document is None:
                return
            owner, days = document.body["owner"], _days_of(document.body)
            before = self._totals.get(owner, {})
            self._totals[owner] = dict(before)
            billing.gather(self._totals[owner], days)
            try:
                await self._store.apply(*await self._writes({owner: days}), Delete("Charge", name))
            except BaseException:
                self._totals[owner] = before
                raise

    # Inside

    def _reading(self, billed: Billed) -> Reading:
        reading = self._readings.setdefault(billed.revision, Reading(billed))
        reading.billed = billed
        return reading

    def _bury(self, revision: str) -> None:
        self._gone[revision] = None
        if len(self._gone) > _GONE:
            first = next(iter(self._gone))
            del self._gone[first]
            self._readings.pop(first, None)
            self._mark(first)
        self._mark(revision)

    def _let_go(self, billed: Billed, reading: Reading, life: Life) -> None:
        """The minimum kept it until now: control was killed before it could say that it does so no longer."""
        if reading.kept is not None:
            self._settle(billed, reading, life.started + life.lived)
            reading.kept = Kept(reading.kept.count - 1, reading.kept.since) if reading.kept.count > 1 else None

    def _settle(self, billed: Billed, reading: Reading, until: float, busy: int = 0) -> None:
        if reading.kept is None:
            return
        reading.kept, parts = reading.kept.until(until, busy)
        booked: ByDay = {}
        for day, ms in parts:
            billing.add(booked, day, Rate.IDLE, billing.amount(ms, billed.size))
        self._book(billed.owner, booked)
        self._mark(billed.revision)

    def _book_now(self, billed: Billed, rate: Rate, more: Amount) -> None:
        self._book(billed.owner, {billing.day_of(self._clock.now()): {rate: more}})
        self._mark(billed.revision)

    def _book(self, owner: str, days: ByDay) -> None:
        billing.merge_days(self._pending.setdefault(owner, {}), days)
        billing.gather(self._totals.setdefault(owner, {}), days)

    def _mark(self, revision: str) -> None:
        self._stale.add(revision)
        self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_EVERY, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._supervisor.spawn(self._flush(), name="flush usage")

    async def _flush(self) -> bool:
        """All that was booked before is durable now. False: it could not be written. It will be, with what comes."""
        async with self._writing:
            pending, self._pending = self._pending, {}
            stale, self._stale = self._stale, set()
            readings = [self._reading_write(revision) for revision in sorted(stale)]
            try:
                if writes := [*await self._writes(pending), *readings]:
                    await self._store.apply(*writes)
            except BaseException as error:
                self._keep(pending, stale)
                if not isinstance(error, HomerunError):
                    raise
                _log.error("what was used cannot be written: %s", error.message)
                self._start_timer()
                return False
            with suppress(HomerunError):  # it is tried again with the next
                await self._prune()
            return True

    def _keep(self, pending: Mapping[str, ByDay], stale: set[str]) -> None:
        """For the next time."""
        for owner, days in pending.items():
            billing.merge_days(self._pending.setdefault(owner, {}), days)
        self._stale |= stale

    def _reading_write(self, revision: str) -> Write:
        reading = self._readings.get(revision)
        return Delete("Reading", revision) if reading is None else Put("Reading", revision, reading.body())

    async def _writes(self, booked: Mapping[str, ByDay]) -> list[Write]:
        # The totals first: what is booked while we read is not in them.
        writes: list[Write] = [
            Put("Usage", owner, {"used": billing.encode(self._totals[owner])}) for owner, days in booked.items() if days
        ]
        for owner, days in booked.items():
            for day, used in days.items():
                name = f"{day}/{owner}"
                stored = await self._store.get("UsedDay", name)
                sums = billing.decode(stored.body) if stored is not None else {}
                billing.merge(sums, used)
                writes.append(Put("UsedDay", name, billing.encode(sums)))
        return writes

    async def _prune(self) -> None:
        """Once a day: what is older than anybody may ask for."""
        today = billing.day_of(self._clock.now())
        if today == self._pruned:
            return
        first = (date.fromisoformat(today) - timedelta(days=KEEP_DAYS)).isoformat()
        while old := [d for d in await self._store.list("UsedDay", limit=_PAGE) if d.name < first]:
            await self._store.apply(*(Delete("UsedDay", document.name) for document in old))
        self._pruned = today


def _days_of(charge: Mapping[str, Any]) -> ByDay:
    return {day: billing.decode(used) for day, used in charge["days"].items()}


def _collect(found: dict[tuple[str, str], Used], owner: str, days: ByDay, since: str, until: str) -> None:
    for day, used in days.items():
        if since <= day < until:
            billing.merge(found.setdefault((day, owner), {}), used)
