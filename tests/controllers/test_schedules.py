"""Schedules in virtual time: each attempt made when it is time, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from homerun.aio.tasks import Supervisor
from homerun.controllers.loop import Loop
from homerun.controllers.schedules import KINDS, LONGEST, Schedules
from homerun.core.http_attempt import OK, UNAVAILABLE, Outcome
from homerun.core.schedule_record import recorded, restored
from homerun.lib.timestamps import from_rfc3339
from homerun.model.schedule import KIND, completed
from homerun.store.base import Delete, Document, Put, Store
from homerun.store.memory import MemoryStore
from tests.support.clock import EPOCH, LoopClock
from tests.support.control import SlowStore

pytestmark = pytest.mark.looptime

NAME = "projects/p/locations/l/jobs/nightly"
MINUTE = 60.0
DAWN = EPOCH - EPOCH % 600 + 600
"""The first time that all of these schedules have."""
GOOD, BAD = Outcome(OK, "", 200), Outcome(UNAVAILABLE, "the target answered with HTTP status 503", 503)


class Rig:
    """The controller, with a target that takes `takes` seconds to answer with `outcome`."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self.store, self.clock = store, LoopClock()
        self.called: list[tuple[float, str, str]] = []
        """When, which, and for what time."""
        self.logged: list[tuple[str, Any]] = []
        self.outcome, self.takes = GOOD, 0.0
        self.under_way = self.most = 0
        self.schedules = Schedules(store, supervisor, self.clock, self._call, self)

    async def _call(self, job: Mapping[str, Any], id: str, scheduled: str) -> Outcome:
        self.called.append((round(self.clock.now() - DAWN), id, scheduled))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.under_way -= 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def attempting(self, name: str, job: Mapping[str, Any], scheduled: str) -> None:
        self.logged.append((name, scheduled))

    def attempted(self, name: str, job: Mapping[str, Any], outcome: Outcome) -> None:
        self.logged.append((name, outcome.code))

    @property
    def times(self) -> list[float]:
        """Seconds after DAWN at which it was called."""
        return [when for when, _, _ in self.called]

    async def put(self, name: str = NAME, schedule: str = "*/10 * * * *", **fields: Any) -> None:
        body = completed({"schedule": schedule, "httpTarget": {"uri": "http://a.test/"}, **fields})
        made = restored({**body, "state": "ENABLED"}, {})
        made.start(self.now)
        body, internal = recorded(made, body, {"uid": f"{name} {self.clock.now()}"})
        await self.store.apply(Put(KIND, name, body, internal))

    async def act(self, do: str, name: str = NAME) -> None:
        document = await self.get(name)
        schedule = restored(document.body, document.internal)
        getattr(schedule, do)(*([] if do == "pause" else [self.now]))
        body, internal = recorded(schedule, document.body, document.internal)
        await self.store.apply(Put(KIND, name, body, internal, if_version=document.version))

    async def get(self, name: str = NAME) -> Document:
        found = await self.store.get(KIND, name)
        assert found is not None
        return found

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    async def until(self, seconds: float) -> None:
        """So many seconds after DAWN, and a moment for what happens then."""
        await asyncio.sleep(max(DAWN + seconds - self.clock.now(), 0) + 0.5)


@asynccontextmanager
async def rig(store: Store | None = None) -> AsyncIterator[Rig]:
    """Its end is a crash: nothing is finished."""
    supervisor = Supervisor()
    made = Rig(store or SlowStore(), supervisor)
    loop = Loop("schedules", made.store, KINDS, made.schedules.keys, made.schedules.reconcile)
    made.schedules.again = loop.look_at
    loop.start(supervisor)
    try:
        yield made
    finally:
        await loop.close()
        made.schedules.close()
        await supervisor.close()


