"""Standbys of services, on the whole control process in virtual time."""

import asyncio

import pytest

from homerun.controllers.secrets import Opened
from homerun.core.standby import CALM, KEPT
from homerun.daemon.insight import DaemonInsight
from homerun.engine.base import InstanceSpec, Origin
from homerun.engine.fake.script import Script
from homerun.lib.memory import Memory
from homerun.model.secret_needs import SecretNeeds
from homerun.store.base import Put
from homerun.wire.link import Demand, InstanceUp
from tests.controllers.test_capacity import HELLO, at_zero, deployed
from tests.support.builders import IMAGE
from tests.support.control import World, world

pytestmark = pytest.mark.looptime

PLENTY, SHORT = Memory(64 << 30, 32 << 30), Memory(64 << 30, 1 << 30)


def plenty(w: World) -> World:
    """Whatever the machine has on which this runs."""
    keeper = w.control.capacity.keeper
    keeper.look, keeper.standbys.most = lambda: PLENTY, 32
    return w


async def standby(w: World) -> InstanceSpec:
    """The one that there is, once it is made."""
    await w.until(lambda: len(w.engine.prepared) == 1)
    await asyncio.sleep(1)
    [spec] = w.engine.prepared.values()
    return spec


async def test_after_a_start_the_next_instance_is_made_and_a_request_gets_it() -> None:
    async with world({IMAGE: Script(start=0.5)}, idle_timeout=5) as w:
        revision = await at_zero(plenty(w))
        spec = await standby(w)
        w.router.say(Demand(revision, 1, 0))
        await w.until(lambda: w.router.last(InstanceUp), seconds=0.2)
        assert w.router.last(InstanceUp).instance == spec.id
        [start] = [s for s in w.control.observatory.starts.of([revision]) if s.origin is Origin.STANDBY]
        assert start.instance == spec.id
        await w.until(lambda: w.engine.prepared and spec.id not in w.engine.prepared, seconds=5)


async def test_a_standby_is_no_instance() -> None:
    async with world(idle_timeout=5) as w:
        await at_zero(plenty(w))
        await standby(w)
        await asyncio.sleep(60)
        assert w.engine.instances() == [] and len(w.engine.started) == 1


async def test_without_any_use_it_goes_and_no_timer_is_left() -> None:
    async with world(idle_timeout=5) as w:
        await at_zero(plenty(w))
        await standby(w)
        await asyncio.sleep(KEPT - 60)
        assert len(w.engine.prepared) == 1
        await asyncio.sleep(120)
        assert not w.engine.prepared
        assert w.control.capacity.keeper._timer is None


async def test_a_superseded_revision_has_none() -> None:
    async with world(idle_timeout=5) as w:
        first = await at_zero(plenty(w))
        assert (await standby(w)).labels["revision"] == first
        service = await w.get("Service", HELLO)
        template = {**service.body["template"], "labels": {"version": "2"}}
        await w.store.apply(Put("Service", HELLO, {**service.body, "template": template, "reconciling": True}))
        await w.until(lambda: any(spec.labels["revision"] != first for spec in w.engine.prepared.values()))
        await w.until(lambda: all(spec.labels["revision"] != first for spec in w.engine.prepared.values()), seconds=5)


async def test_a_deleted_service_leaves_none() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(plenty(w))
        await standby(w)
        w.control.capacity.release(revision)
        await w.until(lambda: not w.engine.prepared, seconds=1)


async def test_while_memory_is_short_there_is_none() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(plenty(w))
        await standby(w)
        w.control.capacity.keeper.look = lambda: SHORT
        w.router.say(Demand(revision, 1, 0))
        await asyncio.sleep(10)
        assert not w.engine.prepared
        w.control.capacity.keeper.look = lambda: PLENTY
        w.router.say(Demand(revision, 1, 0))
        await standby(w)


async def test_with_none_wanted_there_is_none() -> None:
    async with world(idle_timeout=5, standby=0) as w:
        await at_zero(w)
        await asyncio.sleep(60)
        assert not w.engine.prepared


async def test_one_that_was_made_with_a_secret_that_changed_is_not_used() -> None:
    async with world(idle_timeout=5) as w:
        value = "old"

        async def opened(needs: SecretNeeds) -> Opened:
            return Opened({"hello": {"TOKEN": value}})

        w.control.secrets.open = opened  # type: ignore[method-assign]
        revision = await at_zero(plenty(w), containers=[{"image": IMAGE, "name": "hello"}])
        assert (await standby(w)).containers[0].env["TOKEN"] == "old"
        value = "new"
        w.router.say(Demand(revision, 1, 0))
        await w.until(lambda: w.router.last(InstanceUp))
        assert w.engine.started[-1].containers[0].env["TOKEN"] == "new"
        assert w.control.observatory.starts.of([revision])[-1].origin is Origin.IMAGE


async def test_one_that_cannot_be_made_is_left_alone() -> None:
    async with world(idle_timeout=5) as w:
        plenty(w)
        tried = []

        async def prepare(spec: InstanceSpec) -> None:
            tried.append(spec.id)
            w.engine._script(spec, "gone@sha256:0")

        w.engine.prepare = prepare  # type: ignore[method-assign]
        revision = await at_zero(w)
        await asyncio.sleep(100 * CALM)
        assert len(tried) == 1
        w.router.say(Demand(revision, 1, 0))
        await asyncio.sleep(10 * CALM)
        assert len(tried) == 2


async def test_a_revision_that_is_found_after_a_restart_gets_one() -> None:
    async with world(idle_timeout=500, stop_instances=False) as w:
        await deployed(plenty(w))
        await standby(w)
    assert not w.engine.prepared
    async with world(idle_timeout=500, store=w.store, engine=w.engine) as again:
        plenty(again)
        await standby(again)


async def test_the_extension_api_tells_of_it() -> None:
    async with world(idle_timeout=5) as w:
        await at_zero(plenty(w))
        await standby(w)
        explained = await DaemonInsight(w.control, lambda: None).explain_service(HELLO)
        [found] = explained["standbys"]
        assert found["revision"].startswith("hello-00001-")
        page = "".join([piece async for piece in DaemonInsight(w.control, lambda: None).metrics()])
        assert 'homerun_standbys{project="p",location="r",service="hello"' in page
