"""Instances of an earlier run: whatever becomes of them while control is still looking is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from homerun.controllers.orphans import Orphans
from homerun.engine.base import ContainerSpec, Exit, InstanceSpec, Phase
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Script
from homerun.store.base import Document
from homerun.store.memory import MemoryStore
from tests.support.builders import IMAGE, LOCATION, execution_put, job_put, operation_put, pool_put, service_put
from tests.support.clock import LoopClock
from tests.support.control import world

pytestmark = pytest.mark.looptime

EXECUTION = f"{LOCATION}/jobs/work/executions/work-abcde"
LOOKING = 0.4
"""Seconds that each look into the store takes, once there is much in it."""


class BigStore(MemoryStore):
    """Lists take their time from when `big` is set."""

    big = False

    async def list(self, kind: str, **how: Any) -> Sequence[Document]:
        if self.big:
            await asyncio.sleep(LOOKING)
        return await super().list(kind, **how)


async def test_they_are_taken_as_they_are_then_and_once() -> None:
    engine = FakeEngine(LoopClock(), {IMAGE: Script(exit=Exit(code=0), exit_after=1)})
    await engine.open(lambda event: None)
    image = await engine.pull(IMAGE)
    await engine.start(InstanceSpec("a", (ContainerSpec(image.pinned),)))
    orphans = Orphans(engine)
    orphans.add("work", "a")
    await asyncio.sleep(2)
    assert orphans.take("other") == []
    [state] = orphans.take("work")
    assert state.phase is Phase.EXITED
    assert orphans.take("work") == []


@pytest.mark.parametrize("after", [0.1, 0.5, 0.9, 1.3, 1.7, 2.1, 2.5])
async def test_a_task_that_ends_while_control_looks_has_ended(after: float) -> None:
    script = Script(exit=Exit(code=0), exit_after=5 + after)
    store, engine = BigStore(), FakeEngine(LoopClock(), {IMAGE: script})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(job_put())
        job = await w.settled("Job", f"{LOCATION}/jobs/work")
        await store.apply(execution_put(pinned=job.internal["digests"][0]), operation_put("work"))
        await w.until(lambda: engine.started)
        await asyncio.sleep(4.9)
    store.big = True
    async with world(store=store, engine=engine) as w:
        execution = await w.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 1
        assert len(engine.started) == 1
        await w.until(lambda: not engine.instances())


@pytest.mark.parametrize("after", [0.1, 0.5, 0.9, 1.3, 1.7, 2.1, 2.5])
async def test_instances_that_become_ready_while_control_looks_are_ready(after: float) -> None:
    store, engine = BigStore(), FakeEngine(LoopClock(), {IMAGE: Script(ready=5 + after)})
    async with world(store=store, engine=engine, stop_instances=False) as w:
        await store.apply(service_put(), pool_put())
        await w.until(lambda: len(engine.started) == 2)
        await asyncio.sleep(4.9)
    store.big = True
    async with world(store=store, engine=engine) as w:
        for kind, name in (("Service", "services/hello"), ("WorkerPool", "workerPools/crew")):
            settled = await w.settled(kind, f"{LOCATION}/{name}")
            assert settled.body["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert len(engine.started) == 2
