"""Each rule of schedules, once kept and once broken."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.model.rules import check
from homerun.model.schedule_rules import SCHEDULE, SCHEDULE_ID

ROBOT = "robot@homerun.iam.gserviceaccount.com"
JOB_RUN = "https://us-central1-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/jobs/j:run"


def http(**target: Any) -> dict[str, Any]:
    return {"httpTarget": {"uri": "https://a.test/x", **target}}


def broken(**job: Any) -> set[str]:
    return {violation.field for violation in check({"schedule": "* * * * *", **job}, SCHEDULE)}


@pytest.mark.parametrize(
    "job",
    [
        http(),
        http(uri="http://a.test:8080/x?y=1#z", httpMethod="PUT", body="YQ==", headers={"X-A": "b, c", "A.b_c": ""}),
        http(oidcToken={"serviceAccountEmail": ROBOT, "audience": "https://a.test"}),
        http(uri=JOB_RUN, oauthToken={"serviceAccountEmail": ROBOT}),
        {"pubsubTarget": {"topicName": "projects/p/topics/news", "data": "YQ=="}},
        {"pubsubTarget": {"topicName": "projects/p/topics/news", "attributes": {"a": "b"}}},
        {**http(), "timeZone": "Europe/Berlin", "description": "x" * 500, "attemptDeadline": "15s"},
        {**http(), "attemptDeadline": "1800s", "retryConfig": {"retryCount": 5, "maxRetryDuration": "0s"}},
        {**http(), "retryConfig": {"minBackoffDuration": "10s", "maxBackoffDuration": "10s", "maxDoublings": 16}},
    ],
)
def test_good_ones(job: dict[str, Any]) -> None:
    assert broken(**job) == set()


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({}, "httpTarget"),
        ({**http(), "pubsubTarget": {"topicName": "projects/p/topics/news", "data": "YQ=="}}, "httpTarget"),
        ({"appEngineHttpTarget": {}}, "appEngineHttpTarget"),
        ({**http(), "schedule": ""}, "schedule"),
        ({**http(), "description": "x" * 501}, "description"),
        ({**http(), "timeZone": "Mars/Olympus"}, "timeZone"),
        ({**http(), "attemptDeadline": "14s"}, "attemptDeadline"),
        ({**http(), "attemptDeadline": "1801s"}, "attemptDeadline"),
        ({**http(), "retryConfig": {"retryCount": 6}}, "retryConfig.retryCount"),
        ({**http(), "retryConfig": {"retryCount": -1}}, "retryConfig.retryCount"),
        ({**http(), "retryConfig": {"maxRetryDuration": "-1s"}}, "retryConfig.maxRetryDuration"),
        ({**http(), "retryConfig": {"minBackoffDuration": "-1s"}}, "retryConfig.minBackoffDuration"),
        (
            {**http(), "retryConfig": {"minBackoffDuration": "11s", "maxBackoffDuration": "10s"}},
            "retryConfig.minBackoffDuration",
        ),
        ({**http(), "retryConfig": {"maxDoublings": -1}}, "retryConfig.maxDoublings"),
        (http(uri=""), "httpTarget.uri"),
        (http(uri="ftp://a.test/"), "httpTarget.uri"),
        (http(uri="https:///x"), "httpTarget.uri"),
        (http(uri="https://a.test:99999/"), "httpTarget.uri"),
        (http(uri="https://a.test/a b"), "httpTarget.uri"),
        (http(uri="https://me:secret@a.test/"), "httpTarget.uri"),
        (http(uri="https://a.test/" + "x" * 2083), "httpTarget.uri"),
        (http(httpMethod="GET", body="YQ=="), "httpTarget.body"),
        (http(headers={"a b": "c"}), "httpTarget.headers[a b]"),
        (http(headers={"a": "b\r\nc: d"}), "httpTarget.headers[a]"),
        (http(headers={"a": "\u20ac"}), "httpTarget.headers[a]"),
        (http(headers={"a": "b" * 81920}), "httpTarget.headers"),
        (http(uri=JOB_RUN, oidcToken={"serviceAccountEmail": ROBOT}, oauthToken={"serviceAccountEmail": ROBOT}),
         "httpTarget.oidcToken"),
        (http(oidcToken={}), "httpTarget.oidcToken.serviceAccountEmail"),
        (http(oidcToken={"serviceAccountEmail": "ann@example.com"}), "httpTarget.oidcToken.serviceAccountEmail"),
        (http(uri=JOB_RUN, oauthToken={"serviceAccountEmail": "x"}), "httpTarget.oauthToken.serviceAccountEmail"),
        (http(oauthToken={"serviceAccountEmail": ROBOT}), "httpTarget.oauthToken"),
        (http(uri="https://[x", oauthToken={"serviceAccountEmail": ROBOT}), "httpTarget.oauthToken"),
        ({"pubsubTarget": {"data": "YQ=="}}, "pubsubTarget.topicName"),
        ({"pubsubTarget": {"topicName": "news", "data": "YQ=="}}, "pubsubTarget.topicName"),
        ({"pubsubTarget": {"topicName": "projects/p/topics/news"}}, "pubsubTarget.data"),
        (http(body="YWFh" * 400_000), ""),
    ],
)  # fmt: skip
def test_bad_ones(job: dict[str, Any], field: str) -> None:
    assert field in broken(**job)


@pytest.mark.parametrize(("id", "good"), [("nightly", True), ("A_b-9", True), ("a.b", False), ("x" * 501, False)])
def test_ids(id: str, good: bool) -> None:
    assert (SCHEDULE_ID.complaint(id) is None) is good
