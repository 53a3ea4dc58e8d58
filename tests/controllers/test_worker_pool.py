"""WorkerPool -> Revision -> instances, on the whole control process in virtual time."""

import asyncio
from typing import Any

import pytest

from homerun.daemon.bills import seconds
from homerun.engine.base import Exit, Phase
from homerun.engine.fake.script import Line, Script
from homerun.model import conditions
from homerun.store.base import Document, Put
from tests.support.builders import IMAGE, LOCATION, operation_name, operation_put, pool_put, service_put
from tests.support.control import World, world

pytestmark = pytest.mark.looptime

CREW = f"{LOCATION}/workerPools/crew"
OTHER, BROKEN = "registry.test/other:1", "registry.test/broken:1"


async def update(w: World, generation: int = 2, image: str = "", **fields: Any) -> Document:
    """As the API would write it, and settled."""
    old = await w.get("WorkerPool", CREW)
    template = {"containers": [{"image": image}]} if image else old.body["template"]
    body = {**old.body, "generation": str(generation), "template": template, "reconciling": True, **fields}
    operation = {"name": operation_name("crew", generation), "generation": generation, "verb": "update"}
    put = Put(old.kind, old.name, body, {**old.internal, "operations": [operation]}, if_version=old.version)
    await w.store.apply(put, operation_put("crew", generation))
    return await w.settled("WorkerPool", CREW)


def running(w: World) -> list[str]:
    """The revision of each instance that is ready."""
    return sorted(i.labels["revision"] for i in w.engine.instances() if i.phase == "ready")


