"""Jobs: tokens, what they say of their latest execution, and how many executions there may be."""

import asyncio
import contextlib
import random
from typing import Any

import pytest

from homerun.engine.base import Exit, Phase
from homerun.engine.fake.script import Behaviour, Script
from homerun.model import conditions, labels, limits
from tests.support.api import BATCH, FAILING, LOCATION, RUN, SLOW, V2, Api, Refused, api, job

pytestmark = pytest.mark.looptime


async def create(a: Api, body: dict[str, Any], name: str = "work") -> Any:
    return await a("POST", f"{V2}/jobs?jobId={name}", body)


async def get(a: Api, path: str = "jobs/work") -> Any:
    return await a("GET", f"{V2}/{path}")


async def executions(a: Api, name: str = "work") -> list[Any]:
    found: list[Any] = (await get(a, f"jobs/{name}/executions?pageSize=1000"))["executions"]
    return found


async def test_a_job_with_a_run_token_is_ready_when_its_execution_has_completed() -> None:
    minutes = "registry.test/minutes:1"
    async with api({minutes: Script(exit=Exit(code=0), exit_after=180)}) as a:
        operation = await create(a, {**job(minutes), "runExecutionToken": "once"})
        await asyncio.sleep(60)
        waiting = await get(a)
        assert waiting["reconciling"] is True
        assert waiting["terminalCondition"]["message"] == "Waiting until execution work-once has completed."
        assert waiting["latestCreatedExecution"]["completionStatus"] == "EXECUTION_RUNNING"
        done = await a.done(operation)
        assert done["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert done["response"]["latestCreatedExecution"]["completionStatus"] == "EXECUTION_SUCCEEDED"
        assert [e["name"].rpartition("/")[2] for e in await executions(a)] == ["work-once"]


async def test_a_job_with_a_start_token_is_ready_when_its_execution_has_started() -> None:
    async with api() as a:
        done = await a.done(await create(a, {**job(SLOW), "startExecutionToken": "go"}))
        assert done["response"]["latestCreatedExecution"]["completionStatus"] == "EXECUTION_RUNNING"
        execution = await get(a, "jobs/work/executions/work-go")
        assert "completionTime" not in execution


async def test_a_job_fails_with_the_execution_that_its_token_asked_for() -> None:
    async with api() as a:
        done = await a.done(await create(a, {**job(FAILING, maxRetries=0), "runExecutionToken": "once"}))
        assert "exit code 3" in done["error"]["message"]
        stored = await get(a)
        assert stored["terminalCondition"]["state"] == "CONDITION_FAILED"
        assert (stored["reconciling"], stored["observedGeneration"]) == (False, "1")


async def test_a_token_runs_once_and_a_new_one_once_more() -> None:
    async with api() as a:
        body = {**job(), "runExecutionToken": "one"}
        await a.done(await create(a, body))
        changed = {**job(timeout="99s"), "runExecutionToken": "one"}
        await a.done(await a("PATCH", f"{V2}/jobs/work", changed))
        assert len(await executions(a)) == 1
        await a.done(await a("PATCH", f"{V2}/jobs/work", {**changed, "runExecutionToken": "two"}))
        assert {e["name"].rpartition("-")[2] for e in await executions(a)} == {"one", "two"}
        assert (await get(a))["executionCount"] == 2


async def test_a_token_whose_execution_was_deleted_is_used_up() -> None:
    async with api() as a:
        await a.done(await create(a, {**job(), "runExecutionToken": "one"}))
        await a.done(await a("DELETE", f"{V2}/jobs/work/executions/work-one"))
        changed = await a.done(await a("PATCH", f"{V2}/jobs/work", {**job(timeout="99s"), "runExecutionToken": "one"}))
        assert changed["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert await executions(a) == []


async def test_a_job_that_failed_with_its_token_can_be_run() -> None:
    async with api() as a:
        await a.done(await create(a, {**job(FAILING, maxRetries=0), "runExecutionToken": "once"}))
        await a("POST", f"{V2}/jobs/work:run", {})
        assert len(await executions(a)) == 2


async def running_job(a: Api, overlap: str) -> str:
    """A job with this policy whose first token's execution runs; the execution's name."""
    body = {**job(SLOW), "annotations": {"homerun-overlap": overlap}, "startExecutionToken": "one"}
    await a.done(await create(a, body))
    return f"{LOCATION}/jobs/work/executions/work-one"


async def ask(a: Api, overlap: str, token: str) -> Any:
    """The operation of an update with another token."""
    annotations = {"homerun-overlap": overlap}
    return await a("PATCH", f"{V2}/jobs/work", {**job(SLOW), "annotations": annotations, "startExecutionToken": token})


async def test_a_job_that_forbids_overlap_does_not_start_what_its_token_asks_for() -> None:
    async with api() as a:
        first = await running_job(a, "forbid")
        error = (await a.done(await ask(a, "forbid", "two")))["error"]
        assert error["code"] == 9
        assert error["message"] == (
            "Execution work-two was not started. Job work forbids that its executions overlap, and work-one is not "
            "over: wait until it is, or cancel it"
        )
        stored = await get(a)
        assert stored["terminalCondition"]["state"] == "CONDITION_FAILED"
        assert stored["terminalCondition"]["message"] == error["message"]
        assert (stored["reconciling"], stored["observedGeneration"]) == (False, "2")
        assert [e["name"] for e in await executions(a)] == [first]

        await a.done(await a("POST", f"/v2/{first}:cancel", {}))
        again = await a.done(await a("PATCH", f"{V2}/jobs/work", {**stored, "labels": {"try": "again"}}))
        assert again["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED", "the token is not used up"
        assert {e["name"].rpartition("-")[2] for e in await executions(a)} == {"one", "two"}


async def test_what_a_token_asks_for_can_take_the_place_of_what_runs() -> None:
    async with api() as a:
        first = await running_job(a, "replace")
        assert "response" in await a.done(await ask(a, "replace", "two"))
        replacing = await a.world.get("Execution", f"{LOCATION}/jobs/work/executions/work-two")
        assert replacing.internal["replaces"] == [first]
        assert (await a("GET", f"/v2/{first}"))["cancelledCount"] == 1
        assert (await get(a, "jobs/work/executions/work-two"))["runningCount"] == 1


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.05, 0.07, 0.1, 1.0])
async def test_what_a_token_asks_for_starts_once_whenever_control_is_killed(seconds: float) -> None:
    async with api(stop_instances=False) as a:
        first = await running_job(a, "replace")
        await ask(a, "replace", "two")
        await asyncio.sleep(seconds)
        store, engine = a.world.store, a.world.engine
    async with api(store=store, engine=engine) as a:
        await a.world.settled("Job", f"{LOCATION}/jobs/work")
        assert (await a("GET", f"/v2/{first}"))["cancelledCount"] == 1
        assert {e["name"].rpartition("-")[2] for e in await executions(a)} == {"one", "two"}
        assert (await get(a))["executionCount"] == 2


async def test_what_tokens_ask_for_may_run_side_by_side() -> None:
    async with api() as a:
        await running_job(a, "allow")
        await a.done(await ask(a, "allow", "two"))
        assert [e["runningCount"] for e in await executions(a)] == [1, 1]


async def test_of_a_token_and_a_run_at_the_same_moment_a_job_that_forbids_overlap_takes_one() -> None:
    async with api() as a:
        annotations = {"homerun-overlap": "forbid"}
        await a.done(await create(a, {**job(SLOW), "annotations": annotations}))
        operation, *_ = await asyncio.gather(
            ask(a, "forbid", "two"), *(a("POST", f"{V2}/jobs/work:run", {}) for _ in range(3)), return_exceptions=True
        )
        await a.done(operation)
        assert len(await executions(a)) == 1


async def test_a_token_starts_nothing_where_too_many_executions_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RUNNING_EXECUTIONS", 1)
    async with api() as a:
        await running_job(a, "allow")
        error = (await a.done(await ask(a, "allow", "two")))["error"]
        assert (error["code"], error["message"].startswith("Execution work-two was not started. too many")) == (8, True)


async def test_a_job_whose_execution_is_deleted_under_it_waits_no_longer() -> None:
    async with api() as a:
        operation = await create(a, {**job(SLOW), "runExecutionToken": "once"})
        await asyncio.sleep(60)
        await a.done(await a("DELETE", f"{V2}/jobs/work/executions/work-once"))
        assert "was deleted before it had completed" in (await a.done(operation))["error"]["message"]
        assert "deleteTime" in (await get(a))["latestCreatedExecution"]


async def test_a_job_that_waits_for_its_token_can_be_run_meanwhile() -> None:
    async with api() as a:
        await create(a, {**job(SLOW), "runExecutionToken": "once"})
        await a("POST", f"{V2}/jobs/work:run", {})
        assert len(await executions(a)) == 2


@pytest.mark.parametrize(
    ("tokens", "field"),
    [
        ({"runExecutionToken": "Up"}, "runExecutionToken"),
        ({"startExecutionToken": "x" * 59}, "startExecutionToken"),
        ({"runExecutionToken": "a", "startExecutionToken": "b"}, "runExecutionToken"),
    ],
)
async def test_bad_tokens_are_refused(tokens: dict[str, str], field: str) -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await create(a, {**job(), **tokens})
        assert caught.value.fields == [field]


async def test_v1_has_tokens_too() -> None:
    async with api() as a:
        spec = {"template": {"spec": {"template": {"spec": {"containers": [{"image": BATCH}]}}}}}
        body = {
            "apiVersion": "run.googleapis.com/v1",
            "kind": "Job",
            "metadata": {"name": "work"},
            "spec": {**spec, "runExecutionToken": "once"},
        }
        made = await a("POST", f"{RUN}/jobs", body)
        assert made["spec"]["runExecutionToken"] == "once"
        await a.world.settled("Job", f"{LOCATION}/jobs/work")
        shown = await a("GET", f"{RUN}/jobs/work")
        assert shown["status"]["latestCreatedExecution"]["name"] == "work-once"
        assert shown["status"]["conditions"][0]["status"] == "True"


async def test_of_completed_executions_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COMPLETED_EXECUTIONS", 3)
    async with api() as a:
        await a.create_job("slow", SLOW)
        await a.create_job()
        kept_running = await a("POST", f"{V2}/jobs/slow:run", {})
        made = []
        for _ in range(6):
            operation = await a.done(await a("POST", f"{V2}/jobs/work:run", {}))
            made.append(operation["response"]["name"])
        await a.world.until(lambda: _names(a, 3))
        assert {e["name"] for e in await executions(a)} == set(made[-3:])
        assert await a.world.store.count("Task", prefix=f"{LOCATION}/jobs/work/") == 3, "their tasks went with them"
        assert (await get(a))["executionCount"] == 6
        assert (await executions(a, "slow"))[0]["name"] == kept_running["metadata"]["name"]


async def _names(a: Api, count: int) -> bool:
    return len(await executions(a)) == count


async def test_too_many_running_executions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RUNNING_EXECUTIONS", 2)
    async with api() as a:
        await a.create_job("slow", SLOW)
        first = await a("POST", f"{V2}/jobs/slow:run", {})
        await a("POST", f"{V2}/jobs/slow:run", {})
        with pytest.raises(Refused, match="too many executions are already running") as caught:
            await a("POST", f"{V2}/jobs/slow:run", {})
        assert (caught.value.http, caught.value.error["status"]) == (429, "RESOURCE_EXHAUSTED")
        with pytest.raises(Refused, match="RESOURCE_EXHAUSTED"):
            await a("POST", f"{RUN}/jobs/slow:run", {})
        path = first["metadata"]["name"].removeprefix(LOCATION)
        await a.done(await a("POST", f"{V2}{path}:cancel", {}))
        await a("POST", f"{V2}/jobs/slow:run", {})


async def test_an_execution_that_retries_says_so_for_information_only() -> None:
    flaky = "registry.test/flaky:1"
    script = Script(exit=Exit(code=1), exit_after=30)
    async with api({flaky: script}) as a:
        await a.create_job("flaky", flaky)
        operation = await a("POST", f"{V2}/jobs/flaky:run", {})
        await asyncio.sleep(40)
        id = operation["metadata"]["name"].rpartition("/")[2]
        shown = {c["type"]: c for c in (await a("GET", f"{RUN}/executions/{id}"))["status"]["conditions"]}
        assert (shown["Retry"]["status"], shown["Retry"]["reason"]) == ("True", "ImmediateRetry")
        assert shown["Retry"]["severity"] == "Info"
        await a.done(operation)
        ended = await get(a, f"jobs/flaky/executions/{id}")
        completed = conditions.find(ended["conditions"], "Completed")
        assert completed and completed["executionReason"] == "NON_ZERO_EXIT_CODE"
        assert conditions.find(ended["conditions"], "Retry") is None


async def test_of_several_containers_an_override_names_one() -> None:
    async with api() as a:
        containers = [{"image": BATCH, "name": "main"}]
        await a.create_job(containers=containers)
        override = {"overrides": {"containerOverrides": [{"name": "other", "args": ["x"]}]}}
        with pytest.raises(Refused) as caught:
            await a("POST", f"{V2}/jobs/work:run", override)
        assert caught.value.fields == ["overrides.containerOverrides[0].name"]


async def test_tasks_are_selected_by_their_state_as_gcloud_does() -> None:
    async with api() as a:
        await a.create_job(tasks=2)
        done = (await a.done(await a("POST", f"{V2}/jobs/work:run", {})))["response"]
        id = done["name"].rpartition("/")[2]
        selector = f"run.googleapis.com/execution = {id},run.googleapis.com/runningState in (Succeeded,Failed)"
        found = await a("GET", f"{RUN}/tasks?labelSelector={selector.replace(' ', '+')}")
        assert [t["metadata"]["labels"]["run.googleapis.com/taskIndex"] for t in found["items"]] == ["0", "1"]
        pending = selector.replace("Succeeded,Failed", "Pending,Running")
        assert (await a("GET", f"{RUN}/tasks?labelSelector={pending.replace(' ', '+')}"))["items"] == []


async def test_who_waits_for_an_execution_that_is_deleted_is_told() -> None:
    async with api() as a:
        await a.create_job("slow", SLOW)
        running = await a("POST", f"{V2}/jobs/slow:run", {})
        await asyncio.sleep(5)
        path = running["metadata"]["name"].removeprefix(LOCATION)
        deleted = (await a.done(await a("DELETE", f"{V2}{path}")))["response"]
        completed = conditions.find(deleted["conditions"], "Completed")
        assert completed and completed["executionReason"] == "DELETED"
        assert "was deleted" in (await a.done(running))["error"]["message"]
        await a.world.until(lambda: not a.world.engine.instances())


@pytest.mark.parametrize("overlap", ["forbid", "replace"])
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_asked_for_when_tasks_of_one_execution_run_at_a_time(overlap: str, seed: int) -> None:
    """Runs, tokens, cancellations, and kills of control, at random moments."""
    rng = random.Random(seed)
    long = "registry.test/long:1"
    images: dict[str, Behaviour] = {long: Script(exit=Exit(code=0), exit_after=40, stop_after=3)}
    body = {**job(long), "annotations": {"homerun-overlap": overlap}}
    kept: dict[str, Any] = {}
    for life in range(6):
        async with api(images, stop_instances=False, **kept) as a:
            kept = {"store": a.world.store, "engine": a.world.engine}
            if life == 0:
                await a.done(await create(a, body))
            for step in range(rng.randint(1, 5)):
                wish = rng.choice(["run", "run", "token", "cancel"])
                with contextlib.suppress(Refused):
                    if wish == "run":
                        await a("POST", f"{V2}/jobs/work:run", {})
                    elif wish == "token":
                        await a("PATCH", f"{V2}/jobs/work", {**body, "startExecutionToken": f"t{life}-{step}"})
                    elif found := await executions(a):
                        await a("POST", f"/v2/{rng.choice(found)['name']}:cancel", {})
                for _ in range(rng.randint(0, 200)):
                    await asyncio.sleep(0.05)
                    running = [state for state in a.world.engine.instances() if state.phase is not Phase.EXITED]
                    assert len({state.labels[labels.EXECUTION] for state in running}) <= 1
    async with api(images, **kept) as a:
        await a.world.until(lambda: _all_over(a))


async def _all_over(a: Api) -> bool:
    return all("completionTime" in execution for execution in await executions(a))
