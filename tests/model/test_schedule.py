"""Names, zones, defaults, and the request that is made of a target."""

from __future__ import annotations

import base64
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from homerun.model.schedule import completed, deadline, http_request, name_of, target_of, time_zone

WHEN = "2026-12-01T12:00:00Z"


def test_names_are_those_of_jobs() -> None:
    assert str(name_of("p", "l", "nightly")) == "projects/p/locations/l/jobs/nightly"


def test_time_zones() -> None:
    assert [time_zone(name) for name in ("", "utc", "UTC", "Etc/UTC")] == [UTC] * 4
    assert time_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for name in ("Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime"):
        with pytest.raises(ValueError, match="no time zone of the tz database"):
            time_zone(name)


def test_what_is_left_out_is_shown() -> None:
    assert completed({"schedule": "s", "httpTarget": {"uri": "u"}}) == {
        "schedule": "s",
        "timeZone": "UTC",
        "attemptDeadline": "180s",
        "httpTarget": {"uri": "u", "httpMethod": "POST"},
        "retryConfig": {
            "maxRetryDuration": "0s",
            "minBackoffDuration": "5s",
            "maxBackoffDuration": "3600s",
            "maxDoublings": 5,
        },
    }
    made = completed({"attemptDeadline": "20s", "retryConfig": {"maxDoublings": 0, "minBackoffDuration": "7s"}})
    assert (made["retryConfig"]["maxDoublings"], made["retryConfig"]["minBackoffDuration"]) == (5, "7s")
    assert completed(made) == made
    with_deadline = {"httpTarget": {"httpMethod": "GET"}, "attemptDeadline": "20s"}
    assert completed(with_deadline)["attemptDeadline"] == "20s"


def test_targets_and_deadlines() -> None:
    assert target_of({"schedule": "", "pubsubTarget": {}}) == "pubsubTarget"
    assert (deadline({}), deadline({"attemptDeadline": "20.5s"})) == (180, 20.5)


def test_a_request_has_the_headers_of_its_author_and_those_of_the_scheduler() -> None:
    body = base64.b64encode(b"hello").decode()
    target = {
        "uri": "http://a.test/x",
        "body": body,
        "headers": {
            "X-Mine": "1",
            "Host": "b.test",
            "user-agent": "me",
            "X-CloudScheduler": "false",
            "X-Google-Foo": "1",
            "x-appengine-bar": "1",
            "Content-Length": "3",
        },
    }
    request = http_request(target, "nightly", WHEN)
    assert (request.method, request.url, request.body) == ("POST", "http://a.test/x", b"hello")
    assert dict(request.headers) == {
        "X-Mine": "1",
        "Content-Type": "application/octet-stream",
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": "nightly",
        "X-CloudScheduler-ScheduleTime": WHEN,
    }


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {}])
def test_a_content_type_is_added_to_a_body_without_one(headers: dict[str, str]) -> None:
    with_body = dict(http_request({"uri": "u", "body": "YQ==", "headers": headers}, "n", WHEN).headers)
    assert {**with_body, **headers} == with_body
    without = dict(http_request({"uri": "u", "httpMethod": "GET"}, "n", WHEN).headers)
    assert "Content-Type" not in without
