"""Instances of services as the router's reports come in, on the whole control process in virtual time."""

import asyncio

import pytest

from homerun.core.instance import State
from homerun.engine.base import Exit
from homerun.engine.fake import Line, Script
from homerun.store.base import Put
from homerun.wire.link import (
    Demand,
    InstanceDrain,
    InstanceFailed,
    InstanceGone,
    InstanceUp,
    InstanceUse,
    RevisionSet,
    Usage,
)
from tests.support.builders import IMAGE, LOCATION, service_put
from tests.support.control import World, world

pytestmark = pytest.mark.looptime

HELLO = f"{LOCATION}/services/hello"


async def deployed(w: World, **fields: object) -> str:
    """A ready service at zero; its revision's name."""
    put = service_put(**fields)  # type: ignore[arg-type]
    await w.store.apply(put)
    revision: str = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
    return revision


async def at_zero(w: World, **fields: object) -> str:
    revision = await deployed(w, **fields)
    await w.until(lambda: w.engine.instances() == [])
    w.router.heard.clear()
    return revision


def usage(revision: str, instance: str, in_flight: int, idle: float = 0, requests: int = 1, busy: float = 1) -> Usage:
    use = InstanceUse(instance, in_flight, busy, requests, idle)
    return Usage(revision, 0, float(in_flight), in_flight, 0, requests, [use])


async def test_after_the_deployment_the_checked_instance_idles_away() -> None:
    async with world(idle_timeout=60) as w:
        await deployed(w)
        assert len(w.engine.instances()) == 1
        await asyncio.sleep(59)
        assert len(w.engine.instances()) == 1
        await w.until(lambda: w.engine.instances() == [], seconds=5)


async def test_a_waiting_request_starts_an_instance_without_a_single_write() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(w)
        before = await w.store.version()
        w.router.say(Demand(revision, 1, 0))
        await w.until(lambda: w.router.last(InstanceUp))
        assert w.router.last(InstanceUp).revision == revision
        assert await w.store.version() == before


async def test_ten_waiting_requests_of_concurrency_one_start_ten() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(w, maxInstanceRequestConcurrency=1)
        w.router.say(Demand(revision, 10, 0))
        await w.until(lambda: len(w.router.all(InstanceUp)) == 10, seconds=1)


async def test_a_busy_instance_stays_and_an_idle_one_goes_after_it_was_drained() -> None:
    async with world(idle_timeout=30) as w:
        revision = await deployed(w)
        [instance] = w.engine.instances()
        for _ in range(100):
            w.router.say(usage(revision, instance.id, in_flight=1))
            await asyncio.sleep(1)
        assert len(w.engine.instances()) == 1
        w.router.say(usage(revision, instance.id, in_flight=0))
        await asyncio.sleep(29)
        assert len(w.engine.instances()) == 1
        await w.until(lambda: w.engine.instances() == [], seconds=5)
        kinds = [type(m) for m in w.router.heard if not isinstance(m, RevisionSet)]
        assert kinds.index(InstanceDrain) < kinds.index(InstanceGone)


async def test_when_starts_fail_those_who_wait_are_told_why() -> None:
    script = Script()
    async with world({IMAGE: lambda spec: script}, idle_timeout=5) as w:
        revision = await at_zero(w)
        script = Script(exit=Exit(code=4), exit_after=0.1, ready=9, lines=(Line("disk is full"),))
        w.router.say(Demand(revision, 1, 0))
        await w.until(lambda: w.router.last(RevisionSet) and w.router.last(RevisionSet).failure)
        assert "exit(4)" in w.router.last(RevisionSet).failure
        assert "disk is full" in w.router.last(RevisionSet).failure
        # Demand during the back-off starts nothing, afterwards it tries again.
        started = len(w.engine.started)
        w.router.say(Demand(revision, 1, 0))
        await asyncio.sleep(0.5)
        assert len(w.engine.started) == started
        await asyncio.sleep(2)
        w.router.say(Demand(revision, 1, 0))
        await w.until(lambda: len(w.engine.started) == started + 1, seconds=1)


async def test_an_instance_that_crashes_is_reported_gone_at_once() -> None:
    async with world() as w:
        await deployed(w)
        [instance] = w.engine.instances()
        w.engine.crash(instance.id, Exit(code=1))
        await asyncio.sleep(0)
        assert w.router.last(InstanceGone) == InstanceGone(instance.id)


