"""Flags of schedules, and the Job and mask that they make."""

from __future__ import annotations

import io
from typing import Any

import click
import pytest

from homerun.cli.schedule_flags import changed_pairs, resets, wanted


def test_what_is_given_is_what_is_sent() -> None:
    body, mask = wanted(
        {
            "schedule": "* * * * *",
            "max_retry_attempts": 0,
            "min_backoff": "1m",
            "uri": "https://a.test/",
            "headers": "A=b,C=d",
            "message_body": "hello",
            "oidc_service_account_email": "robot@p.iam.gserviceaccount.com",
            "description": None,
        }
    )
    assert body == {
        "schedule": "* * * * *",
        "retryConfig": {"retryCount": 0, "minBackoffDuration": "60s"},
        "httpTarget": {
            "uri": "https://a.test/",
            "headers": {"A": "b", "C": "d"},
            "body": "aGVsbG8=",
            "oidcToken": {"serviceAccountEmail": "robot@p.iam.gserviceaccount.com"},
        },
    }
    assert mask.split(",") == [
        "schedule",
        "retryConfig.retryCount",
        "retryConfig.minBackoffDuration",
        "httpTarget.uri",
        "httpTarget.headers",
        "httpTarget.body",
        "httpTarget.oidcToken.serviceAccountEmail",
    ]


def test_a_body_from_a_file() -> None:
    assert wanted({"message_body_from_file": io.BytesIO(b"\xff")}) == (
        {"httpTarget": {"body": "/w=="}},
        "httpTarget.body",
    )
    with pytest.raises(click.UsageError, match="not both"):
        wanted({"message_body": "a", "message_body_from_file": io.BytesIO(b"b")})


def test_what_is_cleared_is_named_and_not_sent() -> None:
    assert wanted({}, cleared=["httpTarget.headers"]) == ({}, "httpTarget.headers")


def test_a_message_is_the_data_of_its_topic() -> None:
    body, mask = wanted(
        {"topic": "projects/p/topics/t", "message_body": "hello", "attributes": {"a": "b"}}, "pubsubTarget"
    )
    assert body == {"pubsubTarget": {"topicName": "projects/p/topics/t", "attributes": {"a": "b"}, "data": "aGVsbG8="}}
    assert mask == "pubsubTarget.topicName,pubsubTarget.attributes,pubsubTarget.data"


def test_pairs_are_changed_one_by_one() -> None:
    assert changed_pairs({"a": "1", "b": "2"}, "b=3,c=4", "a", "--update-headers") == {"b": "3", "c": "4"}
    assert changed_pairs({"a": "1"}, None, "a,z", "--update-headers") == {}


def test_resets_name_their_fields() -> None:
    given = {"clear_time_zone": True, "clear_min_backoff": False, "schedule": "* * * * *"}
    assert resets(given) == ["timeZone"]
    assert given == {"schedule": "* * * * *"}


@pytest.mark.parametrize("given", [{"min_backoff": "soon"}, {"headers": "no"}])
def test_what_cannot_be_read(given: dict[str, Any]) -> None:
    with pytest.raises(click.BadParameter):
        wanted(given)
