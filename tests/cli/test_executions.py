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
    "moreTasks": 1,
    "moreMoments": 0,
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


EXPLAIN = ONE.replace("/v2/", "/homerun/v1/") + ":explain"


def test_describe_asks_for_no_more_than_it_shows_unless_a_program_reads_it(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", ONE, RESOURCE)
    api.on("GET", EXPLAIN, EXPLAINED)
    assert "and 1 more" in homerun("jobs", "executions", "describe", "ingest-abcde").stdout
    made = json.loads(homerun("jobs", "executions", "describe", "ingest-abcde", "--format", "json").stdout)
    assert made == {"execution": RESOURCE, "explain": EXPLAINED}
    assert [asked.query for asked in api.asked if asked.path == EXPLAIN] == [{"tasks": "50", "moments": "20"}, {}]


def test_describe_can_watch_it_to_its_end_first(homerun: Invoke, api: FakeApi) -> None:
    told = {"counts": {"Succeeded": 2}, "retried": 0, "running": [], "slowest": [], "failures": [], "waiting": ""}
    api.on("GET", ONE, {**RESOURCE, "conditions": []}, RESOURCE)
    api.on("GET", EXPLAIN.replace(":explain", ":progress"), told)
    api.on("GET", EXPLAIN, EXPLAINED)
    result = homerun("jobs", "executions", "describe", "ingest-abcde", "--watch")
    assert "Running ingest-abcde" in result.stderr
    assert "succeeded, 2/2 done" in result.stdout


def test_tasks_are_listed_or_one_is_shown_with_its_attempts_and_its_log(homerun: Invoke, api: FakeApi) -> None:
    attempt = {"attempt": 0, "started": "2024-11-24T11:00:00Z", "ended": "2024-11-24T11:00:01Z", "code": 3, "why": "no"}
    task = {"index": 1, "state": "Failed", "attempts": [attempt]}
    api.on("GET", ONE, RESOURCE)
    api.on("GET", EXPLAIN, {**EXPLAINED, "tasks": [task]})
    api.on("POST", "/v2/entries:list", {"entries": [{"textPayload": "last"}, {"textPayload": "first"}]})
    listed = homerun("jobs", "executions", "tasks", "ingest-abcde", "--limit", "1").stdout.splitlines()
    assert listed[1].split() == "1 Failed 1 exit code 3 after 1.0 s".split()
    assert listed[-1] == "  and 1 more: --limit 2"
    shown = homerun("jobs", "executions", "tasks", "ingest-abcde", "--task", "1").stdout
    assert "task 1 of ingest-abcde  Failed" in shown
    assert "exit code 3 after 1.0 s  no" in shown
    assert shown.endswith("  first\n  last\n")
    [filter] = [body["filter"] for body in api.sent("POST", "/v2/entries:list")]
    assert '"run.googleapis.com/task_index" = 1' in filter
    for arguments, made in (((), [task]), (("--task", "1"), task)):
        result = homerun("jobs", "executions", "tasks", "ingest-abcde", "--format", "json", *arguments)
        assert json.loads(result.stdout) == made


def test_a_task_that_does_not_exist_is_a_mistake_in_the_command_line(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", ONE, RESOURCE)
    result = homerun("jobs", "executions", "tasks", "ingest-abcde", "--task", "2")
    assert result.exit_code == 2
    assert "ingest-abcde has 2 tasks, and the first is 0." in result.stderr


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
