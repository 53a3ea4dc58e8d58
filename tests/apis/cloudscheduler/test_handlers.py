"""Cloud Scheduler over REST, in front of the whole control process in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from homerun.wire.http_client import Answer, Peer
from tests.support.api import LOCATION, V2, Api, Refused, api
from tests.support.identity import ROBOT

pytestmark = pytest.mark.looptime

JOBS = f"/v1/{LOCATION}/jobs"
RUN = f"https://us-central1-run.googleapis.com/v2/{LOCATION}/jobs/work:run"
GOOD = {"schedule": "*/10 * * * *", "httpTarget": {"uri": "http://127.0.0.1:3000/x"}}


@pytest.fixture
async def a() -> AsyncIterator[Api]:
    async with api() as made:
        yield made


class Target:
    """What all URLs outside are, from here on."""

    def __init__(self, a: Api, status: int = 200) -> None:
        self.status, self.asked = status, 0
        a.world.control.targets.exchange = self

    async def __call__(
        self, peer: Peer, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> Answer:
        self.asked += 1
        return Answer(self.status)


async def create(a: Api, id: str = "nightly", **fields: Any) -> Any:
    return await a("POST", JOBS, {"name": f"{LOCATION}/jobs/{id}", **GOOD, **fields})


def refused(text: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, match=text)


async def test_a_job_from_creation_to_deletion(a: Api) -> None:
    target = Target(a)
    made = await create(a, description="at night")
    assert made["name"] == f"{LOCATION}/jobs/nightly"
    assert (made["state"], made["timeZone"], made["attemptDeadline"]) == ("ENABLED", "UTC", "180s")
    assert made["httpTarget"] == {"uri": "http://127.0.0.1:3000/x", "httpMethod": "POST"}
    assert made["scheduleTime"] == "2023-11-14T22:20:00.000000Z" and made["userUpdateTime"]
    assert made["retryConfig"]["maxDoublings"] == 5
    assert await a("GET", f"{JOBS}/nightly") == made
    assert await a("GET", JOBS) == {"jobs": [made]}
    await asyncio.sleep(600)
    found = await a("GET", f"{JOBS}/nightly")
    assert (target.asked, found["status"], "lastAttemptTime" in found) == (1, {}, True)
    assert await a("DELETE", f"{JOBS}/nightly") == {}
    assert await a("GET", JOBS) == {}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", ":run"), ("POST", ":pause"), ("POST", ":resume")):
        with refused("404 NOT_FOUND: Job .*/jobs/nightly does not exist"):
            await a(method, f"{JOBS}/nightly{path}", {} if path else None)
    with refused("404 NOT_FOUND"):
        await a("PATCH", f"{JOBS}/nightly?updateMask=description", {})


async def test_names(a: Api) -> None:
    made = await a("POST", JOBS, GOOD)
    assert len(made["name"].rpartition("/")[2]) == 36
    by_number = made["name"].replace("projects/homerun", "projects/100000000001")
    assert (await a("GET", f"/v1/{by_number}"))["name"] == made["name"]
    with refused("is not of the form"):
        await a("POST", JOBS, {**GOOD, "name": "nightly"})
    with refused("is not below projects/homerun/locations/us-central1"):
        await a("POST", JOBS, {**GOOD, "name": "projects/homerun/locations/elsewhere/jobs/x"})
    with refused("name: its last part must be 1 to 500 letters"):
        await create(a, "a.b")
    await create(a)
    with refused("409 ALREADY_EXISTS"):
        await create(a)


async def test_all_that_is_wrong_is_said_at_once_and_nothing_is_made(a: Api) -> None:
    with pytest.raises(Refused) as caught:
        await create(a, "a", schedule="61 * * * *", timeZone="Mars", attemptDeadline="1s", nonsense=1)
    assert set(caught.value.fields) == {"schedule", "timeZone", "attemptDeadline", "nonsense"}
    with refused("schedule: minute: '61' must be a number from 0 to 59"):
        await create(a, "a", schedule="61 * * * *")
    with refused("no App Engine here"):
        await a("POST", JOBS, {"schedule": "* * * * *", "appEngineHttpTarget": {}})
    with refused("must be a topic of the same project, homerun"):
        topic = {"topicName": "projects/other/topics/news", "data": "YQ=="}
        await a("POST", JOBS, {"schedule": "* * * * *", "pubsubTarget": topic})
    assert await a("GET", JOBS) == {}


async def test_lists_come_in_pages(a: Api) -> None:
    for number in range(5):
        await create(a, f"s{number}")
    first = await a("GET", f"{JOBS}?pageSize=3")
    second = await a("GET", f"{JOBS}?pageSize=3&pageToken={first['nextPageToken']}")
    assert [job["name"][-2:] for job in (*first["jobs"], *second["jobs"])] == [f"s{number}" for number in range(5)]
    assert "nextPageToken" not in second


async def test_masks_change_what_they_name_and_nothing_else(a: Api) -> None:
    made = await create(a, description="at night", retryConfig={"retryCount": 2})
    path = f"{JOBS}/nightly?updateMask="
    changed = await a("PATCH", f"{path}schedule,httpTarget.httpMethod", {
        "schedule": "0 5 * * *", "httpTarget": {"httpMethod": "GET", "uri": "http://ignored/"}
    })  # fmt: skip
    assert (changed["schedule"], changed["scheduleTime"]) == ("0 5 * * *", "2023-11-15T05:00:00.000000Z")
    assert changed["httpTarget"] == {"uri": "http://127.0.0.1:3000/x", "httpMethod": "GET"}
    assert (changed["description"], changed["retryConfig"]["retryCount"]) == ("at night", 2)
    assert changed["userUpdateTime"] > made["userUpdateTime"]
    changed = await a("PATCH", f"{path}retryConfig.retryCount,description,timeZone", {"timeZone": "Europe/Berlin"})
    assert "description" not in changed and "retryCount" not in changed["retryConfig"]
    assert changed["scheduleTime"] == "2023-11-15T04:00:00.000000Z"
    with refused("updateMask: 'nonsense' is no path to a field"):
        await a("PATCH", f"{path}nonsense", {})
    with refused("schedule: is required"):
        await a("PATCH", f"{path}schedule", {})
    assert await a("GET", f"{JOBS}/nightly") == changed


async def test_without_a_mask_everything_is_meant(a: Api) -> None:
    await create(a, description="at night")
    changed = await a("PATCH", f"{JOBS}/nightly", GOOD)
    assert "description" not in changed and changed["state"] == "ENABLED"


async def test_what_excludes_each_other_takes_its_place(a: Api) -> None:
    target = {"uri": RUN, "oauthToken": {"serviceAccountEmail": ROBOT}}
    await create(a, httpTarget=target)
    email = "httpTarget.oidcToken.serviceAccountEmail"
    sent = {"httpTarget": {"oidcToken": {"serviceAccountEmail": ROBOT}}}
    changed = await a("PATCH", f"{JOBS}/nightly?updateMask={email}", sent)
    assert changed["httpTarget"] == {"uri": RUN, "httpMethod": "POST", "oidcToken": {"serviceAccountEmail": ROBOT}}
    every = f"{email},httpTarget.oidcToken.audience,httpTarget.oauthToken.serviceAccountEmail"
    changed = await a("PATCH", f"{JOBS}/nightly?updateMask={every}", {})
    assert changed["httpTarget"] == {"uri": RUN, "httpMethod": "POST"}
    topic = {"topicName": "projects/homerun/topics/news", "data": "YQ=="}
    changed = await a("PATCH", f"{JOBS}/nightly?updateMask=pubsubTarget", {"pubsubTarget": topic})
    assert changed["pubsubTarget"] == topic and "httpTarget" not in changed


async def test_a_change_of_something_else_leaves_a_retry_where_it_is(a: Api) -> None:
    Target(a, status=503)
    await create(a, retryConfig={"retryCount": 1, "minBackoffDuration": "60s"})
    await asyncio.sleep(401)
    retry = (await a("GET", f"{JOBS}/nightly"))["scheduleTime"]
    changed = await a("PATCH", f"{JOBS}/nightly?updateMask=description", {"description": "new"})
    assert changed["scheduleTime"] == retry != "2023-11-14T22:30:00.000000Z"
    assert changed["status"] == {"code": 14, "message": "the target answered with HTTP status 503"}


async def test_pause_resume_and_run(a: Api) -> None:
    target = Target(a)
    await create(a)
    for _ in range(2):
        paused = await a("POST", f"{JOBS}/nightly:pause", {})
        assert paused["state"] == "PAUSED" and "scheduleTime" not in paused
    assert (await a("POST", f"{JOBS}/nightly:run", {}))["state"] == "PAUSED"
    await asyncio.sleep(1)
    assert target.asked == 1
    await asyncio.sleep(1200)
    assert target.asked == 1
    for _ in range(2):
        assert (await a("POST", f"{JOBS}/nightly:resume"))["state"] == "ENABLED"
    with refused("Unknown field"):
        await a("POST", f"{JOBS}/nightly:run", {"force": True})


async def test_it_runs_a_job_as_an_account_that_may(a: Api) -> None:
    """Through the URL that the documents of the platform give, in the name of the account that the schedule names."""
    await a.create_job()
    await create(a, httpTarget={"uri": RUN, "oauthToken": {"serviceAccountEmail": ROBOT}})
    await a("POST", f"{JOBS}/nightly:run", {})
    await asyncio.sleep(5)
    assert (await a("GET", f"{JOBS}/nightly"))["status"]["code"] == 7
    assert (await a("GET", f"{V2}/jobs/work/executions"))["executions"] == []
    binding = {"role": "roles/run.invoker", "members": [f"serviceAccount:{ROBOT}"]}
    await a("POST", f"{V2}/jobs/work:setIamPolicy", {"policy": {"bindings": [binding]}})
    for uri in (RUN, "https://run.googleapis.com/apis/run.googleapis.com/v1/namespaces/homerun/jobs/work:run"):
        await a("PATCH", f"{JOBS}/nightly?updateMask=httpTarget.uri", {"httpTarget": {"uri": uri}})
        await a("POST", f"{JOBS}/nightly:run", {})
        await asyncio.sleep(5)
        assert (await a("GET", f"{JOBS}/nightly"))["status"] == {}
    executions = (await a("GET", f"{V2}/jobs/work/executions"))["executions"]
    assert [execution["creator"] for execution in executions] == [ROBOT] * 2


async def test_nobody_gets_at_the_api_without_a_token(a: Api) -> None:
    await a.create_job()
    await create(a, httpTarget={"uri": RUN})
    await create(a, "stop", httpTarget={"uri": "http://127.0.0.1:8787/homerun/v1:shutdown"})
    for id in ("nightly", "stop"):
        await a("POST", f"{JOBS}/{id}:run", {})
        await asyncio.sleep(1)
        assert (await a("GET", f"{JOBS}/{id}"))["status"]["code"] == 16
    assert (await a("GET", f"{V2}/jobs/work/executions"))["executions"] == []


async def test_attempts_are_in_the_log(a: Api) -> None:
    Target(a, status=404)
    await create(a)
    await a("POST", f"{JOBS}/nightly:run", {})
    await asyncio.sleep(1)
    filter = 'resource.type="cloud_scheduler_job" AND resource.labels.job_id="nightly"'
    found = await a("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"], "filter": filter})
    started, finished = found["entries"]
    assert started["jsonPayload"]["@type"].endswith("AttemptStarted")
    assert (finished["severity"], finished["httpRequest"], finished["jsonPayload"]["status"]) == (
        "ERROR", {"status": 404}, "NOT_FOUND"
    )  # fmt: skip


async def test_only_the_owner_has_schedules(a: Api) -> None:
    token = a.world.control.issuer.access_token(ROBOT, a.world.control.clock.now()).text
    await create(a)
    for method, path, body in (
        ("GET", "", None), ("GET", "/nightly", None), ("POST", "/nightly:run", {}), ("DELETE", "/nightly", None),
        ("POST", "", GOOD),
    ):  # fmt: skip
        with refused("403 PERMISSION_DENIED"):
            await a(method, f"{JOBS}{path}", body, authorization=f"Bearer {token}")


async def test_jobs_of_cloud_run_are_something_else(a: Api) -> None:
    await create(a, "work")
    await a.create_job("work")
    assert "schedule" in await a("GET", f"{JOBS}/work")
    assert "template" in await a("GET", f"{V2}/jobs/work")
