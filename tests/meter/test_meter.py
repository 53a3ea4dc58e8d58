"""What is on the books, on the whole control process in virtual time, through restarts and kills of it."""

import asyncio
from typing import Any

import pytest

from homerun.apis.homerun.insight import Span
from homerun.core.billing import day_of
from homerun.daemon.insight import DaemonInsight
from homerun.engine.base import Exit
from homerun.engine.fake.script import Script
from homerun.meter import meter
from homerun.model import labels
from homerun.store.base import Delete, Put
from homerun.wire.link import Usage
from tests.controllers.test_capacity import HELLO, deployed
from tests.support.api import LOCATION, api
from tests.support.builders import IMAGE, service_put
from tests.support.control import FullStore, World, world

pytestmark = pytest.mark.looptime

ALWAYS = [{"image": IMAGE, "resources": {"cpuIdle": False}}]
SERVICE, CREW, JOB = (f"{LOCATION}/{name}" for name in ("services/hello", "workerPools/crew", "jobs/work"))


class Router:
    """Reports of one revision, with a counter as a router has it."""

    def __init__(self, revision: str, counter: str = "first") -> None:
        self.revision, self.counter, self.billed, self.answered = revision, counter, 0, 0

    def report(self, w: World, seconds: float = 0, requests: int = 0) -> None:
        self.billed += round(seconds * 1000)
        self.answered += requests
        w.router.say(Usage(self.revision, 0, 0, 0, 0, requests, [], self.counter, self.billed, self.answered))


async def cost(w: World) -> dict[str, Any]:
    """Of the only service so far, with what runs."""
    return dict((await DaemonInsight(w.control, lambda: None, "").explain_service(HELLO))["cost"])


async def seconds(w: World) -> float:
    return float((await cost(w))["billableSeconds"])


async def bill(w: World, by: str = "resource", **span: Any) -> dict[str, dict[str, Any]]:
    """Its rows by name."""
    view = await DaemonInsight(w.control, lambda: None, "").bill(Span(by=by, **span))
    return {row["name"]: dict(row) for row in view["rows"]}


def again(before: World, **settings: Any) -> Any:
    return world(store=before.store, engine=before.engine, **settings)


async def test_by_request_the_start_the_requests_and_the_end_are_billed() -> None:
    script = Script(start=0.42, ready=0.5, stop_after=1.23)
    async with world({IMAGE: script}, idle_timeout=5) as w:
        router = Router(await deployed(w))
        assert await seconds(w) == pytest.approx(1.0), "0.92 until it was ready"
        router.report(w, seconds=0.5, requests=3)
        await asyncio.sleep(3)
        assert await seconds(w) == pytest.approx(1.5)
        await w.until(lambda: not w.engine.instances())
        assert await seconds(w) == pytest.approx(1.5 + 1.3)
        assert (await cost(w))["requests"] == 3


