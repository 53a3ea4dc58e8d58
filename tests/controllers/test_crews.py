"""Instances of worker pools over time: what ends starts again, and a crash of control loses none of them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from homerun.engine.base import Exit, InstanceSpec
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Script
from homerun.store.memory import MemoryStore
from tests.support.builders import IMAGE, LOCATION, pool_put
from tests.support.clock import LoopClock
from tests.support.control import World, world

pytestmark = pytest.mark.looptime

CREW = f"{LOCATION}/workerPools/crew"
CRASHING = "registry.test/crashing:1"


def running(w: World) -> list[str]:
    return sorted(i.id for i in w.engine.instances() if i.phase == "ready")


async def test_an_instance_that_ends_is_followed_by_others_with_longer_and_longer_waits() -> None:
    loop, starts = asyncio.get_running_loop(), list[float]()

    def crashing(spec: InstanceSpec) -> Script:
        starts.append(loop.time())
        return Script(exit=Exit(code=1), exit_after=3)

    async with world({CRASHING: crashing}) as w:
        await w.store.apply(pool_put(image=CRASHING))
        pool = await w.settled("WorkerPool", CREW)
        assert pool.body["terminalCondition"]["state"] == "CONDITION_SUCCEEDED", "it stayed for the check"
        await asyncio.sleep(1000)
        waits = [round(later - earlier - 3) for earlier, later in pairwise(starts)]
        assert waits == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
        group = w.control.crews.group(CREW)
        assert group is not None
        reasons = [entry.reason for entry in group.crew.history]
        assert any("Container called exit(1). Another starts in 4 s." in reason for reason in reasons)


async def test_work_that_ends_well_starts_again_too() -> None:
    async with world({CRASHING: Script(exit=Exit(code=0), exit_after=1)}) as w:
        await w.store.apply(pool_put(image=CRASHING))
        pool = await w.settled("WorkerPool", CREW)
        assert pool.body["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        await w.until(lambda: len(w.engine.started) > 3)


async def test_a_crash_of_control_costs_no_instance() -> None:
    store, engine = MemoryStore(), FakeEngine(LoopClock(), {IMAGE: Script()})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(pool_put(instances=3))
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 3)
        before = running(w)
    async with world(store=store, engine=engine) as w:
        await w.until(lambda: w.control.crews.group(CREW) is not None)
        await asyncio.sleep(60)
        assert running(w) == before
        assert len(engine.started) == 3


async def test_what_was_told_to_end_before_a_crash_ends_and_has_a_successor() -> None:
    store, engine = MemoryStore(), FakeEngine(LoopClock(), {IMAGE: Script(stop_after=30)})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(pool_put(instances=2))
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 2)
        told, other = engine.instances()
        await engine.stop(told.id, grace=60)
    async with world(store=store, engine=engine) as w:
        await w.until(lambda: len(engine.started) == 3, seconds=10)
        assert {told.id, other.id} < {state.id for state in engine.instances()}, "it has not ended yet"


@pytest.mark.parametrize("after", [0, 0.01, 0.03, 0.05, 0.1, 0.5, 1.9, 2.01, 2.05, 2.1, 2.2])
async def test_a_crash_at_any_moment_of_a_deployment_ends_with_the_instances_that_were_asked_for(after: float) -> None:
    store, engine = MemoryStore(), FakeEngine(LoopClock(), {IMAGE: Script(pull=0.02)})
    async with world(store=store, engine=engine, stop_instances=False):
        await store.apply(pool_put(instances=3))
        await asyncio.sleep(after)
    async with world(store=store, engine=engine) as w:
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 3)
        await asyncio.sleep(60)
        assert len(running(w)) == 3
        assert len(engine.started) <= 4, "at most the one whose start was cut off is started again"


async def test_what_ended_while_control_was_away_is_started_again() -> None:
    store, engine = MemoryStore(), FakeEngine(LoopClock(), {IMAGE: Script()})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(pool_put(instances=2))
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 2)
        killed, kept = running(w)
    engine.kill(killed)
    async with world(store=store, engine=engine) as w:
        await w.until(lambda: len(running(w)) == 2)
        assert kept in running(w)
        assert killed not in [i.id for i in engine.instances()]


async def test_instances_of_a_pool_that_is_gone_are_stopped() -> None:
    store, engine = MemoryStore(), FakeEngine(LoopClock(), {IMAGE: Script()})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(pool_put())
        await w.settled("WorkerPool", CREW)
    async with world(store=MemoryStore(), engine=engine) as w:
        await w.until(lambda: engine.instances() == [])


async def test_the_end_of_homerun_is_the_end_of_every_instance() -> None:
    stubborn = Script(stop_after=1000)
    async with world({CRASHING: stubborn}, grace=5) as w:
        await w.store.apply(pool_put(image=CRASHING, instances=3), pool_put("other"))
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 4)
    assert w.engine.instances() == []


async def test_deployments_in_a_row_leave_the_last_one_s_instances() -> None:
    async with world() as w:
        await w.store.apply(pool_put(instances=2))
        for generation in range(2, 6):
            await asyncio.sleep(0.5)
            old = await w.get("WorkerPool", CREW)
            template = {"containers": [{"image": IMAGE, "env": [{"name": "N", "value": str(generation)}]}]}
            put = pool_put(instances=2, generation=generation, template=template)
            await w.store.apply(
                type(put)(put.kind, put.name, {**old.body, **put.body}, {**old.internal, "operations": []})
            )
        pool = await w.settled("WorkerPool", CREW)

        def last_only() -> bool:
            found = [i.labels["revision"] for i in w.engine.instances() if i.phase == "ready"]
            return found == [pool.body["latestReadyRevision"]] * 2

        await w.until(last_only)
