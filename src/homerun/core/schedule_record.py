"""A Schedule as it is written down, and read again: nothing of it is kept anywhere else, so nothing is lost by a crash.

Clients see when it attempts next, whether it is paused and what became of the last attempt (Cloud Scheduler's Job); the
rest is internal to the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from homerun.core.english import parse_times
from homerun.core.schedule import Attempt, Retries, Schedule
from homerun.lib.timestamps import to_rfc3339
from homerun.model.quantity import parse_seconds
from homerun.model.schedule import time_zone

Json = Mapping[str, Any]

ENABLED, PAUSED = "ENABLED", "PAUSED"
_MOMENTS = ("planned", "due", "scheduled", "first", "wanted")


def restored(body: Json, internal: Json) -> Schedule:
    """The schedule that was recorded with these. Raises ValueError for fields that no rule has passed."""
    kept = internal.get("schedule", {})
    running = kept.get("running")
    return Schedule(
        times=parse_times(body["schedule"]),
        zone=time_zone(body["timeZone"]),
        retries=retries(body["retryConfig"]),
        paused=body.get("state") == PAUSED,
        running=Attempt(_moment(running["scheduled"]), running["forced"]) if running else None,
        failures=kept.get("failures", 0),
        **{name: _moment(kept[name]) for name in _MOMENTS if name in kept},
    )


def recorded(schedule: Schedule, body: Json, internal: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    """`body` and `internal` of a document, with what the schedule knows now."""
    kept: dict[str, Any] = {
        name: value.isoformat() for name in _MOMENTS if (value := getattr(schedule, name)) is not None
    }
    if schedule.failures:
        kept["failures"] = schedule.failures
    if (running := schedule.running) is not None:
        kept["running"] = {"scheduled": running.scheduled.isoformat(), "forced": running.forced}
    shown = {key: value for key, value in body.items() if key != "scheduleTime"}
    shown["state"] = PAUSED if schedule.paused else ENABLED
    # While an attempt is under way, what was planned is that very attempt.
    coming = schedule.due if running is not None else schedule.planned
    if coming is not None:
        shown["scheduleTime"] = text_of(coming)
    return shown, {**internal, "schedule": kept}


def next_of(body: Json, internal: Json) -> datetime | None:
    """`next` of the schedule that was recorded with these, at a tenth of the price."""
    kept = internal.get("schedule", {})
    if "running" in kept:
        return None
    when = kept.get("wanted") or (None if body.get("state") == PAUSED else kept.get("planned"))
    return _moment(when) if when is not None else None


def is_running(internal: Json) -> bool:
    return "running" in internal.get("schedule", {})


def retries(config: Json) -> Retries:
    """Of a RetryConfig that is complete."""
    durations = (config[f"{field}Duration"] for field in ("maxRetry", "minBackoff", "maxBackoff"))
    return _retries(int(config.get("retryCount", 0)), *durations, int(config["maxDoublings"]))


@lru_cache(maxsize=1024)
def _retries(count: int, duration: str, min_backoff: str, max_backoff: str, max_doublings: int) -> Retries:
    limit, low, high = (timedelta(seconds=parse_seconds(text)) for text in (duration, min_backoff, max_backoff))
    return Retries(count, limit, low, high, max_doublings)


def text_of(moment: datetime) -> str:
    """As clients see it: RFC 3339."""
    return to_rfc3339(moment.timestamp())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