async def test_it_attempts_when_it_is_time_and_says_what_came_of_it() -> None:
    async with rig() as r:
        await r.put()
        await r.until(-1)
        assert r.called == []
        await r.until(0)
        assert r.called == [(0, "nightly", "2023-11-14T22:20:00.000000Z")]
        body = (await r.get()).body
        assert (body["state"], body["status"], body["scheduleTime"]) == ("ENABLED", {}, "2023-11-14T22:30:00.000000Z")
        assert 0 <= from_rfc3339(body["lastAttemptTime"]) - DAWN < 0.1
        await r.until(20 * MINUTE)
        assert r.times == [0, 600, 1200]
        assert r.logged[:2] == [(NAME, "2023-11-14T22:20:00.000000Z"), (NAME, OK)]


async def test_a_failure_is_told_and_retried() -> None:
    async with rig() as r:
        r.outcome = BAD
        await r.put(retryConfig={"retryCount": 2, "minBackoffDuration": "10s"})
        await r.until(0)
        body = (await r.get()).body
        assert body["status"] == {"code": UNAVAILABLE, "message": "the target answered with HTTP status 503"}
        assert 10 <= from_rfc3339(body["scheduleTime"]) - DAWN < 11
        await r.until(9 * MINUTE)
        assert r.times == [0, 10, 30]
        assert {scheduled for *_, scheduled in r.called} == {"2023-11-14T22:20:00.000000Z"}
        r.outcome = GOOD
        await r.until(10 * MINUTE)
        assert (await r.get()).body["status"] == {}


async def test_attempts_never_overlap_and_what_was_late_is_made_up_for_once() -> None:
    async with rig() as r:
        r.takes = 25 * MINUTE
        await r.put()
        await r.until(0)
        assert "status" not in (await r.get()).body
        await r.until(60 * MINUTE)
        assert (r.most, [round(time / 60) for time in r.times]) == (1, [0, 25, 50])


async def test_killed_in_the_midst_of_an_attempt_it_is_made_again() -> None:
    store = SlowStore()
    async with rig(store) as r:
        r.takes = 5 * MINUTE
        await r.put()
        await r.until(2 * MINUTE)
        assert r.times == [0]
    async with rig(store) as r:
        await r.until(3 * MINUTE)
        assert [scheduled for *_, scheduled in r.called] == ["2023-11-14T22:20:00.000000Z"]
        assert (await r.get()).body["status"] == {}
        await r.until(10 * MINUTE)
        assert len(r.called) == 2


async def test_what_was_missed_while_nobody_was_there_is_made_up_for_once() -> None:
    store = SlowStore()
    async with rig(store) as r:
        await r.put()
    await asyncio.sleep(65 * MINUTE)
    async with rig(store) as r:
        await asyncio.sleep(1)
        assert [scheduled for *_, scheduled in r.called] == ["2023-11-14T22:20:00.000000Z"]
        assert (await r.get()).body["scheduleTime"] == "2023-11-14T23:20:00.000000Z"


async def test_retries_go_on_after_a_restart() -> None:
    store = SlowStore()
    async with rig(store) as r:
        r.outcome = BAD
        await r.put(retryConfig={"retryCount": 2, "minBackoffDuration": "30s"})
        await r.until(1)
    async with rig(store) as r:
        r.outcome = BAD
        await r.until(9 * MINUTE)
        assert r.times == [30, 90]


async def test_paused_it_rests_and_resumed_it_goes_on() -> None:
    async with rig() as r:
        await r.put()
        await r.act("pause")
        await r.until(25 * MINUTE)
        assert r.called == []
        await r.act("resume")
        await r.until(30 * MINUTE)
        assert r.times == [1800]


@pytest.mark.parametrize("paused", [False, True])
async def test_asked_for_it_attempts_at_once_also_after_a_crash(paused: bool) -> None:
    store = SlowStore()
    async with rig(store) as r:
        await r.put()
        if paused:
            await r.act("pause")
        planned = (await r.get()).body.get("scheduleTime")
        await r.act("force")
    async with rig(store) as r:
        await asyncio.sleep(1)
        assert len(r.called) == 1
        body = (await r.get()).body
        assert (body["state"], body.get("scheduleTime")) == ("PAUSED" if paused else "ENABLED", planned)


