"""One port for everything."""

import pytest

from tests.support.api import RUN, SERVING, V2, api

pytestmark = pytest.mark.looptime


async def test_every_api_is_there() -> None:
    async with api() as a:
        assert await a("GET", f"{V2}/services") == {"services": []}
        assert (await a("GET", f"{SERVING}/services"))["kind"] == "ServiceList"
        assert (await a("GET", f"{RUN}/jobs"))["kind"] == "JobList"
        assert (await a("GET", "/homerun/v1/info"))["project"] == "homerun"
        assert (await a("GET", "/v1/projects/homerun/services/run.googleapis.com"))["state"] == "ENABLED"
        assert await a("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"]}) == {"entries": []}


async def test_it_is_guarded() -> None:
    async with api() as a:
        assert (await a.send("GET", f"{V2}/services", host="example.com")).status == 403


async def test_methods_that_homerun_has_not_say_so() -> None:
    async with api() as a:
        answer = await a.send("POST", f"{V2}/builds:submit", {})
        assert answer.status == 501
        assert answer.json()["error"]["status"] == "UNIMPLEMENTED"


async def test_the_same_object_shows_in_both_versions() -> None:
    async with api() as a:
        await a.deploy("hello")
        v2 = await a("GET", f"{V2}/services/hello")
        v1 = await a("GET", f"{SERVING}/services/hello")
        assert v1["metadata"]["uid"] == v2["uid"]
        assert v1["status"]["url"] == v2["uri"]
        assert v1["metadata"]["resourceVersion"] == v2["etag"].strip('"')
        assert v1["status"]["latestReadyRevisionName"] == v2["latestReadyRevision"].rpartition("/")[2]