async def test_a_new_pool_becomes_ready_and_has_its_instances() -> None:
    async with world() as w:
        await w.store.apply(pool_put(instances=3), operation_put("crew"))
        pool = await w.settled("WorkerPool", CREW)
        assert pool.body["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert pool.body["conditions"] == []
        assert pool.body["observedGeneration"] == "1"
        revision = pool.body["latestReadyRevision"]
        assert pool.body["instanceSplitStatuses"] == [
            {
                "type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST",
                "revision": revision.rpartition("/")[2],
                "percent": 100,
            }
        ]
        await w.until(lambda: running(w) == [revision] * 3)
        operation = await w.get("Operation", operation_name("crew"))
        assert operation.body["response"]["@type"].endswith("WorkerPool")
        assert w.router.heard[1:] == [], "a worker pool is nothing to the router"


async def test_its_containers_find_its_variables_and_no_probe_asks_them() -> None:
    async with world() as w:
        await w.store.apply(pool_put())
        revision = (await w.settled("WorkerPool", CREW)).body["latestReadyRevision"]
        (spec,) = w.engine.started
        assert spec.containers[0].env == {
            "CLOUD_RUN_WORKER_POOL": "crew",
            "CLOUD_RUN_WORKER_POOL_REVISION": revision.rpartition("/")[2],
        }
        assert spec.containers[0].startup is None


async def test_its_revision_is_of_the_second_generation_and_of_no_service() -> None:
    async with world() as w:
        await w.store.apply(pool_put())
        pool = await w.settled("WorkerPool", CREW)
        revision = await w.get("Revision", pool.body["latestReadyRevision"])
        assert revision.body["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"
        assert "service" not in revision.body


async def test_it_is_scaled_by_hand_without_a_new_revision() -> None:
    async with world() as w:
        await w.store.apply(pool_put())
        first = (await w.settled("WorkerPool", CREW)).body["latestCreatedRevision"]
        for generation, instances in ((2, 3), (3, 0), (4, 2)):
            pool = await update(w, generation, scaling={"manualInstanceCount": instances})
            assert pool.body["latestCreatedRevision"] == first
            await w.until(lambda instances=instances: running(w) == [first] * instances)


async def test_a_pool_of_no_instances_is_ready_and_runs_nothing() -> None:
    async with world({BROKEN: Script(exit=Exit(code=1), exit_after=0.1)}) as w:
        await w.store.apply(pool_put(image=BROKEN, instances=0))
        pool = await w.settled("WorkerPool", CREW)
        assert pool.body["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert w.engine.started == []


async def test_a_new_revision_takes_over_and_the_pool_is_never_short_of_instances() -> None:
    async with world({OTHER: Script(start=3)}) as w:
        await w.store.apply(pool_put(instances=2))
        first = (await w.settled("WorkerPool", CREW)).body["latestReadyRevision"]
        await w.until(lambda: running(w) == [first] * 2)
        second = (await update(w, image=OTHER)).body["latestReadyRevision"]

        def taken_over() -> bool:
            assert len(running(w)) >= 2
            return running(w) == [second] * 2

        await w.until(taken_over)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (Script(exit=Exit(code=3), exit_after=1, lines=(Line("no queue"),)), "Container called exit(3)."),
        (Script(exit=Exit(signal=9, oom=True), exit_after=1), "Memory limit of 512 MiB exceeded"),
    ],
    ids=["exit", "memory"],
)
async def test_a_failed_revision_has_no_instances_and_the_old_one_keeps_them(script: Script, cause: str) -> None:
    async with world({BROKEN: script}) as w:
        await w.store.apply(pool_put(instances=2))
        first = (await w.settled("WorkerPool", CREW)).body["latestReadyRevision"]
        pool = await update(w, image=BROKEN)
        ready = pool.body["terminalCondition"]
        assert ready["state"] == conditions.FAILED
        assert cause in ready["message"]
        assert ("no queue" in ready["message"]) == bool(script.lines)
        assert "is not ready and cannot run." in ready["message"]
        assert pool.body["latestReadyRevision"] == first
        assert pool.body["observedGeneration"] == "1"
        operation = await w.get("Operation", operation_name("crew", 2))
        assert operation.body["error"]["message"] == ready["message"]
        await w.until(lambda: running(w) == [first] * 2)
        started = len(w.engine.started)
        await w.until(lambda: len(w.engine.started) == started, 10)


async def test_a_startup_probe_decides_when_there_is_one() -> None:
    template = {"containers": [{"image": BROKEN, "startupProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}]}
    async with world({BROKEN: Script(probe_failure="Nothing listens on port 80.")}) as w:
        await w.store.apply(pool_put(template=template))
        pool = await w.settled("WorkerPool", CREW)
        assert "Nothing listens on port 80." in pool.body["terminalCondition"]["message"]


async def test_a_worker_that_is_not_alive_any_more_is_followed_by_another() -> None:
    template = {"containers": [{"image": IMAGE, "livenessProbe": {"grpc": {"port": 9}, "periodSeconds": 5}}]}
    async with world() as w:
        await w.store.apply(pool_put(template=template))
        await w.settled("WorkerPool", CREW)
        [first] = w.engine.instances()
        w.engine.ail(first.id, "The answer was NOT_SERVING.")
        await w.until(lambda: [i.id for i in w.engine.instances() if i.phase is Phase.READY and i.id != first.id], 30)
        [group] = w.control.crews.groups
        assert [entry.reason for entry in group.crew.history if first.id[:8] in entry.reason] == [
            f"{first.id[:8]} ended: LIVENESS GRPC probe failed 3 times consecutively for container "
            '"crew-1" on port 9. The answer was NOT_SERVING. Another starts at once.'
        ]


async def test_an_image_that_cannot_be_had_or_started_fails_with_its_cause() -> None:
    async with world() as w:
        await w.store.apply(pool_put(image="registry.test/missing:1"))
        pool = await w.settled("WorkerPool", CREW)
        assert "registry.test/missing:1 does not exist" in pool.body["terminalCondition"]["message"]


async def test_the_split_is_kept_by_revision() -> None:
    async with world({OTHER: Script()}) as w:
        await w.store.apply(pool_put(instances=4))
        first = (await w.settled("WorkerPool", CREW)).body["latestReadyRevision"]
        splits = [
            {
                "type": "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION",
                "revision": first.rpartition("/")[2],
                "percent": 25,
            },
            {"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", "percent": 75},
        ]
        second = (await update(w, image=OTHER, instanceSplits=splits)).body["latestReadyRevision"]
        await w.until(lambda: running(w) == sorted([first, *[second] * 3]))
        # Back to the old one, by name: no new revision, and the new one's instances go.
        back = [{**splits[0], "percent": 100}]
        pool = await update(w, 3, instanceSplits=back)
        assert pool.body["latestReadyRevision"] == second
        await w.until(lambda: running(w) == [first] * 4)


async def test_a_split_to_what_does_not_exist_fails_and_changes_nothing() -> None:
    async with world() as w:
        await w.store.apply(pool_put())
        first = (await w.settled("WorkerPool", CREW)).body["latestReadyRevision"]
        splits = [{"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION", "revision": "crew-9", "percent": 100}]
        pool = await update(w, instanceSplits=splits)
        assert pool.body["terminalCondition"]["message"] == (
            "Revision 'crew-9' referenced in instance splits does not exist."
        )
        assert pool.body["instanceSplitStatuses"][0]["revision"] == first.rpartition("/")[2]
        assert running(w) == [first]


async def test_a_deleted_pool_is_gone_with_its_revisions_and_instances() -> None:
    async with world() as w:
        await w.store.apply(pool_put(instances=3))
        pool = await w.settled("WorkerPool", CREW)
        await w.store.apply(
            Put(pool.kind, pool.name, {**pool.body, "deleteTime": "2026-01-01T00:00:00Z"}, pool.internal)
        )
        await w.until(lambda: w.engine.instances() == [])
        assert await w.store.get("WorkerPool", CREW) is None
        assert await w.store.list("Revision") == []


async def test_what_a_pool_costs_is_the_life_of_its_instances() -> None:
    async with world() as w:
        await w.store.apply(pool_put(instances=2))
        await w.settled("WorkerPool", CREW)
        await w.until(lambda: len(running(w)) == 2)
        await asyncio.sleep(100)
        await update(w, scaling={"manualInstanceCount": 0})
        await w.until(lambda: w.engine.instances() == [])
        await asyncio.sleep(1)
        assert 200 <= seconds(w.control.meter.totals(CREW)) < 210


async def test_a_service_and_a_pool_of_one_name_know_nothing_of_each_other() -> None:

    async with world() as w:
        await w.store.apply(pool_put("same"), service_put("same"))
        pool = await w.settled("WorkerPool", f"{LOCATION}/workerPools/same")
        service = await w.settled("Service", f"{LOCATION}/services/same")
        assert "/services/" in service.body["latestReadyRevision"]
        assert "/workerPools/" in pool.body["latestReadyRevision"]
        assert {image.containers[0].image.partition("@")[0] for image in w.engine.started} == {IMAGE.partition(":")[0]}
        assert len(w.engine.instances()) == 2