async def test_a_start_that_fails_is_billed_as_well() -> None:
    async with world({IMAGE: Script(exit_after=2.51, ready=100, exit=None, probe_failure="no")}) as w:
        await w.store.apply(service_put(containers=[{"image": IMAGE, "startupProbe": {
            "tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 3}}]))  # fmt: skip
        await w.until(lambda: not w.engine.instances() and w.control.meter.totals(HELLO))
        assert 1 <= await seconds(w) <= 60


async def test_by_instance_the_whole_life_is_billed_while_it_lasts_and_when_it_ended() -> None:
    async with world({IMAGE: Script(stop_after=2)}, idle_timeout=60) as w:
        await deployed(w, containers=ALWAYS)
        [instance] = w.engine.instances()
        await asyncio.sleep(30)
        assert await seconds(w) == 60, "at least a minute"
        row = (await bill(w, minimum=False))[HELLO]
        assert row["billableSeconds"] == pytest.approx(w.control.clock.now() - instance.started, abs=0.2)
        await w.until(lambda: not w.engine.instances())
        billed = await seconds(w)
        assert 60 < billed < 70
        await asyncio.sleep(60)
        assert await seconds(w) == billed


async def test_a_restart_of_control_forgets_no_second_of_a_life() -> None:
    async with world(stop_instances=False, idle_timeout=600) as before:
        await deployed(before, containers=ALWAYS)
        await asyncio.sleep(100)
    async with again(before, idle_timeout=600) as w:
        assert 100 <= await seconds(w) < 102
        [instance] = w.engine.instances()
        w.engine.kill(instance.id)
        await asyncio.sleep(1)
        assert 100 <= await seconds(w) < 102


@pytest.mark.parametrize("containers", [ALWAYS, [{"image": IMAGE}]], ids=["by instance", "by request"])
async def test_a_life_that_ended_while_nobody_watched_is_billed_once(containers: list[dict[str, Any]]) -> None:
    async with world({IMAGE: Script(ready=0.5)}, stop_instances=False, idle_timeout=600) as before:
        await deployed(before, containers=containers)
        await asyncio.sleep(100)
        expected = await seconds(before)
    [instance] = before.engine.instances()
    before.engine.kill(instance.id)
    await asyncio.sleep(50)
    # The engine is asked to forget it and does not get to it before control is killed once more.
    remove, before.engine.remove = before.engine.remove, lambda id: asyncio.sleep(9999)  # type: ignore[assignment,method-assign]
    async with again(before, stop_instances=False, idle_timeout=600) as w:
        await asyncio.sleep(1)
        assert await seconds(w) == pytest.approx(expected, abs=0.2)
        booked = await seconds(w)
    before.engine.remove = remove  # type: ignore[method-assign]
    async with again(before, idle_timeout=600) as w:
        await asyncio.sleep(1)
        assert await seconds(w) == booked
        assert instance.id not in {state.id for state in w.engine.instances()}


@pytest.mark.parametrize("after", [0.0, 0.5, 4.9, 5.5, 30.0])
async def test_a_kill_of_control_loses_nothing_that_the_routers_count(after: float) -> None:
    """However long before it they had told, and whether or not that was written."""
    async with world(stop_instances=False, idle_timeout=600) as before:
        router = Router(await deployed(before))
        started = await seconds(before)
        router.report(before, seconds=7.5, requests=70)
        await asyncio.sleep(10)
        router.report(before, seconds=2.5, requests=30)
        await asyncio.sleep(after)
    router.billed, router.answered = router.billed + 1000, router.answered + 1
    async with again(before, idle_timeout=600) as w:
        router.report(w)
        assert await seconds(w) == pytest.approx(started + 11)
        assert (await cost(w))["requests"] == 101
        assert (await bill(w))[HELLO]["requests"] == 101


async def test_a_new_router_counts_from_nothing_and_is_not_taken_for_the_old_one() -> None:
    async with world(idle_timeout=600) as w:
        revision = await deployed(w)
        started = await seconds(w)
        old, new = Router(revision), Router(revision, "second")
        old.report(w, seconds=10, requests=10)
        new.report(w, seconds=1, requests=1)
        old.report(w, seconds=1, requests=1)
        new.report(w, seconds=1, requests=1)
        assert await seconds(w) == pytest.approx(started + 13)


async def test_the_last_words_of_a_deleted_service_are_on_its_bill() -> None:
    async with api({}) as made:
        w = made.world
        await made.deploy()
        [state] = w.engine.instances()
        router = Router(state.labels[labels.REVISION])
        router.report(w, seconds=3, requests=1)
        await made.done(await made("DELETE", f"/v2/{SERVICE}"))
        await w.until(lambda: not w.engine.instances() and not w.control.capacity.groups)
        router.report(w, seconds=2, requests=1)
        await asyncio.sleep(20)
        row = (await bill(w))[SERVICE]
        assert row["requests"] == 2 and row["billableSeconds"] > 5
        assert await w.store.list("Usage") != []


async def delete_behind(before: World) -> None:
    """As if control had been killed between the deletion of the service and the end of its instances."""
    revisions = [document.name for document in await before.store.list("Revision")]
    await before.store.apply(Delete("Service", HELLO), *(Delete("Revision", name) for name in revisions))


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "ended"])
@pytest.mark.parametrize("containers", [ALWAYS, [{"image": IMAGE}]], ids=["by instance", "by request"])
async def test_a_life_whose_service_is_gone_is_billed_once(containers: list[dict[str, Any]], alive: bool) -> None:
    async with world({IMAGE: Script(ready=0.5, stop_after=2)}, stop_instances=False, idle_timeout=600) as before:
        await deployed(before, containers=containers)
        await asyncio.sleep(100)
        expected = await seconds(before)
    await delete_behind(before)
    [instance] = before.engine.instances()
    if not alive:
        before.engine.kill(instance.id)
        await asyncio.sleep(50)
    remove, before.engine.remove = before.engine.remove, lambda id: asyncio.sleep(9999)  # type: ignore[assignment,method-assign]
    async with again(before, stop_instances=False) as w:
        await asyncio.sleep(10)
        billed = (await bill(w))[HELLO]["billableSeconds"]
        assert billed == pytest.approx(expected + (2 if alive else 0), abs=0.2), "with its end"
    before.engine.remove = remove  # type: ignore[method-assign]
    async with again(before) as w:
        await asyncio.sleep(10)
        assert (await bill(w))[HELLO]["billableSeconds"] == billed
        assert w.engine.instances() == []


async def test_an_instance_of_a_deleted_worker_pool_is_billed_though_control_was_killed() -> None:
    async with api({IMAGE: Script(stop_after=2)}, stop_instances=False) as made:
        await made.deploy_pool("crew", IMAGE)
        await asyncio.sleep(100)
        before = made.world
        expected = (await bill(before))[CREW]["billableSeconds"]
    revisions = [document.name for document in await before.store.list("Revision")]
    await before.store.apply(Delete("WorkerPool", CREW), *(Delete("Revision", name) for name in revisions))
    async with again(before) as w:
        await asyncio.sleep(10)
        assert (await bill(w))[CREW]["billableSeconds"] == pytest.approx(expected + 2, abs=0.2)
        assert w.engine.instances() == []


async def test_the_last_words_of_a_deleted_service_are_heard_by_the_next_control() -> None:
    async with world(stop_instances=False, idle_timeout=600) as before:
        router = Router(await deployed(before))
        router.report(before, seconds=3, requests=1)
        await asyncio.sleep(10)
        expected = (await bill(before))[HELLO]["billableSeconds"]
    await delete_behind(before)
    before.engine.kill(before.engine.instances()[0].id)
    async with again(before) as w:
        router.report(w, seconds=2, requests=1)
        await asyncio.sleep(10)
        row = (await bill(w))[HELLO]
        assert (row["requests"], row["billableSeconds"]) == (2, pytest.approx(expected + 2))


async def test_what_a_minimum_kept_of_a_deleted_service_is_billed_until_the_instance_ended() -> None:
    async with world(stop_instances=False) as before:
        await deployed(before, scaling={"minInstanceCount": 1})
        await asyncio.sleep(100)
        expected = (await bill(before))[HELLO]["idleSeconds"]
    await delete_behind(before)
    await asyncio.sleep(50)
    before.engine.kill(before.engine.instances()[0].id)
    await asyncio.sleep(1000)
    async with again(before) as w:
        await asyncio.sleep(10)
        assert (await bill(w))[HELLO]["idleSeconds"] == pytest.approx(expected + 50, abs=1)


async def test_what_is_kept_of_deleted_revisions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_GONE", 2)
    async with api({}) as made:
        for number in range(4):
            await made.deploy(f"hello-{number}")
            await made.done(await made("DELETE", f"/v2/{SERVICE}-{number}"))
            await made.world.until(lambda: not made.world.control.capacity.groups)
        await asyncio.sleep(20)
        kept = {document.name.split("/")[5] for document in await made.world.store.list("Reading")}
        assert kept == {"hello-2", "hello-3"}


async def test_what_a_minimum_keeps_at_rest_is_billed_cheaper_and_survives_a_kill() -> None:
    containers = [{"image": IMAGE, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "cpuIdle": True}}]
    async with world(stop_instances=False) as before:
        router = Router(await deployed(before, containers=containers, scaling={"minInstanceCount": 2}))
        start = await cost(before)
        await asyncio.sleep(100)
        router.report(before, seconds=40, requests=1)
        found = await cost(before)
        assert found["idleSeconds"] == pytest.approx(2 * 100 - 40, abs=1)
        assert found["billableSeconds"] == pytest.approx(start["billableSeconds"] + 40)
        idle, busy = found["idleSeconds"], found["billableSeconds"]
        expected = idle * 0.000005 + busy * (0.000024 + 0.0000025) + 0.0000004
        assert found["usd"] == pytest.approx(expected)
        await asyncio.sleep(10)
    await asyncio.sleep(1000)
    async with again(before) as w:
        await asyncio.sleep(10)
        assert (await cost(w))["idleSeconds"] == pytest.approx(idle + 2 * 1020, abs=3)
        [one, _] = w.engine.instances()
        await w.store.apply(service_put(containers=containers, scaling={"minInstanceCount": 0}))
        assert one.id in {state.id for state in w.engine.instances()}


async def test_instances_of_a_worker_pool_are_billed_once_whatever_is_killed() -> None:
    script = Script(exit_after=200)
    async with api({IMAGE: script}) as made:
        await made.deploy_pool("crew", IMAGE)
        await asyncio.sleep(100)
        w = made.world
        assert 100 <= (await bill(w))[CREW]["billableSeconds"] < 104
        [instance] = w.engine.instances()
        w.engine.kill(instance.id)
        await asyncio.sleep(1)
        assert 160 <= (await bill(w))[CREW]["billableSeconds"] < 164, "the next one has begun its first minute"


async def test_each_day_has_its_part_of_a_life_and_what_is_gone_stays_on_the_bill_of_its_days() -> None:
    async with api({}) as made:
        w = made.world
        await made.deploy(containers=ALWAYS, scaling={"minInstanceCount": 1})
        await made.create_job(tasks=2)
        await made.done(await made("POST", f"/v2/{JOB}:run", {}))
        await asyncio.sleep(2.5 * 86_400)
        await made.done(await made("DELETE", f"/v2/{SERVICE}"))
        await made.done(await made("DELETE", f"/v2/{JOB}"))
        await w.until(lambda: not w.engine.instances())
        await asyncio.sleep(10)
        since = day_of(w.control.clock.now() - 4 * 86_400)
        days = await bill(w, by="day", since=since)
        assert len(days) == 3 or len(days) == 4
        assert sorted(days) == list(days)
        assert [row["billableSeconds"] for row in list(days.values())[1:-1]] == [86_400] * (len(days) - 2)
        rows = await bill(w, since=since)
        assert set(rows) == {SERVICE, JOB}
        assert rows[JOB]["billableSeconds"] == 120, "a minute for each of two tasks"
        total = sum(row["billableSeconds"] for row in days.values())
        assert total == pytest.approx(sum(row["billableSeconds"] for row in rows.values()))
        assert await w.store.list("Charge") == []


async def test_an_execution_is_on_the_bill_while_it_runs_and_once_when_it_has_ended() -> None:
    async with api({IMAGE: Script(exit=Exit(code=0), exit_after=90)}) as made:
        await made.create_job(image=IMAGE)
        started = await made("POST", f"/v2/{JOB}:run", {})
        await asyncio.sleep(30)
        assert (await bill(made.world))[JOB]["billableSeconds"] == 60
        assert (await bill(made.world, minimum=False))[JOB]["billableSeconds"] == pytest.approx(30, abs=0.3)
        await made.done(started)
        for _ in range(3):
            assert (await bill(made.world))[JOB]["billableSeconds"] == pytest.approx(90, abs=0.3)
            await asyncio.sleep(5)


async def test_what_an_execution_cost_is_on_the_bill_once_before_it_is_on_the_books_and_after() -> None:
    async with world(stop_instances=False) as before:
        days = {day_of(before.control.clock.now()): {"instance": [60_000, 60_000_000, 0, 0]}}
    await before.store.apply(Put("Charge", f"{JOB}/executions/e/u", {"owner": JOB, "days": days}))
    # Control was killed between the two.
    async with again(before) as w:
        assert (await bill(w))[JOB]["billableSeconds"] == 60
        await w.until(lambda: w.control.meter.totals(JOB))
        await asyncio.sleep(1)
        assert await w.store.list("Charge") == []
        assert (await bill(w))[JOB]["billableSeconds"] == 60
    async with again(before) as w:
        assert (await bill(w))[JOB]["billableSeconds"] == 60


async def test_an_execution_that_is_deleted_while_it_runs_stays_on_the_bill() -> None:
    async with api({IMAGE: Script(exit_after=900)}) as made:
        await made.create_job(image=IMAGE)
        started = await made("POST", f"/v2/{JOB}:run", {})
        await asyncio.sleep(100)
        await made("DELETE", f"/v2/{started['metadata']['name']}")
        await made.world.until(lambda: not made.world.engine.instances())
        await asyncio.sleep(10)
        assert (await bill(made.world))[JOB]["billableSeconds"] == pytest.approx(100, abs=0.5)


async def test_days_that_are_too_old_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_PAGE", 3)
    monkeypatch.setattr("homerun.store.walk.PAGE", 3)
    async with world(idle_timeout=5) as w:
        now = w.control.clock.now()
        names = [f"{day_of(now - days * 86_400)}/{HELLO}" for days in range(395, 410)]
        await w.store.apply(*(Put("UsedDay", name, {"request": [100, 1, 1, 1]}) for name in names))
        await deployed(w)
        await w.until(lambda: not w.engine.instances())
        await asyncio.sleep(10)
        kept = {document.name for document in await w.store.list("UsedDay")} & set(names)
        assert kept == set(names[:6])
        assert len(await bill(w, by="day", since=names[4][:10])) == 6


async def test_on_a_full_disk_what_was_used_is_kept_and_written_later() -> None:
    store = FullStore()
    async with world({IMAGE: Script(stop_after=2)}, store=store, stop_instances=False, idle_timeout=30) as before:
        await deployed(before, containers=ALWAYS)
        await asyncio.sleep(10)
        store.full = True
        [instance] = before.engine.instances()
        before.engine.kill(instance.id)
        await asyncio.sleep(20)
        assert before.engine.instances(), "its life is not on the bill yet"
        billed = await seconds(before)
        store.full = False
        await before.until(lambda: not before.engine.instances(), seconds=20)
    async with world(store=store, engine=before.engine, idle_timeout=30) as w:
        assert await seconds(w) == pytest.approx(billed), "once, and durable"
