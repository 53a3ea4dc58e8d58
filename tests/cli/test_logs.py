import json
from typing import Any

import click
import pytest

from homerun.cli.errors import Unreachable
from homerun.cli.logs import parse_since
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

LIST = "/v2/entries:list"
LOCATION = "/v2/projects/p/locations/r"


def entry(id: str, timestamp: str = "2024-11-24T11:00:00Z") -> dict[str, Any]:
    return {"insertId": id, "timestamp": timestamp, "textPayload": f"line {id}", "logName": "x%2Fstdout"}


def filters(api: FakeApi) -> list[str]:
    return [body["filter"] for body in api.sent("POST", LIST)]


def test_a_name_is_a_service_before_it_is_a_job(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{LOCATION}/services/hello", {})
    api.on("POST", LIST, {"entries": [entry("1")]})
    result = homerun("logs", "hello", "--since", "2024-11-24T10:00:00Z")
    assert result.stdout == "11:00:00 stdout   line 1\n"
    assert filters(api) == [
        "resource.type = cloud_run_revision AND resource.labels.service_name = hello AND "
        'resource.labels.location = r AND severity >= DEFAULT AND timestamp>="2024-11-24T10:00:00.000000Z"'
    ]


def test_a_job_is_found_too(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{LOCATION}/jobs/ingest", {})
    api.on("POST", LIST, {})
    assert homerun("logs", "ingest").exit_code == 0
    assert "resource.labels.job_name = ingest" in filters(api)[0]


def test_a_worker_pool_is_found_last(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{LOCATION}/workerPools/queue", {})
    api.on("POST", LIST, {})
    assert homerun("logs", "queue").exit_code == 0
    assert "resource.type = cloud_run_worker_pool AND resource.labels.worker_pool_name = queue" in filters(api)[0]


@pytest.mark.parametrize(
    "flag,label", [("--job", "job_name"), ("--service", "service_name"), ("--worker-pool", "worker_pool_name")]
)
def test_who_says_which_is_not_asked_about(homerun: Invoke, api: FakeApi, flag: str, label: str) -> None:
    api.on("POST", LIST, {"entries": [entry("1")]})
    result = homerun("logs", "gone", flag, "--format", "json")
    assert json.loads(result.stdout) == [entry("1")]
    assert f"resource.labels.{label} = gone" in filters(api)[0]


def test_one_task_of_one_execution(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", LIST, {})
    assert homerun("logs", "ingest", "--execution", "ingest-abcde", "--task", "3").exit_code == 0
    assert 'labels."run.googleapis.com/execution_name" = ingest-abcde' in filters(api)[0]
    assert 'labels."run.googleapis.com/task_index" = 3' in filters(api)[0]


def test_a_name_of_nothing_says_where_to_look(homerun: Invoke) -> None:
    result = homerun("logs", "nothing")
    assert result.exit_code == 1
    assert "no service, no job and no worker pool called nothing in r of p" in result.stderr


TAIL = "/homerun/v1/projects/p/entries:tail"


def test_following_prints_each_entry_once_until_ctrl_c_and_over_a_restart(homerun: Invoke, api: FakeApi) -> None:
    def breaks(body: Any) -> Any:
        yield {"entries": [entry("1"), entry("2")], "last": 7}
        yield {"entries": [], "last": 9}
        raise Unreachable("h:1", "the connection broke")

    def ends(body: Any) -> Any:
        yield {"entries": [entry("3")], "last": 10}
        raise KeyboardInterrupt

    api.on("STREAM", TAIL, breaks, Unreachable("h:1", "connection refused"), ends)
    result = homerun("logs", "hello", "--service", "--follow", "--limit", "5")
    assert result.exit_code == 0
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["1", "2", "3"]
    assert result.stderr.count("waiting for homerun") == 1
    asked = api.sent("STREAM", TAIL)
    assert [body.get("after") for body in asked] == [None, 9, 9]
    assert asked[0]["limit"] == 5 and "service_name = hello" in asked[0]["filter"]


def test_following_where_nobody_is_fails_at_once(homerun: Invoke, api: FakeApi) -> None:
    api.on("STREAM", TAIL, Unreachable("h:1", "connection refused"))
    assert homerun("logs", "--follow").exit_code == 3


def test_without_a_name_all_logs_of_the_project_are_meant(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", LIST, {})
    assert (
        homerun("logs", "--filter", 'a="b" OR c', "--severity", "error", "--since", "2024-11-24T10:00:00Z").exit_code
        == 0
    )
    assert filters(api) == ['severity >= ERROR AND (a="b" OR c) AND timestamp>="2024-11-24T10:00:00.000000Z"']
    assert homerun("logs", "--job").exit_code == 2
    assert homerun("logs", "--execution", "x").exit_code == 2


def test_a_task_without_its_execution_is_wrong_usage(homerun: Invoke) -> None:
    assert homerun("logs", "ingest", "--task", "3").exit_code == 2


@pytest.mark.parametrize(
    "text,expected",
    [
        ("10s", "1970-01-01T00:16:30.000000Z"),
        ("10m", "1970-01-01T00:06:40.000000Z"),
        ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_since(text: str, expected: str) -> None:
    assert parse_since(text, 1000.0) == expected


@pytest.mark.parametrize("text", ["yesterday", "10", "-5m", ""])
def test_what_is_no_time_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter, match="10m"):
        parse_since(text, 1000.0)
