"""Checkpoints of services that boot slowly, on the whole control process in virtual time."""

import asyncio
from typing import Any

import pytest

from homerun.daemon.insight import DaemonInsight
from homerun.engine.base import Origin
from homerun.engine.fake.script import Script
from homerun.lib.errors import FailedPrecondition
from homerun.store.base import Put
from homerun.wire.link import Demand, InstanceUp
from tests.controllers.test_capacity import HELLO, at_zero
from tests.controllers.test_standbys import plenty
from tests.support.builders import IMAGE
from tests.support.control import World, world

pytestmark = pytest.mark.looptime

SLOW = Script(ready=3)


async def wake(w: World, revision: str) -> Origin:
    """What its next instance began from."""
    w.router.heard.clear()
    w.router.say(Demand(revision, 1, 0))
    await w.until(lambda: w.router.last(InstanceUp))
    w.router.say(Demand(revision, 0, 0))
    await w.until(lambda: w.engine.instances() == [])
    return w.control.observatory.starts.of([revision])[-1].origin


async def test_a_slow_start_is_the_only_one() -> None:
    async with world({IMAGE: SLOW}, idle_timeout=5, criu="criu") as w:
        revision = await at_zero(w)
        assert list(w.engine.checkpoints) == [revision]
        assert await wake(w, revision) is Origin.CHECKPOINT
        view = await DaemonInsight(w.control, lambda: None).explain_service(HELLO)
        assert view["checkpoints"] == [{"revision": revision.rpartition("/")[2]}]
        assert view["coldStarts"][-1]["origin"] == "checkpoint"


async def test_what_has_one_needs_no_standby() -> None:
    async with world({IMAGE: SLOW}, idle_timeout=5, criu="criu") as w:
        await at_zero(plenty(w))
        await w.until(lambda: w.engine.checkpoints)
        await asyncio.sleep(10)
        assert not w.engine.prepared


@pytest.mark.parametrize(
    ("script", "settings"), [(Script(ready=0.5), {"criu": "criu"}), (SLOW, {})], ids=["fast", "not wanted"]
)
async def test_otherwise_there_is_none(script: Script, settings: dict[str, Any]) -> None:
    async with world({IMAGE: script}, idle_timeout=5, **settings) as w:
        revision = await at_zero(w)
        assert await wake(w, revision) is not Origin.CHECKPOINT
        assert not w.engine.checkpoints


@pytest.mark.parametrize(
    "fields",
    [
        {"containers": [{"image": IMAGE, "ports": [{"containerPort": 8080}]}, {"image": IMAGE, "name": "side"}]},
        {"containers": [{"image": IMAGE}], "volumes": [{"name": "v", "emptyDir": {}}]},
    ],
    ids=["several containers", "a volume"],
)
async def test_what_others_have_a_part_in_gets_none(fields: dict[str, Any]) -> None:
    async with world({IMAGE: SLOW}, idle_timeout=5, criu="criu") as w:
        await at_zero(w, **fields)
        await asyncio.sleep(10)
        assert not w.engine.checkpoints


async def test_why_it_cannot_be_made_is_told() -> None:
    script = Script(ready=3, checkpoint_error=FailedPrecondition("a connection is open"))
    async with world({IMAGE: script}, idle_timeout=5, criu="criu") as w:
        revision = await at_zero(w)
        assert await wake(w, revision) is not Origin.CHECKPOINT
        [found] = (await DaemonInsight(w.control, lambda: None).explain_service(HELLO))["checkpoints"]
        assert found["whyNot"] == "a connection is open"


async def test_it_goes_when_nothing_leads_to_its_revision_any_more() -> None:
    async with world({IMAGE: SLOW}, idle_timeout=5, criu="criu") as w:
        first = await at_zero(w)
        service = await w.get("Service", HELLO)
        template = {**service.body["template"], "labels": {"version": "2"}}
        body = {**service.body, "generation": "2", "template": template, "reconciling": True}
        await w.store.apply(Put("Service", HELLO, body, service.internal))
        await w.until(lambda: w.engine.checkpoints and first not in w.engine.checkpoints)


async def test_it_is_there_after_a_restart() -> None:
    async with world({IMAGE: SLOW}, idle_timeout=5, criu="criu") as w:
        revision = await at_zero(w)
    async with world(idle_timeout=5, criu="criu", store=w.store, engine=w.engine) as again:
        assert await wake(again, revision) is Origin.CHECKPOINT
        assert again.control.capacity.checkpoints.checkpoints.has(revision)
