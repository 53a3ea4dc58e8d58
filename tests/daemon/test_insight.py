"""What `:explain` and `info` tell, on the whole control process in virtual time."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from homerun.apis.homerun.insight import BuildEvent
from homerun.daemon import insight
from homerun.daemon.insight import DaemonInsight
from homerun.engine.base import Exit
from homerun.engine.fake.script import Script
from homerun.lib.errors import FailedPrecondition, NotFound
from homerun.wire.link import RequestLog
from tests.support.api import BATCH, FAILING, LOCATION, V2, Api, api

pytestmark = pytest.mark.looptime

HELLO = f"{LOCATION}/services/hello"


@asynccontextmanager
async def explained(**images: Script) -> AsyncIterator[tuple[Api, DaemonInsight]]:
    async with api(dict(images)) as made:
        yield made, DaemonInsight(made.world.control, lambda: None)


async def execute(api: Api, job: str) -> str:
    """One run to its end, good or bad: the execution's name."""
    operation = await api.done(await api("POST", f"{V2}/jobs/{job}:run", {}))
    return str(operation["metadata"]["name"])


async def test_info_tells_where_the_apis_are_and_what_gcloud_needs() -> None:
    async with explained() as (_, told):
        info = told.info()
        assert (info["project"], info["region"]) == ("homerun", "us-central1")
        assert info["environment"]["CLOUDSDK_CORE_PROJECT"] == "homerun"


async def test_a_service_tells_its_instances_its_decisions_and_their_reason() -> None:
    async with explained() as (made, told):
        await made.deploy()
        view = await told.explain_service(HELLO)
        [instance] = view["instances"]
        assert instance["phase"] == "ready"
        assert instance["startTime"] <= instance["readyTime"]
        assert instance["revision"].startswith("hello-00001-")
        first = view["decisions"][0]
        assert (first["want"], first["ready"], first["reason"]) == (1, 0, "deployment check")
        assert view["timeline"][0]["what"] == f"{instance['revision']}: 0 ready, 1 wanted: deployment check"
        assert (first["driver"], first["asked"], first["starting"], first["limit"]) == ("check", 1, 0, "")
        assert view["cost"]["requests"] == 0


async def test_a_decision_tells_what_was_observed_which_driver_won_and_what_limited_it() -> None:
    async with explained() as (made, told):
        await made.deploy(scaling={"maxInstanceCount": 2}, maxInstanceRequestConcurrency=1)
        [instance] = (await told.explain_service(HELLO))["instances"]
        revision = f"{HELLO}/revisions/{instance['revision']}"
        made.world.control.capacity.on_demand(revision, in_flight=1, waiting=4)
        last = (await told.explain_service(HELLO))["decisions"][-1]
        assert last["observed"] == {"inFlight": 1, "waiting": 4, "concurrency": 0, "cpu": 0}
        assert (last["driver"], last["asked"], last["want"]) == ("demand", 5, 2)
        assert last["limit"] == "held at the maximum of 2"


async def test_each_cold_start_is_told_with_its_phases_and_who_waited_for_it() -> None:
    async with explained() as (made, told):
        await made.deploy()
        view = await told.explain_service(HELLO)
        [start] = view["coldStarts"]
        assert list(start["phases"]) == ["start", "listen"]
        assert start["seconds"] == pytest.approx(sum(start["phases"].values()))
        assert (start["waited"], start["instance"]) == (0, view["instances"][0]["id"])
        revision = f"{HELLO}/revisions/{start['revision']}"
        [known] = made.world.control.observatory.starts.of([revision])
        waited = RequestLog(revision, known.instance, known.ready - 1, 2, b"GET", b"http://h/", 200, 1, 1, b"", "", b"")
        made.world.router.say(structs.replace(waited, waited=1.25))
        view = await told.explain_service(HELLO)
        [start] = view["coldStarts"]
        assert (start["waited"], start["longestWait"]) == (1, 1.25)
        said = [moment["what"] for moment in view["timeline"]]
        assert said[-1].endswith("; 1 request waited for it, up to 1.250 s"), said


async def test_a_worker_pool_tells_its_instances_its_restarts_and_what_it_costs_while_it_runs() -> None:
    image = "registry.test/crashing:1"
    async with explained(**{image: Script(exit=Exit(code=7), exit_after=5)}) as (made, told):
        await made.deploy_pool("crew", image)
        await asyncio.sleep(12)
        view = await told.explain_worker_pool(f"{LOCATION}/workerPools/crew")
        [instance] = view["instances"]
        assert instance["revision"].startswith("crew-00001-") and "inFlight" not in instance
        assert view["decisions"][0]["reason"] == "deployment check: 1 started"
        assert any("Container called exit(7). Another starts at once." in d["reason"] for d in view["decisions"])
        assert len(view["timeline"]) == len(view["decisions"])
        assert view["cost"]["billableSeconds"] == 3 * 60, "a minute for each: two that ended, and the one that runs"
        assert (await made("GET", f"/homerun/v1/{LOCATION}/workerPools/crew:explain"))["decisions"]


