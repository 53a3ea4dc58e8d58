"""CPU of instances as requests come and go, on the whole control process in virtual time."""

import asyncio

import pytest

from homerun.engine.base import THROTTLED
from homerun.wire.link import InstanceBusy, InstanceIdle, InstanceUp, RevisionSet
from tests.controllers.test_capacity import deployed
from tests.support.builders import IMAGE
from tests.support.control import FakeRouter, World, world

pytestmark = pytest.mark.looptime


def one_core(**resources: object) -> list[dict[str, object]]:
    return [{"image": IMAGE, "resources": {"limits": {"cpu": "1"}, **resources}}]


async def only(w: World, **resources: object) -> str:
    """The id of the only instance of a service with these resources."""
    await deployed(w, containers=one_core(**resources))
    [instance] = w.engine.instances()
    return instance.id


async def test_cpu_goes_with_the_last_request_and_is_back_with_the_first() -> None:
    async with world() as w:
        id = await only(w, cpuIdle=True)
        assert w.router.last(RevisionSet).throttled
        assert w.engine.cores(id) == 1
        w.router.say(InstanceIdle(id))
        assert w.engine.cores(id) == THROTTLED
        w.router.say(InstanceBusy(id))
        assert w.engine.cores(id) == 1, "in the same turn"


async def test_cpu_that_is_always_allocated_stays() -> None:
    async with world() as w:
        id = await only(w, cpuIdle=False)
        assert not w.router.last(RevisionSet).throttled
        w.router.say(InstanceIdle(id))
        assert w.engine.cores(id) == 1


async def test_an_instance_is_idle_when_every_router_says_so() -> None:
    async with world() as w:
        other = FakeRouter(w.control)
        id = await only(w, cpuIdle=True)
        w.router.say(InstanceIdle(id))
        assert w.engine.cores(id) == 1
        other.say(InstanceIdle(id))
        assert w.engine.cores(id) == THROTTLED
        third = FakeRouter(w.control)
        assert w.engine.cores(id) == 1, "it may have come with requests"
        third.close()
        assert w.engine.cores(id) == THROTTLED


async def test_without_a_router_nothing_is_taken_for_idle() -> None:
    async with world() as w:
        id = await only(w, cpuIdle=True)
        w.router.close()
        assert w.engine.cores(id) == 1
        again = FakeRouter(w.control)
        again.say(InstanceIdle(id))
        assert w.engine.cores(id) == THROTTLED


async def test_a_start_is_boosted_until_a_while_after_it() -> None:
    async with world() as w:
        id = await only(w, cpuIdle=False, startupCpuBoost=True)
        assert w.engine.started[-1].containers[0].start_cpu == 2
        assert w.engine.cores(id) == 2
        await asyncio.sleep(9)
        assert w.engine.cores(id) == 2
        await asyncio.sleep(2)
        assert w.engine.cores(id) == 1


async def test_what_ends_has_its_cpu_and_keeps_it() -> None:
    async with world(idle_timeout=5) as w:
        id = await only(w, cpuIdle=True, startupCpuBoost=True)
        w.router.say(InstanceIdle(id))
        cores = []
        stop = w.engine.stop

        async def watched(id: str, grace: float = 10) -> None:
            await stop(id, grace)
            w.router.say(InstanceIdle(id))
            cores.append(w.engine.cores(id))

        w.engine.stop = watched  # type: ignore[method-assign]
        await w.until(lambda: not w.engine.instances())
        assert cores == [1]


async def test_after_a_restart_everything_has_its_cpu_until_the_routers_speak() -> None:
    async with world(stop_instances=False) as before:
        id = await only(before, cpuIdle=True)
        before.router.say(InstanceIdle(id))
    async with world(store=before.store, engine=before.engine) as w:
        assert w.engine.cores(id) == 1
        assert w.router.last(InstanceUp) is None, "it was in the snapshot"
        w.router.say(InstanceIdle(id))
        assert w.engine.cores(id) == THROTTLED


async def test_an_instance_that_is_gone_is_nobodys() -> None:
    async with world() as w:
        id = await only(w, cpuIdle=True, startupCpuBoost=True)
        w.engine.kill(id)
        w.router.say(InstanceIdle(id))
        w.router.say(InstanceBusy(id))
        await asyncio.sleep(20)
        assert "0 instances" in repr(w.control.capacity._allotments)
