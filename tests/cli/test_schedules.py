"""`homerun schedules` and `homerun jobs schedule`, against an API by script."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

URL = "/v1/projects/p/locations/r/jobs"
ROBOT = "robot@p.iam.gserviceaccount.com"
ONE: dict[str, Any] = {
    "name": "projects/p/locations/r/jobs/poll",
    "description": "often",
    "schedule": "*/5 * * * *",
    "timeZone": "UTC",
    "state": "ENABLED",
    "scheduleTime": "2026-12-01T12:05:00.000000Z",
    "lastAttemptTime": "2026-12-01T12:00:00.000000Z",
    "status": {"code": 5, "message": "the target answered with HTTP status 404"},
    "attemptDeadline": "180s",
    "retryConfig": {"minBackoffDuration": "5s", "maxBackoffDuration": "3600s", "maxDoublings": 5},
    "httpTarget": {
        "uri": "https://a.test/x",
        "httpMethod": "POST",
        "body": "aGVsbG8=",
        "headers": {"X-A": "b"},
        "oidcToken": {"serviceAccountEmail": ROBOT},
    },
}


def test_create_sends_what_was_given(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", URL, ONE)
    flags = ("--schedule", "*/5 * * * *", "--uri", "https://a.test/x", "--http-method", "get", "--time-zone", "UTC")
    result = homerun("schedules", "create", "http", "poll", *flags)
    assert result.exit_code == 0, result.output
    target = {"uri": "https://a.test/x", "httpMethod": "GET"}
    body = {"name": ONE["name"], "schedule": "*/5 * * * *", "timeZone": "UTC", "httpTarget": target}
    assert api.sent("POST", URL) == [body]
    assert "next at 2026-12-01 12:05:00 UTC" in result.stderr
    assert homerun("schedules", "create", "http", "poll", "--uri", "https://a.test/x").exit_code == 2


def test_update_names_what_it_changes(homerun: Invoke, api: FakeApi) -> None:
    api.on("PATCH", f"{URL}/poll", ONE)
    result = homerun("schedules", "update", "http", "poll", "--max-retry-attempts", "3", "--clear-headers",
                     "--clear-message-body", "--clear-auth-token")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert api.sent("PATCH", f"{URL}/poll") == [{"retryConfig": {"retryCount": 3}}]
    cleared = "httpTarget.body,httpTarget.oidcToken,httpTarget.oauthToken,httpTarget.headers"
    assert api.asked[-1].query == {"updateMask": f"{cleared},retryConfig.retryCount"}
    result = homerun("schedules", "update", "http", "poll")
    assert (result.exit_code, "Nothing to change" in result.stderr) == (2, True)


def test_update_changes_headers_one_by_one_and_gives_defaults_back(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{URL}/poll", ONE)
    api.on("PATCH", f"{URL}/poll", ONE)
    flags = ("--update-headers", "X-B=c", "--remove-headers", "X-A", "--clear-time-zone", "--clear-max-backoff")
    result = homerun("schedules", "update", "http", "poll", *flags)
    assert result.exit_code == 0, result.output
    assert api.sent("PATCH", f"{URL}/poll") == [{"httpTarget": {"headers": {"X-B": "c"}}}]
    assert api.asked[-1].query == {"updateMask": "timeZone,retryConfig.maxBackoffDuration,httpTarget.headers"}


NEWS = {
    **{key: ONE[key] for key in ONE if key != "httpTarget"},
    "name": "projects/p/locations/r/jobs/news",
    "status": {"code": 12, "message": "Pub/Sub is not part of homerun yet"},
    "pubsubTarget": {"topicName": "projects/p/topics/news", "data": "aGVsbG8=", "attributes": {"a": "b"}},
}


def test_a_schedule_that_publishes_is_created(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", URL, NEWS)
    flags = ("--schedule", "every 5 minutes", "--topic", "news", "--message-body", "hello", "--attributes", "a=b")
    result = homerun("schedules", "create", "pubsub", "news", *flags)
    assert result.exit_code == 0, result.output
    assert api.sent("POST", URL) == [
        {"name": NEWS["name"], "schedule": "every 5 minutes", "pubsubTarget": NEWS["pubsubTarget"]}
    ]
    assert "Until homerun has Pub/Sub, its attempts fail" in result.stderr
    assert homerun("schedules", "create", "pubsub", "news", "--schedule", "* * * * *").exit_code == 2
    made = homerun("schedules", "create", "pubsub", "news", *flags, "--format", "json")
    assert made.stdout.startswith("{")


def test_a_schedule_that_publishes_is_changed_and_described(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{URL}/news", NEWS)
    api.on("PATCH", f"{URL}/news", NEWS)
    flags = ("--topic", "projects/p/topics/other", "--update-attributes", "c=d", "--message-body", "x")
    assert homerun("schedules", "update", "pubsub", "news", *flags).exit_code == 0
    target = {"topicName": "projects/p/topics/other", "attributes": {"a": "b", "c": "d"}, "data": "eA=="}
    assert api.sent("PATCH", f"{URL}/news") == [{"pubsubTarget": target}]
    assert homerun("schedules", "update", "pubsub", "news", "--clear-attributes").exit_code == 0
    assert api.asked[-1].query == {"updateMask": "pubsubTarget.attributes"}
    assert homerun("schedules", "update", "pubsub", "news").exit_code == 2
    shown = homerun("schedules", "describe", "news").stdout
    for text in ("Pub/Sub projects/p/topics/news", "a=b", "hello", "not part of homerun yet"):
        assert text in shown


def test_lists_and_descriptions(homerun: Invoke, api: FakeApi) -> None:
    pubsub = {
        **ONE,
        "name": f"{ONE['name']}-2",
        "state": "PAUSED",
        "pubsubTarget": {"topicName": "projects/p/topics/t"},
    }
    for field in ("httpTarget", "scheduleTime", "status", "lastAttemptTime"):
        del pubsub[field]
    api.on("GET", URL, {"jobs": [ONE, pubsub]})
    _, first, second = homerun("schedules", "list").stdout.splitlines()
    assert "poll " in first and "2026-12-01 12:05:00" in first and "failed (5)" in first and "POST https" in first
    assert "poll-2" in second and "paused" in second and "Pub/Sub projects/p/topics/t" in second
    api.on("GET", f"{URL}/poll", ONE)
    shown = homerun("schedules", "describe", "poll").stdout
    for text in (
        "often",
        "*/5 * * * * (UTC)",
        "answered with HTTP status 404",
        "X-A: b",
        "hello",
        f"ID token of {ROBOT}",
    ):
        assert text in shown
    assert homerun("schedules", "describe", "poll", "--format", "json").stdout.startswith("{")
    assert homerun("schedules", "list", "--format", "json").stdout.startswith("[")


def test_pause_resume_run_and_delete(homerun: Invoke, api: FakeApi) -> None:
    for verb in ("pause", "resume", "run"):
        api.on("POST", f"{URL}/poll:{verb}", {**ONE, "state": "PAUSED"})
        result = homerun("schedules", verb, "poll")
        assert result.exit_code == 0, result.output
        assert api.sent("POST", f"{URL}/poll:{verb}") == [{}]
    assert "homerun logs poll --schedule" in result.stderr
    api.on("GET", f"{URL}/poll", ONE)
    api.on("DELETE", f"{URL}/poll", {})
    assert homerun("schedules", "delete", "poll").exit_code == 2
    assert homerun("schedules", "delete", "poll", "--yes").exit_code == 0
    assert homerun("schedules", "delete", "other", "--yes").exit_code == 1


def test_a_job_is_scheduled_in_one_line(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", "/homerun/v1/info", {"project": "p", "projectNumber": "1", "region": "r"})
    job = "/v2/projects/p/locations/r/jobs/report"
    api.on("GET", job, {"name": "x"})
    api.on("POST", URL, ONE)
    api.on("GET", f"{job}:getIamPolicy", {"etag": "ACAB"})
    api.on("POST", f"{job}:setIamPolicy", {})
    result = homerun("jobs", "schedule", "report", "0 7 * * MON-FRI", "--time-zone", "Europe/Berlin")
    assert result.exit_code == 0, result.output
    [sent] = api.sent("POST", URL)
    assert sent["name"].endswith("/jobs/report") and sent["timeZone"] == "Europe/Berlin"
    account = "1-compute@developer.gserviceaccount.com"
    assert sent["httpTarget"] == {
        "uri": "https://r-run.googleapis.com/v2/projects/p/locations/r/jobs/report:run",
        "oauthToken": {"serviceAccountEmail": account},
    }
    [policy] = api.sent("POST", f"{job}:setIamPolicy")
    binding = {"role": "roles/run.invoker", "members": [f"serviceAccount:{account}"]}
    assert policy["policy"]["bindings"] == [binding]
    assert homerun("jobs", "schedule", "other", "* * * * *").exit_code == 1


def test_the_log_of_a_schedule(homerun: Invoke, api: FakeApi) -> None:
    payload = {"@type": "type.googleapis.com/google.cloud.scheduler.logging.AttemptStarted", "url": "https://a.test/x",
               "scheduledTime": "2026-12-01T12:00:00.000000Z"}  # fmt: skip
    failed = {**payload, "@type": payload["@type"].replace("Started", "Finished"), "status": "NOT_FOUND",
              "debugInfo": "URL_ERROR-ERROR_NOT_FOUND."}  # fmt: skip
    log = "projects/p/logs/cloudscheduler.googleapis.com%2Fexecutions"
    entries = [
        {"logName": log, "severity": "ERROR", "jsonPayload": failed, "httpRequest": {"status": 404}},
        {"logName": log, "severity": "INFO", "jsonPayload": payload},
    ]
    api.on("POST", "/v2/entries:list", {"entries": entries})
    started, finished = homerun("logs", "poll", "--schedule").stdout.splitlines()
    assert "executions started  https://a.test/x  for 2026-12-01T12:00:00Z" in started
    assert "finished https://a.test/x  404  NOT_FOUND: URL_ERROR-ERROR_NOT_FOUND." in finished
    [asked] = api.sent("POST", "/v2/entries:list")
    assert "resource.type = cloud_scheduler_job AND resource.labels.job_id = poll" in asked["filter"]
