"""CPU that instances use reaches the autoscaler while there is traffic, on the whole control process."""

import asyncio

import pytest

from homerun.engine.fake.script import Script
from tests.controllers.test_capacity import deployed, usage
from tests.support.builders import IMAGE
from tests.support.control import World, world

pytestmark = pytest.mark.looptime


async def traffic(w: World, revision: str, seconds: int) -> None:
    """One request at a time for each instance."""
    for _ in range(seconds):
        for instance in w.engine.instances():
            w.router.say(usage(revision, instance.id, in_flight=1))
        await asyncio.sleep(1)


def readings(w: World) -> list[list[str]]:
    """Which instances are read, from now on."""
    seen: list[list[str]] = []
    read = w.engine.cpu_used

    async def counted(ids: list[str]) -> object:
        seen.append(list(ids))
        return await read(ids)

    w.engine.cpu_used = counted  # type: ignore[method-assign,assignment]
    return seen


async def test_instances_that_use_all_of_their_cpu_get_company() -> None:
    async with world({IMAGE: Script(cpu=1)}) as w:
        revision = await deployed(w)
        await traffic(w, revision, 60)
        assert len(w.engine.instances()) == 2, "one core used, at 0.6 each"
        group = w.control.capacity.group(revision)
        assert group is not None and "CPU" in group.fleet.history[-1].decision.reason


async def test_instances_that_use_little_stay_alone() -> None:
    async with world({IMAGE: Script(cpu=0.5)}) as w:
        revision = await deployed(w)
        await traffic(w, revision, 120)
        assert len(w.engine.instances()) == 1


async def test_cpu_is_read_every_few_seconds_and_not_at_all_without_traffic() -> None:
    async with world() as w:
        revision = await deployed(w, scaling={"minInstanceCount": 1})
        seen = readings(w)
        await asyncio.sleep(300)
        assert seen == []
        await traffic(w, revision, 20)
        assert len(seen) == 4
        await asyncio.sleep(300)
        assert len(seen) == 4


async def test_a_pause_is_not_averaged_over() -> None:
    async with world({IMAGE: Script(cpu=1)}) as w:
        revision = await deployed(w, containers=[{"image": IMAGE, "resources": {"limits": {"cpu": "1"}}}])
        told: list[float] = []
        samples = w.control.capacity._cpu_samples
        samples._tell = lambda revision, cores, span: told.append(cores)
        await traffic(w, revision, 6)
        await asyncio.sleep(60)
        await traffic(w, revision, 6)
        assert told == [pytest.approx(1), pytest.approx(1)]
