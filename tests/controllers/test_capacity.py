"""Instances of services as the router's reports come in, on the whole control process in virtual time."""

import asyncio

import pytest

from homerun.core.instance import State
from homerun.engine.base import Exit
from homerun.engine.fake.script import Line, Script
from homerun.meter.system_logs import SystemLogs
from homerun.model.probe import Check
from homerun.store.base import Put
from homerun.wire.link import (
    Demand,
    InstanceDrain,
    InstanceDrained,
    InstanceFailed,
    InstanceGone,
    InstanceUp,
    InstanceUse,
    RevisionSet,
    Snapshot,
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


async def test_one_that_drains_is_taken_back_when_it_is_needed() -> None:
    async with world(idle_timeout=30) as w:
        revision = await deployed(w, maxInstanceRequestConcurrency=2)
        [instance] = w.engine.instances()
        w.router.busy = True
        w.router.say(usage(revision, instance.id, in_flight=0))
        await w.until(lambda: w.router.last(InstanceDrain), seconds=40)
        w.router.say(Demand(revision, 1, 0))
        await asyncio.sleep(0)
        up = w.router.last(InstanceUp)
        assert (up.instance, up.turn) == (instance.id, 1)
        w.router.say(InstanceDrained(instance.id))
        w.router.say(usage(revision, instance.id, in_flight=1))
        await asyncio.sleep(20)
        assert [one.id for one in w.engine.instances()] == [instance.id] and len(w.engine.started) == 1
        w.router.busy = False
        w.router.say(usage(revision, instance.id, in_flight=0))
        await w.until(lambda: w.engine.instances() == [], seconds=60)


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


PROBES = {
    "livenessProbe": {"httpGet": {"path": "/livez"}, "periodSeconds": 5},
    "readinessProbe": {"grpc": {"port": 50}},
}
REFUSED = "Connection failed with status ERROR_CONNECTION_FAILED."


def unready(w: World) -> dict[str, bool]:
    """What the router knows last of each instance."""
    known = [up for snapshot in w.router.all(Snapshot) for up in snapshot.instances]
    return {up.instance: up.unready for up in (*known, *w.router.all(InstanceUp))}


def system_log(w: World) -> list[str]:
    """What the platform says from now on."""
    said: list[str] = []
    w.control.observatory.system = SystemLogs(lambda project, row: said.append(row.text or ""))
    return said


async def test_an_instance_that_is_not_ready_gets_nothing_new_until_it_is() -> None:
    async with world() as w:
        said = system_log(w)
        revision = await deployed(w, containers=[{"image": IMAGE, **PROBES}], scaling={"minInstanceCount": 1})
        [first] = w.engine.instances()
        w.engine.ail(first.id, REFUSED, Check.READINESS)
        await w.until(lambda: unready(w)[first.id], seconds=40)
        assert w.engine.instances()[0].unready == ("hello-1",)
        await w.until(lambda: len(w.engine.instances()) == 2)
        group = w.control.capacity.group(revision)
        assert group is not None
        await w.until(lambda: group.fleet.count(State.READY) == 1 == group.fleet.count(State.UNREADY))
        w.engine.ail(first.id, "", Check.READINESS)
        await w.until(lambda: not unready(w)[first.id], seconds=30)
        assert group.fleet.count(State.READY) == 2
        well = 'READINESS GRPC probe succeeded after 2 attempts for container "hello-1" on port 50.'
        assert [text for text in said if text.startswith("READINESS")] == [
            'READINESS GRPC probe failed 3 times consecutively for container "hello-1" on port 50. '
            f"The instance gets no new requests until it is ready again.\n{REFUSED}",
            well,  # the one that stands in for it
            well,
        ]


async def test_who_is_not_ready_is_known_after_a_restart_and_so_is_when_it_is_ready_again() -> None:
    async with world(stop_instances=False) as before:
        revision = await deployed(before, containers=[{"image": IMAGE, **PROBES}], scaling={"minInstanceCount": 1})
        [first] = before.engine.instances()
        before.engine.ail(first.id, REFUSED, Check.READINESS)
        await before.until(lambda: before.engine.instances()[0].unready)
    async with world(store=before.store, engine=before.engine) as after:
        await after.until(lambda: after.control.capacity.group(revision))
        await after.until(lambda: first.id in unready(after))
        assert unready(after)[first.id]
        after.engine.ail(first.id, "")
        await after.until(lambda: not unready(after)[first.id])


async def test_what_was_told_to_end_before_a_crash_gets_no_requests_after_it() -> None:
    async with world(stop_instances=False) as before:
        before.engine.images[IMAGE] = Script(stop_after=30)
        revision = await deployed(before, scaling={"minInstanceCount": 1})
        [told] = before.engine.instances()
        await before.engine.stop(told.id, grace=60)
    async with world(store=before.store, engine=before.engine) as after:
        await after.until(lambda: after.control.capacity.group(revision))
        await after.until(lambda: unready(after))
        assert told.id not in unready(after)


async def test_an_instance_that_is_not_alive_is_killed_and_another_takes_its_place() -> None:
    async with world() as w:
        log = system_log(w)
        revision = await deployed(w, containers=[{"image": IMAGE, **PROBES}], scaling={"minInstanceCount": 1})
        [first] = w.engine.instances()
        w.engine.ail(first.id, "The answer had status 503.", Check.LIVENESS)
        await w.until(lambda: w.router.last(InstanceGone), seconds=16)
        heard = [m for m in w.router.heard if getattr(m, "instance", "") == first.id]
        assert [type(m) for m in heard[-2:]] == [InstanceUp, InstanceGone], "nothing new comes to what is being killed"
        assert heard[-2].unready
        await w.until(lambda: len(w.engine.instances()) == 1 and w.router.last(InstanceUp).instance != first.id)
        said = [text for text in log if "LIVENESS" in text or "terminated" in text]
        assert said[0].startswith("LIVENESS HTTP probe succeeded after 1 attempt")
        assert said[1] == (
            'LIVENESS HTTP probe failed 3 times consecutively for container "hello-1" on port 8080 path "/livez". '
            "The instance has been shut down.\nThe answer had status 503."
        )
        failed = w.control.observatory.metrics.revisions[revision].failed_probes
        assert failed == {Check.LIVENESS: 1}


async def test_instances_that_are_never_alive_for_long_start_at_longer_and_longer_intervals() -> None:
    async with world() as w:
        await deployed(w, containers=[{"image": IMAGE, **PROBES}], scaling={"minInstanceCount": 1})
        ended = asyncio.get_running_loop().time() + 600
        starts: set[str] = set()
        while asyncio.get_running_loop().time() < ended:
            for state in w.engine.instances():
                starts.add(state.id)
                w.engine.ail(state.id, "no", Check.LIVENESS)
            await asyncio.sleep(0.5)
        # 10 s until three answers were bad, and then the back-off of up to 10 s.
        assert 25 <= len(starts) <= 35


async def test_a_start_that_ends_before_its_probe_passes_is_told_in_the_words_of_cloud_run() -> None:
    early = Script(ready=5, exit=Exit(code=1), exit_after=2)
    async with world({IMAGE: early}) as w:
        said = system_log(w)
        await w.store.apply(service_put())
        await w.settled("Service", HELLO)
        assert said[1:] == [
            "Container called exit(1).",
            'Default STARTUP TCP probe failed 1 time consecutively for container "hello-1" on port 8080. '
            "The instance was not started.\nConnection failed with status CANCELLED.",
        ]


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
        document = await w.get("Service", HELLO)
        await change(w, template={**document.body["template"], "timeout": "99s"}, reconciling=True)
        service = await w.settled("Service", HELLO)
        assert service.body["latestReadyRevision"] != revision
        new = await w.get("Revision", service.body["latestReadyRevision"])
        assert not [spec for spec in w.engine.started if spec.labels["revision"] == new.name]
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
