"""What a schedule is made of (Cloud Scheduler API v1, whose name for it is Job): its name, zone, target and request."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homerun.model.names import Name
from homerun.model.quantity import parse_seconds

Json = Mapping[str, Any]

KIND = "Schedule"
"""Of its documents. The names are those of Cloud Run's jobs: `projects/P/locations/L/jobs/J`."""
COLLECTION = "jobs"
TARGETS = ("httpTarget", "pubsubTarget", "appEngineHttpTarget")
DEADLINE = 180.0
"""Seconds that an attempt may take, where nothing else is said."""
USER_AGENT = "Google-Cloud-Scheduler"
_RETRY_CONFIG = {
    "maxRetryDuration": "0s",
    "minBackoffDuration": "5s",
    "maxBackoffDuration": "3600s",
    "maxDoublings": 5,
}
_OURS = re.compile(
    r"host|content-length|user-agent|connection|transfer-encoding|x-cloudscheduler.*|x-google-.*|x-appengine-.*"
)
"""Headers of its author that are not sent: they are the scheduler's."""


def name_of(project: str, location: str, id: str) -> Name:
    return Name(project, location, (COLLECTION, id))


@lru_cache(maxsize=1024)
def time_zone(name: str) -> tzinfo:
    """Of the tz database; empty: UTC. Raises ValueError."""
    if name.lower() in ("", "utc", "etc/utc"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone of the tz database: write one such as Europe/Berlin, America/New_York, Etc/UTC"
        ) from None


def completed(body: Json) -> dict[str, Any]:
    """With the defaults of what was left out, as the API shows them."""
    made = {**body, "timeZone": body.get("timeZone") or "UTC"}
    config = {key: value for key, value in body.get("retryConfig", {}).items() if value not in (0, "0s")}
    made["retryConfig"] = {**_RETRY_CONFIG, **config}
    if (target := body.get("httpTarget")) is not None:
        made["httpTarget"] = {"httpMethod": "POST", **target}
        if parse_seconds(body.get("attemptDeadline", "0s")) == 0:
            made["attemptDeadline"] = f"{DEADLINE:.0f}s"
    return made


def target_of(body: Json) -> str:
    """Which of TARGETS it has; the rules have seen to it that there is one."""
    return next(target for target in TARGETS if target in body)


def deadline(body: Json) -> float:
    """Seconds that an attempt may take."""
    return parse_seconds(body.get("attemptDeadline", "0s")) or DEADLINE


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent to a target. `headers`: in the order in which they go, without Host, Content-Length and
    Authorization."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


def http_request(target: Json, id: str, scheduled: str) -> HttpRequest:
    """Of an `httpTarget` of the schedule `id`, for the time `scheduled` (contract §8.4)."""
    given = {name: value for name, value in target.get("headers", {}).items() if not _OURS.fullmatch(name.lower())}
    body = base64.b64decode(target.get("body", ""))
    if body and not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = "application/octet-stream"
    ours = {
        "User-Agent": USER_AGENT,
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": id,
        "X-CloudScheduler-ScheduleTime": scheduled,
    }
    return HttpRequest(target.get("httpMethod", "POST"), target["uri"], tuple((given | ours).items()), body)
