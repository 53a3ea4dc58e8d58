"""Long-running operations in both versions: they outlive homerun, can be filtered, and end."""

import asyncio
from typing import Any

import pytest

from homerun.engine.base import Exit
from homerun.engine.fake.script import Script
from tests.support.api import BATCH, FAILING, LOCATION, SLOW, V2, WEB, Api, Refused, api, job, service

pytestmark = pytest.mark.looptime

V1 = "/v1/projects/homerun/locations/us-central1"


def ids(answer: Any) -> list[str]:
    return [operation["name"].rpartition("/")[2] for operation in answer["operations"]]


async def test_what_waits_for_an_operation_over_a_crash_sees_it_end() -> None:
    slow = "registry.test/slow-start:1"
    images = {slow: Script(ready=60), BATCH: Script(exit=Exit(code=0), exit_after=100)}
    async with api(images, stop_instances=False) as before:
        await before.create_job()
        started = [
            await before("POST", f"{V2}/services?serviceId=hello", service(slow)),
            await before("POST", f"{V2}/jobs/work:run", {}),
            await before("POST", f"{V2}/services?serviceId=missing", service("registry.test/missing:1")),
        ]
        await asyncio.sleep(10)
    async with api(images, store=before.world.store, engine=before.world.engine) as after:
        ended = [await after.done(await after("GET", f"/v2/{operation['name']}")) for operation in started]
        assert ended[0]["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert ended[1]["response"]["succeededCount"] == 1
        assert "does not exist" in ended[2]["error"]["message"]
        in_v1 = await after("POST", f"{V1}/operations/{ids({'operations': started})[0]}:wait", {"timeout": "1s"})
        assert in_v1["done"] and in_v1["response"]["@type"] == "type.googleapis.com/google.cloud.run.v1.Service"


async def _mixed(a: Api) -> dict[str, str]:
    """Id of an operation of each kind."""
    await a.create_job("slow", SLOW)
    await a.create_job("failing", FAILING, maxRetries=0)
    made = {
        "good": await a.done(await a("POST", f"{V2}/services?serviceId=hello", service())),
        "bad": await a.done(await a("POST", f"{V2}/jobs/failing:run", {})),
        "open": await a("POST", f"{V2}/jobs/slow:run", {}),
    }
    return {key: operation["name"].rpartition("/")[2] for key, operation in made.items()}


@pytest.mark.parametrize(
    ("filter", "there", "not_there"),
    [
        ("done=true", ("good", "bad"), ("open",)),
        ("done=false", ("open",), ("good", "bad")),
        ("NOT done=true", ("open",), ("good", "bad")),
        ("error.code=9", ("bad",), ("good", "open")),
        ('metadata.name:"services/hello"', ("good",), ("bad", "open")),
    ],
)
async def test_operations_are_filtered(filter: str, there: tuple[str, ...], not_there: tuple[str, ...]) -> None:
    async with api() as a:
        made = await _mixed(a)
        found = ids(await a("GET", f"{V2}/operations?filter={filter.replace(' ', '%20')}"))
        assert {made[key] for key in there} <= set(found)
        assert not {made[key] for key in not_there} & set(found)


async def test_v1_filters_what_it_shows() -> None:
    async with api() as a:
        made = await _mixed(a)
        assert ids(await a("GET", f"{V1}/operations?filter=done%3Dfalse")) == [made["open"]]
        assert ids(await a("GET", f"{V1}/operations?filter=metadata.metadata.name%3Dhello")) == [made["good"]]


async def test_a_bad_filter_is_refused() -> None:
    async with api() as a:
        for version in (V1, V2):
            with pytest.raises(Refused) as caught:
                await a("GET", f"{version}/operations?filter=(")
            assert caught.value.fields == ["filter"]


async def test_operations_come_in_pages_that_stay_right_while_the_list_changes() -> None:
    async with api() as a:
        for index in range(5):
            await a.deploy(f"s{index}")
        everything = ids(await a("GET", f"{V2}/operations"))
        first = await a("GET", f"{V2}/operations?pageSize=2&filter=done%3Dtrue")
        await a("DELETE", f"{V2}/operations/{everything[0]}")
        rest = await a("GET", f"{V2}/operations?filter=done%3Dtrue&pageToken={first['nextPageToken']}")
        assert ids(first) + ids(rest) == everything
        with pytest.raises(Refused) as caught:
            await a("GET", f"{V2}/operations?filter=done%3Dfalse&pageToken={first['nextPageToken']}")
        assert caught.value.fields == ["pageToken"]


async def test_an_operation_is_about_its_resource() -> None:
    async with api() as a:
        types = {}
        await a.create_job()
        for what, path, body in (
            ("service", "services?serviceId=hello", service(WEB)),
            ("job", "jobs?jobId=other", job()),
            ("execution", "jobs/work:run", {}),
        ):
            operation = await a.done(await a("POST", f"{V2}/{path}", body))
            types[what] = (operation["metadata"]["@type"], operation["response"]["@type"])
            assert operation["metadata"]["name"] == operation["response"]["name"]
            assert operation["name"].startswith(f"{LOCATION}/operations/")
        base = "type.googleapis.com/google.cloud.run.v2."
        assert types == {kind: (base + kind.capitalize(),) * 2 for kind in types}
