import json
from typing import Any

import pytest

from homerun.cli.errors import ApiError
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

POOLS = "/v2/projects/p/locations/r/workerPools"
QUEUE = f"{POOLS}/queue"
REVISION = f"{QUEUE.removeprefix('/v2/')}/revisions/queue-00001-abc"
OPERATION = "projects/p/locations/r/operations/o"
DONE = {"name": OPERATION, "done": True, "response": {}}
RESOURCE: dict[str, Any] = {
    "name": QUEUE.removeprefix("/v2/"),
    "updateTime": "2024-11-24T11:00:00Z",
    "latestCreatedRevision": REVISION,
    "latestReadyRevision": REVISION,
    "scaling": {"manualInstanceCount": 3},
    "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
    "instanceSplitStatuses": [{"revision": "queue-00001-abc", "percent": 100}],
    "template": {"containers": [{"image": "old"}]},
}
EXPLAINED = {
    "instances": [
        {
            "id": "0123456789abcdef",
            "revision": "queue-00001-abc",
            "phase": "ready",
            "startTime": "2024-11-24T11:00:00Z",
            "readyTime": "2024-11-24T11:00:00.025Z",
            "phases": {},
        }
    ],
    "decisions": [
        {
            "time": "2024-11-24T11:00:01.5Z",
            "revision": "queue-00001-abc",
            "want": 3,
            "ready": 2,
            "reason": "0123 ended: Container called exit(1). Another starts in 4 s.",
        }
    ],
    "timeline": [],
    "cost": {"vcpuSeconds": 2.5, "gibSeconds": 1.25, "requests": 0, "billableSeconds": 2.5, "usd": 0.000062},
}


def test_a_new_pool_is_created(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", POOLS, DONE)
    api.on("GET", QUEUE, ApiError("no", 404, "NOT_FOUND"), RESOURCE)
    result = homerun("worker-pools", "deploy", "queue", "--image", "i", "--instances", "3")
    assert result.exit_code == 0
    (asked,) = [a for a in api.asked if a.path == POOLS]
    assert asked.query == {"workerPoolId": "queue"}
    assert asked.body["scaling"] == {"manualInstanceCount": 3}
    assert "Instances: 3, split 100 % queue-00001-abc" in result.stderr


def test_an_existing_pool_is_changed(homerun: Invoke, api: FakeApi) -> None:
    api.on("PATCH", QUEUE, DONE)
    api.on("GET", QUEUE, RESOURCE)
    result = homerun("worker-pools", "deploy", "queue", "--instances", "0", "--format", "json")
    assert json.loads(result.stdout) == RESOURCE
    (sent,) = api.sent("PATCH", QUEUE)
    assert sent["template"] == RESOURCE["template"]


def test_async_returns_at_once_and_says_where_to_look(homerun: Invoke, api: FakeApi) -> None:
    api.on("PATCH", QUEUE, {"name": OPERATION, "done": False})
    api.on("GET", QUEUE, RESOURCE)
    result = homerun("worker-pools", "deploy", "queue", "--image", "i", "--async")
    assert result.exit_code == 0
    assert "homerun worker-pools describe queue" in result.stderr


def test_a_failure_says_why_and_is_exit_code_1(homerun: Invoke, api: FakeApi) -> None:
    api.on("PATCH", QUEUE, {**DONE, "error": {"code": 9, "message": "Container called exit(3)."}})
    api.on("GET", QUEUE, RESOURCE)
    result = homerun("worker-pools", "deploy", "queue", "--image", "i")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: Container called exit(3)." in result.stderr


def test_list_shows_each_pool_with_its_number(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", POOLS, {"workerPools": [RESOURCE]})
    result = homerun("worker-pools", "list")
    assert "✓  queue        3          queue-00001-abc" in result.stdout
    assert json.loads(homerun("worker-pools", "list", "--format", "json").stdout) == [RESOURCE]


def test_describe_tells_instances_restarts_and_cost(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", QUEUE, RESOURCE)
    api.on("GET", f"{QUEUE}/revisions", {"revisions": [{"name": REVISION}]})
    api.on("GET", QUEUE.replace("/v2/", "/homerun/v1/") + ":explain", EXPLAINED)
    result = homerun("worker-pools", "describe", "queue")
    assert result.exit_code == 0
    for text in ("3 instances wanted", "100 %", "0123456789ab", "25 ms", "Another starts in 4 s", "$0.000062"):
        assert text in result.stdout
    assert homerun("worker-pools", "describe", "queue", "--format", "json").exit_code == 0


def test_instances_move_without_touching_the_template(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", QUEUE, RESOURCE)
    api.on("PATCH", QUEUE, DONE)
    result = homerun("worker-pools", "update-instance-split", "queue", "--to-revisions", "queue-00002-xyz=50")
    assert result.exit_code == 0
    (asked,) = [a for a in api.asked if a.method == "PATCH"]
    assert asked.query == {"updateMask": "instanceSplits"}
    assert asked.body["instanceSplits"] == [{"revision": "queue-00002-xyz", "percent": 50}, {"percent": 50}]
    assert homerun("worker-pools", "update-instance-split", "queue", "--to-latest").exit_code == 0


def test_delete_asks_and_without_anybody_to_ask_wants_yes(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", QUEUE, RESOURCE)
    api.on("DELETE", QUEUE, DONE)
    assert homerun("worker-pools", "delete", "queue").exit_code == 2
    assert not api.sent("DELETE", QUEUE)
    assert homerun("worker-pools", "delete", "queue", "--yes").exit_code == 0


@pytest.mark.parametrize(
    "arguments,said",
    [
        (("deploy", "new"), "give --image or --source"),
        (("deploy", "new", "--image", "i", "--instances", "-1"), "0<=x<=10000"),
        (("update-instance-split", "queue"), "--to-latest or --to-revisions"),
        (("update-instance-split", "queue", "--to-latest", "--to-revisions", "a=1"), "--to-latest or --to-revisions"),
    ],
)
def test_wrong_usage_is_exit_code_2(homerun: Invoke, arguments: tuple[str, ...], said: str) -> None:
    result = homerun("worker-pools", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