async def test_an_instance_that_ran_out_of_memory_is_said_to() -> None:
    async with world() as w:
        await deployed(w)
        [instance] = w.engine.instances()
        w.engine.crash(instance.id, Exit(signal=9, oom=True))
        await asyncio.sleep(0)
        gone = w.router.last(InstanceGone)
        assert gone.instance == instance.id and gone.oom.startswith("Memory limit of 512 MiB exceeded")


async def test_requests_wait_as_long_as_was_set() -> None:
    async with world(queue_wait=60) as w:
        await deployed(w)
        assert w.router.last(RevisionSet).queue_deadline == 60


async def test_affinity_is_told_to_the_router() -> None:
    async with world() as w:
        await deployed(w)
        assert not w.router.last(RevisionSet).affinity
    async with world() as w:
        await deployed(w, sessionAffinity=True)
        assert w.router.last(RevisionSet).affinity


async def test_an_instance_that_the_router_cannot_reach_is_replaced() -> None:
    async with world() as w:
        await deployed(w, scaling={"minInstanceCount": 1})
        [instance] = w.engine.instances()
        w.router.say(InstanceFailed(instance.id, "connection refused"))
        await w.until(lambda: [i.id for i in w.engine.instances()] not in ([], [instance.id]))
        await w.until(lambda: len(w.engine.instances()) == 1)


async def test_the_service_wide_minimum_is_held_without_a_new_revision() -> None:
    async with world(idle_timeout=5) as w:
        await at_zero(w)
        document = await w.get("Service", HELLO)
        body = {**document.body, "scaling": {"minInstanceCount": 3}, "generation": "2"}
        await w.store.apply(Put("Service", HELLO, body, document.internal))
        await w.until(lambda: len(w.engine.instances()) == 3)
        assert await w.store.count("Revision") == 1


async def test_manual_scaling_runs_exactly_so_many() -> None:
    async with world(idle_timeout=5) as w:
        await at_zero(w)
        for number in (4, 1, 0):
            document = await w.get("Service", HELLO)
            scaling = {"scalingMode": "MANUAL", "manualInstanceCount": number}
            await w.store.apply(Put("Service", HELLO, {**document.body, "scaling": scaling}, document.internal))
            await w.until(lambda number=number: len(w.engine.instances()) == number)  # type: ignore[misc]


async def change(w: World, **fields: object) -> None:
    document = await w.get("Service", HELLO)
    generation = str(int(document.body["generation"]) + 1)
    body = {**document.body, **fields, "generation": generation}
    await w.store.apply(Put("Service", HELLO, body, document.internal))


async def test_scaled_by_hand_to_none_it_is_disabled_and_a_new_revision_is_not_checked() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(w)
        await change(w, scaling={"scalingMode": "MANUAL", "manualInstanceCount": 0})
        await w.until(lambda: w.router.last(RevisionSet) and w.router.last(RevisionSet).max_instances == 0)
        w.router.say(Demand(revision, 3, 0))
        started = len(w.engine.started)
        document = await w.get("Service", HELLO)
        await change(w, template={**document.body["template"], "timeout": "99s"}, reconciling=True)
        service = await w.settled("Service", HELLO)
        assert service.body["latestReadyRevision"] != revision
        assert len(w.engine.started) == started
        new = await w.get("Revision", service.body["latestReadyRevision"])
        reasons = {c["type"]: c.get("revisionReason") for c in new.body["conditions"]}
        assert reasons["ContainerHealthy"] == "HEALTH_CHECK_SKIPPED"


async def test_while_traffic_is_shared_out_anew_there_are_never_fewer_instances_than_asked_for() -> None:
    async with world({IMAGE: lambda spec: Script(ready=3)}, idle_timeout=5) as w:
        old = await deployed(w)
        await change(w, template={"containers": [{"image": IMAGE}], "timeout": "99s"}, reconciling=True)
        new = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        targets = [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": r.rpartition("/")[2], "percent": p}
            for r, p in ((old, 90), (new, 10))
        ]
        by_hand = {"scalingMode": "MANUAL", "manualInstanceCount": 10}
        await change(w, traffic=targets, scaling=by_hand)

        def ready(revision: str) -> int:
            group = w.control.capacity.group(revision)
            return group.fleet.count(State.READY) if group is not None else 0

        await w.until(lambda: (ready(old), ready(new)) == (9, 1))
        even = [{**target, "percent": 50} for target in targets]
        await change(w, traffic=even)
        fewest = 10
        while (ready(old), ready(new)) != (5, 5):
            fewest = min(fewest, ready(old) + ready(new))
            await asyncio.sleep(0.02)
        assert fewest == 10


