"""Lines as payloads (contract §1.13)."""

import json
from typing import Any

import pytest

from homerun.core.log_payload import payload

PREFIX = "logging.googleapis.com/"


def of(**fields: Any) -> Any:
    return payload(json.dumps(fields))


def test_text_is_text() -> None:
    assert (payload("hi").text, payload("hi").severity, payload("").text) == ("hi", "DEFAULT", "")


@pytest.mark.parametrize(
    "text", ["{", "{]", "[1]", '"x"', "{" * 10_000, '{"a": 1', '{"a":NaN}', '{"a":"\\ud800"}', "{}x"]
)
def test_what_only_looks_like_json_is_text(text: str) -> None:
    assert payload(text).text == text


def test_an_object_that_no_message_could_hold_is_text() -> None:
    deep = '{"a":' * 60 + "1" + "}" * 60
    assert payload(deep).text == deep
    assert of(many=[{"a": 1}] * 100).json == {"many": [{"a": 1}] * 100}


def test_fields_are_lifted_and_the_rest_is_the_payload() -> None:
    made = of(
        **{
            "severity": "warning",
            "message": "m",
            "n": 1,
            "time": "2026-01-01T00:00:00.5Z",
            f"{PREFIX}trace": "projects/p/traces/0af7",
            f"{PREFIX}spanId": "b7ad",
            f"{PREFIX}trace_sampled": True,
            f"{PREFIX}insertId": "i",
            f"{PREFIX}labels": {"user": 7},
            f"{PREFIX}operation": {"id": "o", "first": True},
            f"{PREFIX}sourceLocation": {"file": "a.py", "line": 3, "function": "f"},
            "httpRequest": {"requestMethod": "GET", "status": 200, "responseSize": 12, "latency": "0.25s"},
        }
    )
    assert made.json == {"message": "m", "n": 1}
    assert made.severity == "WARNING"
    assert made.time == 1767225600.5
    assert made.labels == {"user": "7"}
    assert made.fields == {
        "trace": "projects/p/traces/0af7",
        "spanId": "b7ad",
        "traceSampled": True,
        "insertId": "i",
        "operation": {"id": "o", "first": True},
        "sourceLocation": {"file": "a.py", "line": "3", "function": "f"},
        "httpRequest": {"requestMethod": "GET", "status": 200, "responseSize": "12", "latency": "0.25s"},
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("severity", "loud"),
        ("time", "noon"),
        ("timestamp", {"seconds": 1}),
        ("httpRequest", "GET /"),
        ("httpRequest", {"status": "ok"}),
        ("httpRequest", {"requestMethod": "GET", "more": 1}),
        ("httpRequest", {"latency": 0.25}),
        (f"{PREFIX}trace", 7),
        (f"{PREFIX}labels", 3),
        (f"{PREFIX}trace_sampled", "yes"),
        (f"{PREFIX}sourceLocation", {"line": -1}),
        (f"{PREFIX}operation", []),
    ],
)
def test_what_is_not_what_it_should_be_stays_in_the_payload(key: str, value: Any) -> None:
    assert of(**{key: value, "message": "m"}).json == {key: value, "message": "m"}


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({"timestamp": "2026-01-01T01:00:00+01:00"}, 1767225600),
        ({"timestamp": {"seconds": 1767225600, "nanos": 500000000}}, 1767225600.5),
        ({"timestampSeconds": "1767225600", "timestampNanos": 0}, 1767225600),
    ],
)
def test_times_in_every_form(fields: Any, time: float) -> None:
    made = of(**fields, message="m")
    assert (made.time, made.text) == (time, "m")


@pytest.mark.parametrize(
    ("written", "severity"),
    [("Error", "ERROR"), ("warn", "WARNING"), ("FATAL", "CRITICAL"), (500, "ERROR"), ("debug", "DEBUG")],
)
def test_severities_of_many_loggers(written: Any, severity: str) -> None:
    assert of(severity=written, message="m").severity == severity


def test_a_message_alone_is_text_and_nothing_but_special_fields_is_no_payload() -> None:
    assert of(severity="ERROR", message="m").text == "m"
    made = of(httpRequest={"status": 200})
    assert (made.text, made.json) == (None, None)
