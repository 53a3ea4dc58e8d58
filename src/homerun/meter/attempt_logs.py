"""Attempts of schedules as log entries, in the words of Cloud Scheduler: one when it begins, one when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from homerun.core.http_attempt import CODES, DEADLINE_EXCEEDED, Outcome
from homerun.lib.clock import Clock
from homerun.meter.log_rows import microseconds
from homerun.model.names import Name
from homerun.model.schedule import target_of
from homerun.model.severity import severity_number
from homerun.store.log_base import LogRow, Origin

LOG = "cloudscheduler.googleapis.com/executions"
_TYPE = "type.googleapis.com/google.cloud.scheduler.logging."
_TARGETS = {"httpTarget": "HTTP", "pubsubTarget": "PUB_SUB", "appEngineHttpTarget": "APP_ENGINE_HTTP"}


class AttemptLogs:
    """`write` hears each entry: a project, and the row."""

    def __init__(self, clock: Clock, write: Callable[[str, LogRow], None]) -> None:
        self._clock, self._write = clock, write

    def attempting(self, name: str, job: Mapping[str, Any], scheduled: str) -> None:
        self._entry(name, "INFO", {**_payload("AttemptStarted", name, job), "scheduledTime": scheduled})

    def attempted(self, name: str, job: Mapping[str, Any], outcome: Outcome) -> None:
        payload, more = _payload("AttemptFinished", name, job), {}
        if outcome.http:
            more["httpRequest"] = {"status": outcome.http}
        if not outcome.ok:
            payload |= {"status": CODES[outcome.code], "debugInfo": _debug(outcome)}
        self._entry(name, "INFO" if outcome.ok else "ERROR", payload, more)

    def _entry(
        self, name: str, severity: str, payload: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> None:
        job = Name.parse(name)
        resource = (("project_id", job.project), ("location", job.location), ("job_id", job.id))
        fields = msgspec.json.encode({"jsonPayload": payload, **(more or {})}).decode()
        row = LogRow(
            microseconds(self._clock.now()),
            Origin(LOG, "cloud_scheduler_job", resource),
            severity_number(severity),
            None,
            fields,
        )
        self._write(job.project, row)


def _payload(kind: str, name: str, job: Mapping[str, Any]) -> dict[str, Any]:
    target = target_of(job)
    payload = {"@type": _TYPE + kind, "jobName": name, "targetType": _TARGETS[target]}
    if target == "httpTarget":
        payload["url"] = job[target]["uri"]
    elif target == "pubsubTarget":
        payload["pubsubTopic"] = job[target]["topicName"]
    return payload


def _debug(outcome: Outcome) -> str:
    """`URL_ERROR-ERROR_NOT_FOUND. …`: what the platform says, then what we know."""
    reached = "URL_TIMEOUT" if outcome.code == DEADLINE_EXCEEDED and not outcome.http else "URL_ERROR"
    known = f"Original HTTP response code number = {outcome.http}" if outcome.http else outcome.message
    return f"{reached}-ERROR_{CODES[outcome.code]}. {known}"