async def test_traffic_moves_to_a_new_revision_when_that_has_as_many_instances_as_it_should() -> None:
    async with world({IMAGE: lambda spec: Script(ready=3)}, idle_timeout=5) as w:
        old = await deployed(w)
        await change(w, scaling={"minInstanceCount": 4})
        await w.until(lambda: len(w.engine.instances()) == 4)
        await change(w, template={"containers": [{"image": IMAGE}], "timeout": "99s"}, reconciling=True)
        new = ""
        while new in ("", old):
            new = (await w.get("Service", HELLO)).body["latestReadyRevision"]
            await asyncio.sleep(0.02)
        group = w.control.capacity.group(new)
        assert group is not None and group.fleet.count(State.READY) == 4


async def test_of_several_first_instances_one_that_works_is_enough() -> None:
    scripts = [Script(), Script(), Script(exit=Exit(code=4), exit_after=0.01, ready=9)]
    async with world({IMAGE: lambda spec: scripts.pop() if scripts else Script()}) as w:
        revision = await deployed(w, scaling={"minInstanceCount": 3})
        await w.until(lambda: len(w.engine.instances()) == 3)
        assert w.control.capacity.standing(revision).minimum == 3


async def test_if_all_first_instances_fail_the_revision_has_failed() -> None:
    async with world({IMAGE: lambda spec: Script(exit=Exit(code=4), exit_after=0.01, ready=9)}) as w:
        await w.store.apply(service_put(scaling={"minInstanceCount": 3}))
        service = await w.settled("Service", HELLO)
        assert "exit(4)" in service.body["terminalCondition"]["message"]
        assert "latestReadyRevision" not in service.body


async def test_an_instance_that_fails_to_start_beside_others_refuses_nobody() -> None:
    scripts = [Script(ready=3), Script(exit=Exit(code=4), exit_after=0.1, ready=9)]
    async with world(idle_timeout=5) as w:
        revision = await at_zero(w, maxInstanceRequestConcurrency=1)
        w.engine.images[IMAGE] = lambda spec: scripts.pop()
        w.router.say(Demand(revision, 2, 0))
        await w.until(lambda: w.router.last(InstanceUp))
        assert all(not message.failure for message in w.router.all(RevisionSet))


async def test_cpu_that_is_used_starts_instances() -> None:
    async with world() as w:
        revision = await deployed(w)
        [instance] = w.engine.instances()
        for _ in range(60):
            w.router.say(usage(revision, instance.id, in_flight=1))
            w.control.capacity.on_cpu(revision, 1.0, 1.0)
            await asyncio.sleep(1)
        assert len(w.engine.instances()) == 2


async def test_without_a_router_nothing_waits_to_be_drained() -> None:
    async with world(idle_timeout=5) as w:
        await deployed(w)
        w.router.close()
        await w.until(lambda: w.engine.instances() == [], seconds=10)


async def test_what_it_used_is_metered_by_request() -> None:
    async with world() as w:
        revision = await deployed(w)
        [instance] = w.engine.instances()
        w.router.say(usage(revision, instance.id, in_flight=0, requests=3, busy=0.5))
        totals = w.control.meter.totals(HELLO)
        assert totals.requests == 3
        assert totals.seconds == pytest.approx(0.5 + 0.1), "and its start"


async def test_the_meter_survives_a_restart() -> None:
    async with world() as before:
        revision = await deployed(before)
        [instance] = before.engine.instances()
        before.router.say(usage(revision, instance.id, in_flight=0, requests=3, busy=0.5))
    async with world(store=before.store, engine=before.engine) as after:
        assert after.control.meter.totals(HELLO).requests == 3


async def test_instances_of_a_revision_that_is_gone_are_stopped_at_the_next_start() -> None:
    async with world(stop_instances=False) as before:
        await deployed(before)
    from homerun.store.memory import MemoryStore

    async with world(store=MemoryStore(), engine=before.engine) as after:
        await after.until(lambda: after.engine.instances() == [])


async def test_the_decisions_can_be_explained() -> None:
    async with world(idle_timeout=5) as w:
        revision = await at_zero(w)
        w.router.say(Demand(revision, 2, 0))
        await w.until(lambda: w.router.last(InstanceUp))
        group = w.control.capacity.group(revision)
        assert group is not None
        reasons = [entry.decision.reason for entry in group.fleet.history]
        assert reasons == ["deployment check", "no traffic", "2 waiting and 0 in flight need 1 at concurrency 80"]
