"""What is written down is all that a schedule knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homerun.core.schedule import Retries, Schedule
from homerun.core.schedule_record import is_running, next_of, recorded, restored, retries
from homerun.model.schedule import completed

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
BODY = completed(
    {
        "schedule": "*/10 * * * *",
        "httpTarget": {"uri": "http://a.test/"},
        "retryConfig": {"retryCount": 3, "minBackoffDuration": "2.5s"},
    }
)


def started() -> Schedule:
    made = restored({**BODY, "state": "ENABLED"}, {})
    made.start(NOON)
    return made


def test_what_clients_see_of_it() -> None:
    schedule = started()
    body, internal = recorded(schedule, BODY, {"uid": "u"})
    assert (body["state"], body["scheduleTime"]) == ("ENABLED", "2026-12-01T12:10:00.000000Z")
    assert internal["uid"] == "u"
    schedule.tick(NOON + timedelta(minutes=10))
    assert recorded(schedule, body, internal)[0]["scheduleTime"] == "2026-12-01T12:20:00.000000Z"
    schedule.ended(NOON + timedelta(minutes=10), ok=False)
    assert recorded(schedule, body, internal)[0]["scheduleTime"] == "2026-12-01T12:10:02.500000Z"
    schedule.pause()
    body, _ = recorded(schedule, body, internal)
    assert body["state"] == "PAUSED" and "scheduleTime" not in body


def test_a_retry_config_as_the_api_has_it() -> None:
    assert retries(completed({"schedule": ""})["retryConfig"]) == Retries()
    assert retries(BODY["retryConfig"]) == Retries(count=3, min_backoff=timedelta(seconds=2.5))


ACTS: dict[str, Callable[[Schedule, datetime], Any]] = {
    "tick": lambda s, now: s.tick(now),
    "good": lambda s, now: s.ended(now, ok=True),
    "bad": lambda s, now: s.ended(now, ok=False),
    "force": lambda s, now: s.force(now),
    "pause": lambda s, now: s.pause(),
    "resume": lambda s, now: s.resume(now),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 900)), max_size=30))
def test_whatever_happened_a_restart_changes_nothing(acts: list[tuple[str, int]]) -> None:
    lived, now = started(), NOON
    body, internal = recorded(lived, BODY, {})
    for act, seconds in acts:
        now += timedelta(seconds=seconds)
        again = restored(body, internal)
        assert again == lived
        assert (next_of(body, internal), is_running(internal)) == (lived.next, lived.running is not None)
        assert ACTS[act](again, now) == ACTS[act](lived, now)
        body, internal = recorded(again, body, internal)
