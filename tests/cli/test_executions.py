import json

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

JOBS = "/v2/projects/p/locations/r/jobs"
ONE = f"{JOBS}/ingest/executions/ingest-abcde"
ODD = f"{JOBS}/ingest/executions/ingest-my-token"
RESOURCE = {
    "name": ONE.removeprefix("/v2/"),
    "createTime": "2024-11-24T11:00:00Z",
    "taskCount": 2,
    "succeededCount": 2,
    "conditions": [{"type": "Completed", "state": "CONDITION_SUCCEEDED"}],
}
EXPLAINED = {
    "tasks": [{"index": 0, "state": "Succeeded", "attempts": []}],
    "timeline": [{"time": "2024-11-24T11:00:00.5Z", "what": "task 0 started"}],
    "cost": {"vcpuSeconds": 2, "gibSeconds": 1, "requests": 0, "billableSeconds": 60, "usd": 0.001},
}


def test_list_is_newest_first_over_all_jobs(homerun: Invoke, api: FakeApi) -> None:
    newer = {**RESOURCE, "name": ODD.removeprefix("/v2/"), "createTime": "2024-11-24T12:00:00Z"}
    api.on("GET", f"{JOBS}/-/executions", {"executions": [RESOURCE, newer]})
    lines = homerun("jobs", "executions", "list").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["ingest-my-token", "ingest-abcde"]
    assert lines[1].split()[2:5] == ["succeeded", "2/2", "done"]


def test_list_of_one_job_as_json(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{JOBS}/ingest/executions", {"executions": [RESOURCE]})
    result = homerun("jobs", "executions", "list", "--job", "ingest", "--format", "json")
    assert json.loads(result.stdout) == [RESOURCE]


def test_describe_tells_tasks_timeline_and_cost(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", ONE, RESOURCE)
    api.on("GET", ONE.replace("/v2/", "/homerun/v1/") + ":explain", EXPLAINED)
    result = homerun("jobs", "executions", "describe", "ingest-abcde")
    assert result.exit_code == 0
    for text in ("✓ ingest-abcde  succeeded, 2/2 done", "11:00:00.5  task 0 started", "$0.001000"):
        assert text in result.stdout


def test_an_execution_whose_suffix_has_hyphens_is_looked_for(homerun: Invoke, api: FakeApi) -> None:
    found = {**RESOURCE, "name": ODD.removeprefix("/v2/")}
    api.on("GET", f"{JOBS}/-/executions", {"executions": [RESOURCE, found]})
    api.on("POST", f"{ODD}:cancel", {"name": "o/1", "done": True})
    assert homerun("jobs", "executions", "cancel", "ingest-my-token").exit_code == 0
    assert api.sent("POST", f"{ODD}:cancel") == [{}]


def test_an_execution_that_does_not_exist_is_exit_code_1(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{JOBS}/-/executions", {})
    result = homerun("jobs", "executions", "describe", "ingest-zzzzz")
    assert result.exit_code == 1
    assert "ingest-zzzzz does not exist" in result.stderr


def test_cancel_waits_unless_told_otherwise(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", ONE, RESOURCE)
    api.on("POST", f"{ONE}:cancel", {"name": "o/1"})
    api.on("POST", "/v2/o/1:wait", {"name": "o/1", "done": True})
    assert homerun("jobs", "executions", "cancel", "ingest-abcde", "--async").exit_code == 0
    assert not api.sent("POST", "/v2/o/1:wait")
    assert homerun("jobs", "executions", "cancel", "ingest-abcde").exit_code == 0
    assert api.sent("POST", "/v2/o/1:wait")
