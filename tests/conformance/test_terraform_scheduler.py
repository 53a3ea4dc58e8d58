"""google_cloud_scheduler_job, rebuilt like the resources of Cloud Run (test_terraform.py): what the provider's
documentation configures, what a second plan finds, and what homerun refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api, Refused, api
from tests.support.terraform import SCHEDULE, expand, plan

pytestmark = pytest.mark.looptime

Json = dict[str, Any]
JOBS = "/v1/projects/homerun/locations/us-central1/jobs"
NAME = "projects/homerun/locations/us-central1/jobs/tf"
ROBOT = "robot@homerun.iam.gserviceaccount.com"
RUN = "https://us-central1-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/homerun/jobs/work:run"


def calls(uri: str = "https://example.com/ping", *, method: str = "POST", **target: Any) -> Json:
    return {"schedule": "*/8 * * * *", "httpTarget": {"uri": uri, "httpMethod": method, **target}}


RETRIES = {"retryCount": 3, "maxRetryDuration": "10s", "minBackoffDuration": "1s", "maxBackoffDuration": "60s"}
BODY = {"body": "eyJmb28iOiJiYXIifQ==", "headers": {"Content-Type": "application/json"}}
CONFIGURATIONS: dict[str, Json] = {
    "http": calls(**BODY)
    | {"timeZone": "America/New_York", "attemptDeadline": "320s", "retryConfig": {"retryCount": 1}},
    "http without more": calls(method="GET"),
    "all retries": calls() | {"retryConfig": {**RETRIES, "maxDoublings": 2}},
    "no retries": calls() | {"retryConfig": {"retryCount": 0}},
    "pubsub": {
        "description": "test job",
        "schedule": "*/2 * * * *",
        "pubsubTarget": {"topicName": "projects/homerun/topics/job-topic", "data": "dGVzdA=="},
    },
    "pubsub attributes": {
        "schedule": "every 5 minutes",
        "pubsubTarget": {"topicName": "projects/homerun/topics/job-topic", "attributes": {"a": "b"}},
    },
    "oauth": calls(RUN, oauthToken={"serviceAccountEmail": ROBOT}),
    "oauth with a scope": calls(
        RUN,
        oauthToken={"serviceAccountEmail": ROBOT, "scope": "https://www.googleapis.com/auth/cloud-platform"},
    ),
    "oidc": calls(method="GET", oidcToken={"serviceAccountEmail": ROBOT}),
    "oidc with an audience": calls(oidcToken={"serviceAccountEmail": ROBOT, "audience": "https://example.com"}),
    "put": calls(method="PUT", **BODY),
}


async def apply(a: Api, config: Json, *, paused: bool | None = None, update: bool = False) -> Json:
    """What the provider sends: the whole object, and where it is new or `paused` has changed, its state after it."""
    body = {"name": NAME, **expand(SCHEDULE, config)}
    await (a("PATCH", f"{JOBS}/tf", body) if update else a("POST", JOBS, body))
    if not update or paused is not None:
        await a("POST", f"{JOBS}/tf:{'pause' if paused else 'resume'}", {})
    return await read(a)


async def read(a: Api) -> Json:
    """As the provider does: a deadline that is not there is none that differs."""
    return {"attemptDeadline": "180s", **await a("GET", f"{JOBS}/tf")}


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_second_plan_is_empty(name: str) -> None:
    async with api() as a:
        made = await apply(a, CONFIGURATIONS[name])
        assert (plan(SCHEDULE, CONFIGURATIONS[name], made), made["state"]) == ([], "ENABLED")


NAMES = list(CONFIGURATIONS)


@pytest.mark.parametrize(("before", "after"), list(zip(NAMES, [*NAMES[1:], NAMES[0]], strict=True)))
async def test_it_is_changed_in_place_and_nothing_of_the_old_is_left(before: str, after: str) -> None:
    async with api() as a:
        first = await apply(a, CONFIGURATIONS[before])
        assert plan(SCHEDULE, CONFIGURATIONS[after], first) != []
        changed = await apply(a, CONFIGURATIONS[after], update=True)
        assert plan(SCHEDULE, CONFIGURATIONS[after], changed) == []
        assert "httpTarget" not in changed or "pubsubTarget" not in changed


async def test_it_is_paused_and_resumed() -> None:
    async with api() as a:
        config = CONFIGURATIONS["http"]
        assert (await apply(a, config, paused=True))["state"] == "PAUSED"
        still = await apply(a, {**config, "description": "other"}, update=True)
        assert (still["state"], still["description"]) == ("PAUSED", "other")
        assert (await apply(a, config, paused=False, update=True))["state"] == "ENABLED"


async def test_one_that_others_made_is_imported_without_a_difference() -> None:
    """As gcloud sends it, with all defaults said."""
    retries = {"maxRetryDuration": "0s", "minBackoffDuration": "5s", "maxBackoffDuration": "3600s", "maxDoublings": 5}
    async with api() as a:
        await a("POST", JOBS, {"name": NAME, **calls(**BODY), "timeZone": "Etc/UTC", "retryConfig": retries})
        assert plan(SCHEDULE, calls(**BODY), await read(a)) == []


async def test_it_is_deleted_and_one_that_is_gone_is_not_found() -> None:
    """The provider takes 404 for a resource that has to be made again."""
    async with api() as a:
        await apply(a, CONFIGURATIONS["http"])
        await a("DELETE", f"{JOBS}/tf")
        for method in ("GET", "DELETE"):
            with pytest.raises(Refused) as caught:
                await a(method, f"{JOBS}/tf")
            assert caught.value.http == 404


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"schedule": "* * * * *", "appEngineHttpTarget": {"relativeUri": "/ping"}}, "appEngineHttpTarget"),
        (calls(oauthToken={"serviceAccountEmail": ROBOT}), "httpTarget.oauthToken"),
        (calls(method="GET", body="e30="), "httpTarget.body"),
        (calls("ftp://example.com"), "httpTarget.uri"),
        (calls() | {"retryConfig": {"retryCount": 6}}, "retryConfig.retryCount"),
        (calls() | {"attemptDeadline": "10s"}, "attemptDeadline"),
        (calls() | {"timeZone": "Mars/Olympus"}, "timeZone"),
        (calls() | {"schedule": "soon"}, "schedule"),
        ({"schedule": "* * * * *", "pubsubTarget": {"topicName": "t", "data": "YQ=="}}, "pubsubTarget.topicName"),
    ],
)
async def test_what_is_refused_is_named(config: Json, field: str) -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await apply(a, config)
        assert field in caught.value.fields
