"""Attempts of schedules in the log."""

from __future__ import annotations

from typing import Any

from homerun.core.http_attempt import DEADLINE_EXCEEDED, UNIMPLEMENTED, Outcome, outcome_of
from homerun.meter.attempt_logs import AttemptLogs
from homerun.store.log_base import Found, LogRow

NAME = "projects/p/locations/l/jobs/nightly"
HTTP = {"httpTarget": {"uri": "https://a.test/x"}}
PUBSUB = {"pubsubTarget": {"topicName": "projects/p/topics/news"}}
TYPE = "type.googleapis.com/google.cloud.scheduler.logging."


class Noon:
    def now(self) -> float:
        return 1_764_590_400.0

    def mono(self) -> float:
        return 0.0


def logs() -> tuple[AttemptLogs, list[dict[str, Any]]]:
    entries: list[dict[str, Any]] = []

    def write(project: str, row: LogRow) -> None:
        found = Found(row.time, 1, row.origin, row.severity, row.text, row.more)
        entries.append(found.entry(project))

    return AttemptLogs(Noon(), write), entries


def test_an_attempt_that_went_well() -> None:
    made, entries = logs()
    made.attempting(NAME, HTTP, "2026-12-01T12:00:00Z")
    made.attempted(NAME, HTTP, outcome_of(204))
    started, finished = entries
    assert started["logName"] == "projects/p/logs/cloudscheduler.googleapis.com%2Fexecutions"
    assert started["resource"] == {
        "type": "cloud_scheduler_job",
        "labels": {"project_id": "p", "location": "l", "job_id": "nightly"},
    }
    about = {"jobName": NAME, "targetType": "HTTP", "url": "https://a.test/x"}
    assert started["jsonPayload"] == {
        "@type": f"{TYPE}AttemptStarted", **about, "scheduledTime": "2026-12-01T12:00:00Z"
    }  # fmt: skip
    assert finished["jsonPayload"] == {"@type": f"{TYPE}AttemptFinished", **about}
    assert (finished["severity"], finished["httpRequest"]) == ("INFO", {"status": 204})


def test_why_one_has_failed() -> None:
    made, entries = logs()
    made.attempted(NAME, HTTP, outcome_of(404))
    made.attempted(NAME, HTTP, Outcome(DEADLINE_EXCEEDED, "the target did not answer within 15 s"))
    made.attempted(NAME, PUBSUB, Outcome(UNIMPLEMENTED, "not yet"))
    assert [entry["severity"] for entry in entries] == ["ERROR"] * 3
    assert [(entry["jsonPayload"]["status"], entry["jsonPayload"]["debugInfo"]) for entry in entries] == [
        ("NOT_FOUND", "URL_ERROR-ERROR_NOT_FOUND. Original HTTP response code number = 404"),
        ("DEADLINE_EXCEEDED", "URL_TIMEOUT-ERROR_DEADLINE_EXCEEDED. the target did not answer within 15 s"),
        ("UNIMPLEMENTED", "URL_ERROR-ERROR_UNIMPLEMENTED. not yet"),
    ]
    assert entries[2]["jsonPayload"]["pubsubTopic"] == "projects/p/topics/news"
    assert "httpRequest" not in entries[1]