async def test_deleted_while_an_attempt_is_under_way_that_ends_and_nothing_comes_of_it() -> None:
    async with rig() as r:
        r.takes = MINUTE
        await r.put()
        await r.until(1)
        await r.store.apply(Delete(KIND, NAME))
        await r.until(20 * MINUTE)
        assert r.times == [0] and r.logged[-1] == (NAME, OK)
        assert await r.store.get(KIND, NAME) is None
        assert repr(r.schedules) == "<Schedules 0 with a time, 0 attempts under way>"


async def test_its_namesake_waits_for_the_end_of_that_attempt_and_does_not_inherit_it() -> None:
    async with rig() as r:
        r.takes = 15 * MINUTE
        await r.put()
        await r.until(1)
        await r.store.apply(Delete(KIND, NAME))
        await r.put()
        r.outcome = BAD
        await r.until(12 * MINUTE)
        assert r.times == [0]
        assert "status" not in (await r.get()).body
        await r.until(16 * MINUTE)
        assert (r.most, [round(time / 60) for time in r.times]) == (1, [0, 15])
        assert "status" not in (await r.get()).body


async def test_changed_while_an_attempt_is_under_way_both_count() -> None:
    async with rig() as r:
        r.takes = MINUTE
        await r.put()
        await r.until(1)
        document = await r.get()
        body = {**document.body, "description": "new"}
        await r.store.apply(Put(KIND, NAME, body, document.internal, if_version=document.version))
        await r.until(2 * MINUTE)
        body = (await r.get()).body
        assert (body["description"], body["status"]) == ("new", {})


async def test_a_pubsub_target_fails_and_says_why() -> None:
    async with rig() as r:
        document = completed({"schedule": "*/10 * * * *", "pubsubTarget": {"topicName": "projects/p/topics/news"}})
        made = restored({**document, "state": "ENABLED"}, {})
        made.start(r.now)
        body, internal = recorded(made, document, {"uid": "u"})
        await r.store.apply(Put(KIND, NAME, body, internal))
        await r.until(0)
        assert "Pub/Sub is not part of homerun yet" in (await r.get()).body["status"]["message"]


async def test_a_bug_fails_the_attempt_and_stops_no_schedule() -> None:
    async with rig() as r:
        r.outcome = ZeroDivisionError("no")  # type: ignore[assignment]
        await r.put()
        await r.until(10 * MINUTE)
        assert r.times == [0, 600]
        assert "ZeroDivisionError" in (await r.get()).body["status"]["message"]


async def test_a_clock_that_is_set_is_noticed_within_a_minute() -> None:
    """As after the sleep of a laptop: no timer has run meanwhile, and it is later than that."""
    async with rig() as r:
        await r.put(schedule="0 9 * * *")
        await asyncio.sleep(1)
        r.clock.now = lambda: EPOCH + 12 * 3600 + asyncio.get_running_loop().time()  # type: ignore[method-assign]
        await asyncio.sleep(LONGEST + 1)
        assert len(r.called) == 1


async def test_ten_thousand_schedules_wait_for_one_timer() -> None:
    async with rig(MemoryStore()) as r:
        for minute in range(50):
            await r.put(f"{NAME}-{minute}", schedule=f"{minute} 4 * * *")
        made = [await r.get(f"{NAME}-{minute}") for minute in range(50)]
        await r.store.apply(
            *(
                Put(
                    KIND, f"{NAME}-{minute}-{number}", document.body, {**document.internal, "uid": f"{minute} {number}"}
                )
                for minute, document in enumerate(made)
                for number in range(199)
            )
        )
        await asyncio.sleep(1)
        assert repr(r.schedules) == "<Schedules 10000 with a time, 0 attempts under way>"
        assert len(asyncio.get_running_loop()._scheduled) < 10  # type: ignore[attr-defined]  # its timers
        four = -(DAWN % 86400) + 86400 + 4 * 3600
        await r.until(four + MINUTE)
        assert len(r.called) == len({id for _, id, _ in r.called}) == 400
        assert {time - four for time in r.times} == {0, 60}
