import json

import pytest

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

SERVICES = "/v2/projects/p/locations/r/services"
HELLO = f"{SERVICES}/hello"
RESOURCE = {
    "name": HELLO.removeprefix("/v2/"),
    "uri": "http://hello-1.r.run.localhost:8080",
    "updateTime": "2024-11-24T11:00:00Z",
    "latestReadyRevision": f"{HELLO.removeprefix('/v2/')}/revisions/hello-00001-abc",
    "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
    "conditions": [{"type": "RoutesReady", "state": "CONDITION_FAILED", "message": "no route"}],
    "trafficStatuses": [{"revision": "hello-00001-abc", "percent": 100}],
}
EXPLAINED = {
    "instances": [],
    "decisions": [
        {
            "time": "2024-11-24T11:00:01.5Z",
            "revision": "hello-00001-abc",
            "want": 1,
            "ready": 0,
            "reason": "1 waiting",
            "driver": "demand",
            "asked": 1,
            "starting": 0,
            "limit": "",
            "observed": {"inFlight": 0, "waiting": 1, "concurrency": 2.5, "cpu": 0},
        }
    ],
    "coldStarts": [
        {
            "time": "2024-11-24T11:00:02Z",
            "revision": "hello-00001-abc",
            "instance": "4f2a",
            "seconds": 0.023,
            "origin": "image",
            "phases": {"create": 0.018, "listen": 0.005},
            "waited": 3,
            "longestWait": 0.025,
        }
    ],
    "timeline": [{"time": "2024-11-24T11:00:02Z", "what": "it is ready"}],
    "cost": {"vcpuSeconds": 2.5, "gibSeconds": 1.25, "requests": 7, "billableSeconds": 2.5, "usd": 0.000062},
}
DONE = {"name": "projects/p/locations/r/operations/o", "done": True, "response": {}}


def test_list_shows_each_service_with_its_url(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", SERVICES, {"services": [RESOURCE], "nextPageToken": "t"}, {"services": []})
    result = homerun("services", "list")
    assert result.exit_code == 0
    assert "✓  hello    http://hello-1.r.run.localhost:8080  hello-00001-abc" in result.stdout


def test_list_as_json_is_the_resources(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", SERVICES, {"services": [RESOURCE]})
    assert json.loads(homerun("services", "list", "--format", "json").stdout) == [RESOURCE]


def test_describe_tells_url_conditions_traffic_decisions_and_cost(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", HELLO, RESOURCE)
    api.on("GET", f"{HELLO}/revisions", {"revisions": [{"name": str(RESOURCE["latestReadyRevision"])}]})
    api.on("GET", HELLO.replace("/v2/", "/homerun/v1/") + ":explain", EXPLAINED)
    result = homerun("services", "describe", "hello")
    assert result.exit_code == 0
    for text in (
        RESOURCE["uri"],
        "✗ RoutesReady  no route",
        "100 %",
        "11:00:01.5",
        "1 waiting",
        "$0.000062",
        "7 requests",
    ):
        assert str(text) in result.stdout


def test_explain_tells_what_decisions_were_made_from_and_what_starts_took(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", HELLO.replace("/v2/", "/homerun/v1/") + ":explain", EXPLAINED)
    result = homerun("services", "explain", "hello")
    assert result.exit_code == 0
    for text in ("1 waiting", "demand", "2.5", "4f2a", "23 ms", "create 18 ms, listen 5 ms", "25 ms", "it is ready"):
        assert text in result.stdout
    assert json.loads(homerun("services", "explain", "hello", "--format", "json").stdout) == EXPLAINED


def test_describe_of_what_is_not_there_is_exit_code_1(homerun: Invoke, api: FakeApi) -> None:
    result = homerun("services", "describe", "nothing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not exist" in result.stderr


def test_delete_asks_and_without_anybody_to_ask_wants_yes(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", HELLO, RESOURCE)
    api.on("DELETE", HELLO, DONE)
    refused = homerun("services", "delete", "hello")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert not api.sent("DELETE", HELLO)
    assert homerun("services", "delete", "hello", "--yes").exit_code == 0
    assert len(api.sent("DELETE", HELLO)) == 1


def test_traffic_moves_without_touching_the_template(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", HELLO, RESOURCE)
    api.on("PATCH", HELLO, DONE)
    result = homerun("services", "update-traffic", "hello", "--to-revisions", "hello-00001-abc=10")
    assert result.exit_code == 0
    (asked,) = [a for a in api.asked if a.method == "PATCH"]
    assert asked.query == {"updateMask": "traffic"}
    assert [t["percent"] for t in asked.body["traffic"]] == [10, 90]


@pytest.mark.parametrize("flags", [(), ("--to-latest", "--to-revisions", "a=1")])
def test_traffic_needs_one_thing_to_do(homerun: Invoke, flags: tuple[str, ...]) -> None:
    assert homerun("services", "update-traffic", "hello", *flags).exit_code == 2
