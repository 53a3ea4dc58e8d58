"""Executions on the whole control process in virtual time: retries, timeouts, cancel, crashes."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from homerun.core.admission import Size
from homerun.engine.base import Exit, InstanceSpec, Phase
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Line, Script
from homerun.lib.errors import HomerunError, Internal, ResourceExhausted
from homerun.lib.timestamps import from_rfc3339, to_rfc3339
from homerun.model import conditions
from homerun.store.base import Document, Put, Write
from tests.support.builders import IMAGE, LOCATION, execution_put, job_put, operation_name, operation_put
from tests.support.control import FullStore, World, world
from tests.support.examples import examples

pytestmark = pytest.mark.looptime

EXECUTION = f"{LOCATION}/jobs/work/executions/work-abcde"
OK = Script(exit=Exit(code=0), exit_after=1)


async def run(w: World, **fields: object) -> None:
    """What the API does for `:run`: a job whose image is pinned, an execution and its operation."""
    await w.store.apply(job_put())
    job = await w.settled("Job", f"{LOCATION}/jobs/work")
    await w.store.apply(execution_put(pinned=job.internal["digests"][0], **fields), operation_put("work"))  # type: ignore[arg-type]


async def tasks(w: World) -> list[Document]:
    found = await w.store.list("Task", prefix=EXECUTION)
    return sorted(found, key=lambda task: task.body["index"])


def completed(document: Document) -> conditions.Condition:
    found = conditions.find(document.body["conditions"], "Completed")
    assert found is not None
    return found


async def test_all_tasks_run_and_the_execution_succeeds() -> None:
    async with world({IMAGE: OK}) as w:
        await run(w, tasks=5)
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["state"] == conditions.SUCCEEDED
        assert (execution.body["succeededCount"], execution.body["runningCount"]) == (5, 0)
        assert execution.body["completionTime"] > execution.body["startTime"]
        assert [t.body["lastAttemptResult"] for t in await tasks(w)] == [{"status": {}, "exitCode": 0}] * 5
        operation = await w.get("Operation", operation_name("work"))
        assert operation.body["done"] and operation.body["response"]["succeededCount"] == 5
        job = await w.get("Job", f"{LOCATION}/jobs/work")
        assert job.body["latestCreatedExecution"]["completionStatus"] == "EXECUTION_SUCCEEDED"
        await w.until(lambda: w.engine.instances() == [])


async def test_a_task_finds_its_variables() -> None:
    async with world({IMAGE: OK}) as w:
        await run(w, tasks=2)
        await w.settled("Execution", EXECUTION)
        spec = next(s for s in w.engine.started if s.labels["task"] == "1")
        assert spec.containers[0].env == {
            "CLOUD_RUN_JOB": "work",
            "CLOUD_RUN_EXECUTION": "work-abcde",
            "CLOUD_RUN_TASK_INDEX": "1",
            "CLOUD_RUN_TASK_ATTEMPT": "0",
            "CLOUD_RUN_TASK_COUNT": "2",
        }


async def test_parallelism_and_the_machine_bound_what_runs_at_once() -> None:
    async with world({IMAGE: OK}, max_tasks=3) as w:
        await run(w, tasks=10, parallelism=5)
        most = 0

        def done() -> bool:
            nonlocal most
            most = max(most, len(w.engine.instances()))
            return len(w.engine.started) == 10

        await w.until(done)
        assert most == 3


async def another(w: World, job: str, tasks: int, **internal: object) -> str:
    """An execution of another job of the same image; its name."""
    put = execution_put(job, tasks=tasks)
    pinned = (await w.get("Execution", EXECUTION)).internal["digests"]
    body = {**put.body, "createTime": to_rfc3339(w.control.clock.now())}
    more = {"digests": pinned, **internal}
    await w.store.apply(Put("Execution", put.name, body, more), Put("Running", put.name, {}))
    return put.name


def ran(w: World, job: str) -> list[InstanceSpec]:
    return [spec for spec in w.engine.started if spec.labels["job"].endswith(f"/{job}")]


async def test_a_new_execution_has_its_part_of_the_machine_beside_one_with_many_tasks() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=10)}, max_tasks=4) as w:
        await run(w, tasks=40)
        await w.until(lambda: len(w.engine.started) == 4)
        other = await another(w, "small", tasks=2)
        execution = await w.settled("Execution", other)
        assert execution.body["succeededCount"] == 2
        assert len(ran(w, "work")) < 12
        assert (await w.get("Execution", EXECUTION)).body["runningCount"] == 4


async def test_memory_bounds_what_runs_at_once_and_services_count() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=10)}, max_tasks=100, task_memory=4096) as w:
        await run(w, tasks=12)
        await w.until(lambda: len(w.engine.started) == 8)
        await asyncio.sleep(5)
        assert len(w.engine.started) == 8
    assert await held(services=2) == 6
    assert await held(services=7) == 4, "half of the machine is theirs whatever others hold"


async def held(services: int) -> int:
    """Tasks of 512 MiB that run at once beside so many instances of as much, in 4 GiB."""
    async with world({IMAGE: Script()}, max_tasks=100, task_memory=4096) as w:
        w.control.crews.held = lambda: Size(0, services << 29)  # type: ignore[method-assign]
        await run(w, tasks=12)
        await asyncio.sleep(20)
        return len(w.engine.started)


async def test_a_task_that_can_never_fit_fails_at_once_with_the_reason_and_the_remedy() -> None:
    async with world({IMAGE: OK}, task_memory=256) as w:
        await run(w, tasks=3, maxRetries=3)
        execution = await w.settled("Execution", EXECUTION)
        assert w.engine.started == []
        assert completed(execution)["message"] == (
            "Task work-abcde-task0 failed with message: The container could not be started: it may use 0.5 GiB of "
            "memory, and tasks may have 0.2 GiB here all together. Give the job less with --memory, or raise "
            "--task-memory of `homerun up`"
        )
        assert (execution.body["failedCount"], execution.body["cancelledCount"]) == (1, 2)


async def test_one_that_waits_for_room_says_so_and_starts_when_there_is() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=30)}, max_tasks=1) as w:
        await run(w, tasks=1)
        await w.until(lambda: len(w.engine.started) == 1)
        other = await another(w, "later", tasks=1)

        async def waits() -> bool:
            resources = conditions.find(
                (await w.get("Execution", other)).body.get("conditions", ()), "ResourcesAvailable"
            )
            return resources is not None and "enough CPU and memory" in resources.get("message", "")

        await w.until(waits)
        execution = await w.settled("Execution", other)
        assert execution.body["succeededCount"] == 1
        found = conditions.find(execution.body["conditions"], "ResourcesAvailable")
        assert found is not None and found["state"] == conditions.SUCCEEDED


async def test_a_delayed_execution_starts_when_nobody_else_waits_or_after_twelve_hours() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=3600)}, max_tasks=1) as w:
        await run(w, tasks=5, timeout="86400s")
        late = await another(w, "late", tasks=1, delayed=True)

        async def waits() -> bool:
            found = conditions.find((await w.get("Execution", late)).body.get("conditions", ()), "Completed")
            return found is not None and found.get("executionReason") == "DELAYED_START_PENDING"

        await w.until(waits)
        await asyncio.sleep(4 * 3600)
        assert not ran(w, "late")
        await asyncio.sleep(1.5 * 3600)
        assert len(ran(w, "work")) == 5 and ran(w, "late"), "nobody else waits any more"
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=3600)}, max_tasks=1) as w:
        await run(w, tasks=100, timeout="86400s")
        await another(w, "late", tasks=1, delayed=True)
        await asyncio.sleep(11.9 * 3600)
        assert not ran(w, "late")
        await asyncio.sleep(1.2 * 3600)
        assert len(ran(w, "late")) == 1


async def test_one_that_replaces_others_begins_when_they_have_ended() -> None:
    async with world({IMAGE: Script(stop_after=5)}) as w:
        await run(w, tasks=1)
        await w.store.apply(Put("Running", EXECUTION, {}))
        await w.until(lambda: len(w.engine.started) == 1)
        other = await another(w, "next", tasks=1, replaces=[EXECUTION, f"{EXECUTION}-gone"])
        await asyncio.sleep(5)
        assert len(w.engine.started) == 1
        document = await w.get("Execution", EXECUTION)
        await w.store.apply(Put("Execution", EXECUTION, document.body, {**document.internal, "cancel": True}))
        await w.until(lambda: len(w.engine.started) == 2)
        assert completed(await w.get("Execution", EXECUTION))["executionReason"] == "CANCELLED"
        assert ran(w, "next")
        assert w.control.executions.waiting(other) == ""


async def test_thousands_of_tasks_are_written_in_small_batches_while_the_first_run() -> None:
    async with world({IMAGE: OK}, max_tasks=8) as w:
        sizes = []
        apply = w.store.apply

        async def counted(*writes: Write) -> Sequence[Document]:
            sizes.append(sum(write.kind == "Task" for write in writes))
            return await apply(*writes)

        w.store.apply = counted  # type: ignore[method-assign]
        await run(w, tasks=300)
        await w.until(lambda: len(w.engine.started) == 8)
        assert await w.store.count("Task") < 300

        async def all_written() -> bool:
            return await w.store.count("Task") == 300

        await w.until(all_written)
        document = await w.get("Execution", EXECUTION)
        await w.store.apply(Put("Execution", EXECUTION, document.body, {**document.internal, "cancel": True}))
        execution = await w.settled("Execution", EXECUTION)
        states = {t.body["labels"]["run.googleapis.com/runningState"] for t in await tasks(w)}
        assert states <= {"Succeeded", "Cancelled"}, "the end was written before the last task"
        assert execution.body["cancelledCount"] + execution.body["succeededCount"] == 300
        await w.store.apply(Put("Execution", EXECUTION, {**execution.body, "deleteTime": "x"}, execution.internal))

        async def gone() -> bool:
            return await w.store.get("Execution", EXECUTION) is None

        await w.until(gone)
        assert await w.store.count("Task") == 0
        assert max(sizes) <= 500


async def test_a_task_that_ends_while_control_is_away_before_anything_was_written_is_adopted() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=3)}, stop_instances=False) as before:
        await run(before, tasks=120, parallelism=20)
        await before.until(before.engine.instances)
    async with world(store=before.store, engine=before.engine) as after:
        execution = await after.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 120
        assert_each_attempt_ran_once_and_none_after_success(after.engine, await tasks(after))


async def test_failures_are_retried_until_they_heal() -> None:
    def flaky(spec: InstanceSpec) -> Script:
        return Script(exit=Exit(code=0 if spec.labels["attempt"] == "2" else 9), exit_after=1)

    async with world({IMAGE: flaky}) as w:
        await run(w, tasks=2, maxRetries=2)
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["state"] == conditions.SUCCEEDED
        assert execution.body["retriedCount"] == 2
        [first, _] = await tasks(w)
        assert [a.get("code") for a in first.internal["attempts"]] == [9, 9, 0]


async def test_a_task_out_of_retries_fails_the_execution_and_says_why() -> None:
    lines = tuple(Line(f"line {number}", 0.1) for number in range(12))
    async with world({IMAGE: Script(exit=Exit(code=9), exit_after=1, lines=lines)}) as w:
        await run(w, tasks=3, parallelism=1, maxRetries=1)
        execution = await w.settled("Execution", EXECUTION)
        told = completed(execution)["message"].splitlines()
        assert told[0] == (
            "Task work-abcde-task0 failed with message: The container exited with an error (exit code 9). "
            "Its last log lines:"
        )
        assert told[1:] == [f"line {number}" for number in range(2, 12)]
        [failed] = [t for t in await tasks(w) if "tail" in str(t.internal)]
        assert completed(failed)["message"].endswith("line 11")
        assert failed.body["lastAttemptResult"]["status"]["message"].endswith("(exit code 9).")
        states = [t.body["labels"]["run.googleapis.com/runningState"] for t in await tasks(w)]
        assert sorted(states) == ["Abandoned", "Abandoned", "Failed"]
        operation = await w.get("Operation", operation_name("work"))
        assert operation.body["error"]["message"] == completed(execution)["message"]


async def test_a_container_that_does_not_start_fails_the_attempt_with_what_its_probe_found() -> None:
    probe = {"httpGet": {"path": "/up", "port": 90}, "periodSeconds": 2, "failureThreshold": 3}
    async with world({IMAGE: Script(probe_failure="the container listens on no port")}) as w:
        await run(w, maxRetries=0, containers=[{"image": IMAGE, "startupProbe": probe}])
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["message"] == (
            "Task work-abcde-task0 failed with message: STARTUP HTTP probe failed 3 times consecutively for container "
            '"work-1" on port 90 path "/up": the container listens on no port. It wrote no log lines.'
        )


async def test_an_attempt_that_takes_too_long_is_stopped() -> None:
    async with world({IMAGE: Script()}) as w:
        await run(w, timeout="60s", maxRetries=0)
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["message"].endswith(
            "The configured timeout of 60 s was reached. It wrote no log lines."
        )
        [task] = await tasks(w)
        assert task.body["lastAttemptResult"]["termSignal"] == 15


async def test_a_memory_hog_is_named_as_such() -> None:
    async with world({IMAGE: Script(exit=Exit(signal=9, oom=True), exit_after=1)}) as w:
        await run(w, maxRetries=0)
        assert "exceeded its memory limit" in completed(await w.settled("Execution", EXECUTION))["message"]


async def test_cancel_stops_what_runs_and_starts_nothing_more() -> None:
    async with world({IMAGE: Script()}) as w:
        await run(w, tasks=4, parallelism=2)
        await w.until(lambda: len(w.engine.instances()) == 2)
        document = await w.get("Execution", EXECUTION)
        await w.store.apply(Put("Execution", EXECUTION, document.body, {**document.internal, "cancel": True}))
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["executionReason"] == "CANCELLED"
        assert execution.body["cancelledCount"] == 4
        assert len(w.engine.started) == 2


async def test_a_deleted_execution_takes_tasks_and_instances_with_it() -> None:
    async with world({IMAGE: Script()}) as w:
        await run(w, tasks=2)
        await w.until(lambda: len(w.engine.instances()) == 2)
        document = await w.get("Execution", EXECUTION)
        await w.store.apply(Put("Execution", EXECUTION, {**document.body, "deleteTime": "x"}, document.internal))
        await w.until(lambda: w.engine.instances() == [])
        assert await w.store.get("Execution", EXECUTION) is None
        assert await tasks(w) == []


async def test_a_deleted_job_waits_for_its_executions() -> None:
    async with world({IMAGE: Script()}) as w:
        await run(w, tasks=2)
        await w.until(lambda: len(w.engine.instances()) == 2)
        job = await w.get("Job", f"{LOCATION}/jobs/work")
        await w.store.apply(Put("Job", job.name, {**job.body, "deleteTime": "x"}, job.internal))
        await w.until(lambda: w.engine.instances() == [])

        async def gone() -> bool:
            return await w.store.get("Job", job.name) is None

        await w.until(gone)
        assert await w.store.count("Execution") == 0


async def test_a_job_with_an_unknown_image_is_not_ready_and_says_so() -> None:
    async with world() as w:
        await w.store.apply(job_put(image="registry.test/missing:1"))
        job = await w.settled("Job", f"{LOCATION}/jobs/work")
        assert job.body["terminalCondition"]["state"] == conditions.FAILED
        assert "registry.test/missing:1" in job.body["terminalCondition"]["message"]


async def test_stopping_homerun_interrupts_tasks_and_the_next_start_repeats_them_at_no_cost() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=100)}) as before:
        await run(before, tasks=2, maxRetries=0)
        await before.until(lambda: len(before.engine.instances()) == 2)
    async with world(store=before.store, engine=before.engine) as after:
        execution = await after.settled("Execution", EXECUTION)
        assert completed(execution)["state"] == conditions.SUCCEEDED
        [first, _] = await tasks(after)
        assert [a["outcome"] for a in first.internal["attempts"]] == ["interrupted", "exited"]


async def test_a_crash_of_control_loses_no_exit_and_repeats_no_success() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=30)}, stop_instances=False) as before:
        await run(before, tasks=3)
        await before.until(lambda: len(before.engine.instances()) == 3)
    async with world(store=before.store, engine=before.engine) as after:
        execution = await after.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 3
        assert len(after.engine.started) == 3


@pytest.mark.parametrize("seconds", [1.0, 8.0], ids=["before it ends", "after it"])
async def test_killed_in_the_middle_of_a_clean_end_what_was_told_to_stop_has_not_succeeded(seconds: float) -> None:
    """A good handler of SIGTERM ends with exit code 0, which says nothing of the task."""
    store = FullStore()
    script = Script(exit=Exit(code=0), exit_after=300, on_term=Exit(code=0), stop_after=5)
    async with world({IMAGE: script}, store=store, stop_instances=False) as before:
        await run(before, tasks=1, maxRetries=0)
        await before.until(lambda: before.engine.instances())
        store.full = True  # nothing of it is recorded any more
        end = asyncio.ensure_future(before.control.executions.stop_all())
        await asyncio.sleep(seconds)
        end.cancel()
    store.full = False
    async with world(store=store, engine=before.engine) as after:
        assert completed(await after.settled("Execution", EXECUTION))["state"] == conditions.SUCCEEDED
        [task] = await tasks(after)
        assert [a["outcome"] for a in task.internal["attempts"]] == ["interrupted", "exited"]
        assert len(after.engine.started) == 2


async def test_a_look_at_the_store_before_the_end_is_durable_starts_nothing_again() -> None:
    def one_after_the_other(spec: InstanceSpec) -> Script:
        return Script(exit=Exit(code=0), exit_after=1 + 0.008 * int(spec.labels["task"]))

    async with world({IMAGE: one_after_the_other}, max_tasks=20) as w:
        await run(w, tasks=20)
        await w.settled("Execution", EXECUTION)
        await asyncio.sleep(10)
        assert len(w.engine.started) == 20


async def test_an_attempt_that_the_engine_never_heard_of_is_repeated_at_no_cost() -> None:
    async with world({IMAGE: Script(exit=Exit(code=0), exit_after=30)}, stop_instances=False) as before:
        await run(before, tasks=1, maxRetries=0)
        await before.until(lambda: before.engine.instances())
        await before.until(lambda: before.control.executions.machine(EXECUTION).changed == set())  # type: ignore[union-attr]
        before.engine.vanish(before.engine.instances()[0].id)
    async with world(store=before.store, engine=before.engine) as after:
        assert completed(await after.settled("Execution", EXECUTION))["state"] == conditions.SUCCEEDED
        [task] = await tasks(after)
        assert [a["outcome"] for a in task.internal["attempts"]] == ["interrupted", "exited"]


@pytest.mark.parametrize("seed", range(examples(20)))
async def test_control_killed_again_and_again_under_a_running_execution(seed: int) -> None:
    rng = random.Random(seed)

    def task(spec: InstanceSpec) -> Script:
        # Which attempts fail depends on task and attempt alone, so that it is the same whoever asks.
        failed = random.Random(f"{seed}/{spec.labels['task']}/{spec.labels['attempt']}").random() < 0.2
        return Script(exit=Exit(code=1 if failed else 0), exit_after=1 + 10 * rng.random())

    store, engine = None, None
    for _ in range(6):
        async with world({IMAGE: task}, store=store, engine=engine, stop_instances=False, max_tasks=8) as w:
            store, engine = w.store, w.engine
            if await w.store.get("Execution", EXECUTION) is None:
                await run(w, tasks=30, maxRetries=5)
            await asyncio.sleep(rng.random() * 8)
    async with world({IMAGE: task}, store=store, engine=engine, max_tasks=8) as w:
        execution = await w.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 30
        assert_each_attempt_ran_once_and_none_after_success(w.engine, await tasks(w))
        await w.until(lambda: w.engine.instances() == [])


def assert_each_attempt_ran_once_and_none_after_success(engine: FakeEngine, found: list[Document]) -> None:
    started = [(spec.labels["task"], spec.labels["attempt"]) for spec in engine.started]
    assert len(started) == len(set(started))
    for task in found:
        attempts = task.internal["attempts"]
        assert [a["outcome"] for a in attempts][-1] == "exited" and attempts[-1].get("code") == 0
        assert all(a.get("code") != 0 for a in attempts[:-1])
        # An attempt may have been recorded just before the crash and never have reached the engine.
        ran = [a for a in attempts if a["outcome"] != "interrupted"]
        assert len([t for t, _ in started if t == str(task.body["index"])]) == len(ran)


async def test_on_a_full_disk_outcomes_wait_until_there_is_room_again() -> None:
    store = FullStore()
    async with world({IMAGE: OK}, store=store) as w:
        await run(w, tasks=3, parallelism=1)
        await w.until(lambda: len(w.engine.started) == 2)
        store.full = True
        await asyncio.sleep(100)
        assert len(w.engine.started) == 3, "it goes on meanwhile"
        assert len(w.engine.instances()) >= 2, "what is not durable is not forgotten"
        store.full = False
        execution = await w.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 3
        assert {t.body["lastAttemptResult"]["exitCode"] for t in await tasks(w)} == {0}
        await w.until(lambda: w.engine.instances() == [])
        assert len(w.engine.started) == 3


@pytest.mark.parametrize("error", [ResourceExhausted("no space left"), Internal("crun was killed")])
async def test_what_the_machine_cannot_start_now_waits_and_costs_no_retry(error: HomerunError) -> None:
    script = Script(start_error=error)
    async with world({IMAGE: lambda spec: script}) as w:
        await run(w, tasks=3, maxRetries=0)
        await asyncio.sleep(10)
        execution = await w.get("Execution", EXECUTION)
        assert (execution.body.get("failedCount", 0), w.engine.started) == (0, [])
        script = OK
        execution = await w.settled("Execution", EXECUTION)
        assert execution.body["succeededCount"] == 3
        assert {spec.labels["attempt"] for spec in w.engine.started} == {"0"}


async def test_what_the_machine_cannot_start_for_long_has_failed() -> None:
    async with world({IMAGE: Script(start_error=ResourceExhausted("no space left"))}) as w:
        await run(w, tasks=1, maxRetries=0)
        execution = await w.settled("Execution", EXECUTION)
        assert completed(execution)["state"] == conditions.FAILED
        assert "no space left" in str(await tasks(w))


@pytest.mark.parametrize("by", [7200.0, -7200.0])
async def test_a_clock_that_is_set_ends_no_task_early_and_lets_none_go_on(by: float) -> None:
    async with world({IMAGE: Script()}) as w:
        await run(w, tasks=2, parallelism=1, timeout="60s", maxRetries=0)
        await w.until(lambda: len(w.engine.started) == 1)
        began = w.clock.mono()
        await asyncio.sleep(30)
        w.clock.ahead = by
        await asyncio.sleep(25)
        assert [state.phase for state in w.engine.instances()] == [Phase.READY]
        await w.until(lambda: not w.engine.instances(), seconds=30)
        assert 59 < w.clock.mono() - began < 75
        first = (await tasks(w))[0].body
        took = from_rfc3339(first["completionTime"]) - from_rfc3339(first["startTime"])
        assert 59 < took < 75, "by whatever clock"


@pytest.mark.parametrize("by", [7200.0, -7200.0])
async def test_a_clock_that_was_set_while_control_was_away_ends_no_task_early(by: float) -> None:
    async with world({IMAGE: Script()}, stop_instances=False) as before:
        await run(before, tasks=1, timeout="60s", maxRetries=0)
        await before.until(lambda: len(before.engine.started) == 1)
        began = before.clock.mono()
        await asyncio.sleep(30)
    for instance in before.engine._instances.values():
        instance.state = replace(instance.state, started=instance.state.started + by)  # as the OCI engine does it
    async with world(store=before.store, engine=before.engine, ahead=by) as w:
        await asyncio.sleep(20)
        assert [state.phase for state in w.engine.instances()] == [Phase.READY]
        await w.until(lambda: not w.engine.instances(), seconds=30)
        assert 59 < w.clock.mono() - began < 75
