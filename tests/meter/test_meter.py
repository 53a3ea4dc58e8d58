import asyncio

import pytest

from homerun.core.task import Attempt, Outcome, Task, TaskState
from homerun.daemon.insight import DaemonInsight
from homerun.engine.fake import Script
from homerun.meter.meter import execution_bill, worker_bill
from homerun.model.container import Container, Containers
from homerun.model.worker_pool import WorkerSpec
from tests.controllers.test_capacity import HELLO, deployed, usage
from tests.support.builders import IMAGE
from tests.support.control import World, world

ALWAYS = [{"image": IMAGE, "resources": {"cpuIdle": False}}]


def test_every_attempt_of_an_execution_is_billed_rounded_up() -> None:
    tasks = [
        Task(
            0, TaskState.SUCCEEDED, [Attempt(0, 0, 1.01, Outcome.EXITED, code=1), Attempt(1, 2, 3, Outcome.EXITED, 0)]
        ),
        Task(1, TaskState.RUNNING, [Attempt(0, 0)]),
        Task(2),
    ]
    bill = execution_bill(Containers([Container("", "i", cpu=2, memory=1 << 30)]), tasks, now=0.5)
    assert bill.billable_seconds == pytest.approx(1.1 + 1.0 + 0.5)
    assert bill.vcpu_seconds == pytest.approx(5.2)
    assert bill.gib_seconds == pytest.approx(2.6)


def test_an_instance_of_a_worker_pool_is_billed_from_start_to_stop_at_its_own_price() -> None:
    name = "projects/p/locations/r/workerPools/w/revisions/v"
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}}
    spec = WorkerSpec.parse({"name": name, "containers": [{"image": "i", "resources": resources}]})
    bill = worker_bill(spec, [10.01, 5])
    assert (bill.billable_seconds, bill.requests) == (pytest.approx(15.1), 0)
    assert bill.usd == pytest.approx(15.1 * (2 * 0.000011244 + 0.000001235))


# Services, on the whole control process in virtual time


async def seconds(w: World) -> float:
    """Billed to the only service so far, with what runs."""
    return float((await DaemonInsight(w.control, lambda: None, "").explain_service(HELLO))["cost"]["billableSeconds"])


@pytest.mark.looptime
async def test_by_request_the_start_the_requests_and_the_end_are_billed() -> None:
    script = Script(start=0.42, ready=0.5, stop_after=1.23)
    async with world({IMAGE: script}, idle_timeout=5) as w:
        revision = await deployed(w)
        assert await seconds(w) == pytest.approx(1.0), "0.92 until it was ready"
        [instance] = w.engine.instances()
        w.router.say(usage(revision, instance.id, in_flight=0, requests=3, busy=0.5))
        await asyncio.sleep(3)
        assert await seconds(w) == pytest.approx(1.5)
        await w.until(lambda: not w.engine.instances())
        assert await seconds(w) == pytest.approx(1.5 + 1.3)


@pytest.mark.looptime
async def test_by_instance_the_whole_life_is_billed_while_it_lasts_and_when_it_ended() -> None:
    async with world({IMAGE: Script(stop_after=2)}, idle_timeout=60) as w:
        await deployed(w, containers=ALWAYS)
        [instance] = w.engine.instances()
        await asyncio.sleep(30)
        assert await seconds(w) == pytest.approx(w.control.clock.now() - instance.started, abs=0.2)
        await w.until(lambda: not w.engine.instances())
        billed = await seconds(w)
        assert 60 < billed < 70
        await asyncio.sleep(60)
        assert await seconds(w) == billed


@pytest.mark.looptime
async def test_a_restart_of_control_forgets_no_second_of_a_life() -> None:
    async with world(stop_instances=False, idle_timeout=600) as before:
        await deployed(before, containers=ALWAYS)
        await asyncio.sleep(100)
    async with world(store=before.store, engine=before.engine, idle_timeout=600) as w:
        assert 100 <= await seconds(w) < 102
        [instance] = w.engine.instances()
        w.engine.kill(instance.id)
        await asyncio.sleep(1)
        assert 100 <= await seconds(w) < 102


@pytest.mark.looptime
async def test_a_life_that_ended_while_nobody_watched_is_billed_once() -> None:
    async with world(stop_instances=False, idle_timeout=600) as before:
        await deployed(before, containers=ALWAYS)
        await asyncio.sleep(100)
    [instance] = before.engine.instances()
    before.engine.kill(instance.id)
    await asyncio.sleep(50)
    # The engine is asked to forget it and does not get to it before control is killed once more.
    remove, before.engine.remove = before.engine.remove, lambda id: asyncio.sleep(9999)  # type: ignore[assignment,method-assign]
    async with world(store=before.store, engine=before.engine, stop_instances=False, idle_timeout=600) as w:
        await asyncio.sleep(1)
        assert 100 <= await seconds(w) < 102
    before.engine.remove = remove  # type: ignore[method-assign]
    async with world(store=before.store, engine=before.engine, idle_timeout=600) as w:
        await asyncio.sleep(1)
        assert 100 <= await seconds(w) < 102
        assert instance.id not in {state.id for state in w.engine.instances()}