async def test_each_attempt_of_a_task_is_told_while_it_runs_and_afterwards() -> None:
    async with explained() as (made, told):
        await made.create_job(image=FAILING, maxRetries=1)
        started = await made("POST", f"{V2}/jobs/work:run", {})
        await asyncio.sleep(0.05)
        live = await told.explain_execution(started["metadata"]["name"])
        await made.done(started)
        view = await told.explain_execution(started["metadata"]["name"])
        assert ["ended" in attempt for task in live["tasks"] for attempt in task["attempts"]] == [False]
        [task] = view["tasks"]
        assert task["state"] == "Failed"
        assert [(a["attempt"], a["code"], a["lost"], a["oom"]) for a in task["attempts"]] == [
            (0, 3, False, False),
            (1, 3, False, False),
        ]
        assert ["exit code 3" in attempt["why"] for attempt in task["attempts"]] == [True, True]
        assert view["timeline"][0]["what"] == "task 0 attempt 0 started"
        assert [m["time"] for m in view["timeline"]] == sorted(m["time"] for m in view["timeline"])


async def test_of_many_tasks_the_troubled_ones_come_first_and_the_rest_is_counted() -> None:
    async with explained() as (made, told):
        await made.create_job(image=BATCH, tasks=30)
        name = await execute(made, "work")
        view = await told.explain_execution(name, tasks=2, moments=3)
        assert [task["index"] for task in view["tasks"]] == [0, 1]
        assert (view["moreTasks"], len(view["timeline"]), view["moreMoments"]) == (28, 3, 57)
        assert [task["index"] for task in (await told.explain_execution(name, one=17))["tasks"]] == [17]


async def test_progress_is_told_while_it_runs_and_afterwards() -> None:
    async with explained() as (made, told):
        await made.create_job(image=FAILING, tasks=20, maxRetries=1)
        started = await made("POST", f"{V2}/jobs/work:run", {})
        await asyncio.sleep(0.1)
        name = started["metadata"]["name"]
        assert (await told.execution_progress(name))["running"]
        await made.done(started)
        progress = await told.execution_progress(name)
        assert sum(progress["counts"].values()) == 20
        assert progress["counts"]["Failed"] and not progress["counts"]["Running"]
        with pytest.raises(NotFound, match="homerun jobs executions list"):
            await told.execution_progress(f"{name}x")


async def test_a_signal_and_want_of_memory_are_told_apart() -> None:
    image = "registry.test/eats:1"
    async with explained(**{image: Script(exit=Exit(signal=9, oom=True), exit_after=1)}) as (made, told):
        await made.create_job(image=image, maxRetries=0)
        [task] = (await told.explain_execution(await execute(made, "work")))["tasks"]
        [attempt] = task["attempts"]
        assert attempt["oom"] and attempt["signal"] == 9 and "code" not in attempt


async def test_an_execution_costs_what_its_tasks_used() -> None:
    async with explained() as (made, told):
        await made.create_job(image=BATCH, tasks=3)
        cost = (await told.explain_execution(await execute(made, "work")))["cost"]
        assert cost["vcpuSeconds"] > 0 and cost["usd"] > 0
        assert cost["gibSeconds"] == pytest.approx(cost["vcpuSeconds"] / 2), "1 CPU and 512 MiB each"


async def test_what_does_not_exist_is_said_with_where_to_look() -> None:
    async with explained() as (made, told):
        with pytest.raises(NotFound, match="homerun services list"):
            await told.explain_service(HELLO)
        with pytest.raises(NotFound, match="homerun worker-pools list"):
            await told.explain_worker_pool(f"{LOCATION}/workerPools/crew")
        await made.create_job()
        with pytest.raises(NotFound, match="homerun jobs executions list"):
            await told.explain_execution(f"{LOCATION}/jobs/work/executions/work-abcde")


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """buildah's place is taken: it tells two lines, and fails if there is a file called `broken`."""
    seen: list[Path] = []

    async def build(context: Path, tag: str, log: object) -> str:
        seen.append(context)
        for line in ("STEP 1/2", "STEP 2/2"):
            log(line)  # type: ignore[operator]
        if (context / "broken").exists():
            raise FailedPrecondition("The build failed")
        return tag

    monkeypatch.setattr(insight, "build", build)
    return seen


def sources(*names: str) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    packed.seek(0)
    return packed


async def events(told: DaemonInsight, archive: io.BytesIO) -> list[BuildEvent]:
    async with aclosing(told.build("hello", archive)) as stream:  # type: ignore[type-var]
        return [event async for event in stream]


@pytest.mark.looptime(False)
async def test_a_build_tells_its_lines_then_its_image_and_leaves_no_folder(
    building: list[Path], tmp_path: Path
) -> None:
    async with api(state=tmp_path) as made:
        told = DaemonInsight(made.world.control, lambda: None)
        *lines, last = await events(told, sources("Dockerfile"))
        assert lines == [{"log": "STEP 1/2"}, {"log": "STEP 2/2"}]
        assert last["image"].startswith("localhost/hello:")  # type: ignore[typeddict-item]
        with pytest.raises(FailedPrecondition):
            await events(told, sources("Dockerfile", "broken"))
        assert not any(folder.exists() for folder in building)
