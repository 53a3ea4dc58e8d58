import json
from typing import Any

import pytest

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

JOBS = "/v2/projects/p/locations/r/jobs"
INGEST = f"{JOBS}/ingest"
EXECUTION = f"{INGEST}/executions/ingest-abcde"
RESOURCE: dict[str, Any] = {
    "name": INGEST.removeprefix("/v2/"),
    "executionCount": 3,
    "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
    "template": {"taskCount": 20, "template": {"containers": [{"image": "old"}], "maxRetries": 3, "timeout": "600s"}},
}
DONE = {"name": "o/1", "done": True, "response": RESOURCE}


def execution(*states: str, **more: Any) -> dict[str, Any]:
    kinds = ("Started", "Completed")
    conditions = [{"type": t, "state": f"CONDITION_{s}"} for t, s in zip(kinds, states, strict=False)]
    return {"name": EXECUTION.removeprefix("/v2/"), "taskCount": 20, "conditions": conditions, **more}


def runs(api: FakeApi, *states: dict[str, Any]) -> None:
    api.on("POST", f"{INGEST}:run", {"name": "o/2", "metadata": {"@type": "t", **execution()}})
    api.on("GET", EXECUTION, *states)
    told = {"counts": {"Succeeded": 20}, "retried": 0, "running": [], "slowest": [], "failures": [], "waiting": ""}
    api.on("GET", EXECUTION.replace("/v2/", "/homerun/v1/") + ":progress", told)


def test_deploy_creates_what_is_not_there(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", JOBS, DONE)
    result = homerun("jobs", "deploy", "ingest", "--image", "i", "--tasks", "20")
    assert result.exit_code == 0
    (asked,) = [a for a in api.asked if a.method == "POST"]
    assert asked.query == {"jobId": "ingest"}
    assert asked.body["template"]["taskCount"] == 20


def test_deploy_changes_what_is_there(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", INGEST, RESOURCE)
    api.on("PATCH", INGEST, DONE)
    assert homerun("jobs", "deploy", "ingest", "--max-retries", "0").exit_code == 0
    (sent,) = api.sent("PATCH", INGEST)
    assert sent["template"]["template"] == {"containers": [{"image": "old"}], "maxRetries": 0, "timeout": "600s"}


def test_create_does_not_look_and_lets_homerun_refuse(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", INGEST, RESOURCE)
    api.on("POST", JOBS, DONE)
    assert homerun("jobs", "create", "ingest", "--image", "i").exit_code == 0
    assert not api.sent("PATCH", INGEST)


def test_deploy_with_wait_also_executes(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", JOBS, DONE)
    runs(api, execution("SUCCEEDED", "SUCCEEDED"))
    result = homerun("jobs", "deploy", "ingest", "--image", "i", "--wait")
    assert (result.exit_code, result.stdout) == (0, "ingest-abcde\n")


def test_execute_waits_for_the_start_and_says_how_to_come_back(homerun: Invoke, api: FakeApi) -> None:
    runs(api, execution("RECONCILING"), execution("SUCCEEDED"))
    result = homerun("jobs", "execute", "ingest")
    assert (result.exit_code, result.stdout) == (0, "ingest-abcde\n")
    assert "homerun jobs executions describe ingest-abcde" in result.stderr


def test_execute_async_does_not_ask_again(homerun: Invoke, api: FakeApi) -> None:
    runs(api, execution())
    assert homerun("jobs", "execute", "ingest", "--async").exit_code == 0
    assert not [a for a in api.asked if a.path == EXECUTION]


def test_execute_wait_ends_with_the_execution(homerun: Invoke, api: FakeApi) -> None:
    runs(api, execution("SUCCEEDED", succeededCount=5), execution("SUCCEEDED", "SUCCEEDED", succeededCount=20))
    result = homerun("jobs", "execute", "ingest", "--wait", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["succeededCount"] == 20


@pytest.mark.parametrize("flags", [("--wait",), ()])
def test_an_execution_that_failed_is_exit_code_1(homerun: Invoke, api: FakeApi, flags: tuple[str, ...]) -> None:
    runs(api, execution("SUCCEEDED", "FAILED"))
    api.on("GET", f"{EXECUTION}/tasks", {"tasks": []})
    result = homerun("jobs", "execute", "ingest", *flags)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ingest-abcde did not succeed" in result.stderr


def test_of_an_execution_that_failed_there_is_a_document_too(homerun: Invoke, api: FakeApi) -> None:
    runs(api, execution("SUCCEEDED", "FAILED", failedCount=1))
    api.on("GET", f"{EXECUTION}/tasks", {"tasks": []})
    result = homerun("jobs", "execute", "ingest", "--wait", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failedCount"] == 1


def test_overrides_are_sent(homerun: Invoke, api: FakeApi) -> None:
    runs(api, execution("SUCCEEDED"))
    flags = ("--tasks", "3", "--args", "a,b", "--update-env-vars", "K=v", "--task-timeout", "1m")
    assert homerun("jobs", "execute", "ingest", *flags).exit_code == 0
    container = {"args": ["a", "b"], "env": [{"name": "K", "value": "v"}]}
    expected = {"overrides": {"containerOverrides": [container], "taskCount": 3, "timeout": "60s"}}
    assert api.sent("POST", f"{INGEST}:run") == [expected]


def test_list_and_describe(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", JOBS, {"jobs": [RESOURCE]})
    api.on("GET", INGEST, RESOURCE)
    api.on("GET", f"{INGEST}/executions", {"executions": [execution("SUCCEEDED", "SUCCEEDED", succeededCount=20)]})
    assert "✓  ingest  20     3           -       -" in homerun("jobs", "list").stdout
    described = homerun("jobs", "describe", "ingest").stdout
    assert "20 tasks, parallelism unlimited, 3 retries, 600s for each attempt" in described
    assert "✓  ingest-abcde  succeeded  20/20 done  -" in described
    assert json.loads(homerun("jobs", "list", "--format", "json").stdout) == [RESOURCE]
    assert set(json.loads(homerun("jobs", "describe", "ingest", "--format", "json").stdout)) == {"job", "executions"}


def test_delete(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", INGEST, RESOURCE)
    api.on("DELETE", INGEST, DONE)
    assert homerun("jobs", "delete", "ingest", "--quiet").exit_code == 0
    assert len(api.sent("DELETE", INGEST)) == 1


@pytest.mark.parametrize(
    "arguments,said",
    [
        (("deploy", "ingest"), "give --image or --source"),
        (("execute", "ingest", "--wait", "--async"), "not both"),
        (("execute", "ingest", "--tasks", "0"), "1<=x<=10000"),
        (("execute", "ingest", "--task-timeout", "x"), "no duration"),
    ],
)
def test_wrong_usage_is_exit_code_2(homerun: Invoke, arguments: tuple[str, ...], said: str) -> None:
    result = homerun("jobs", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
