from datetime import UTC, datetime, timedelta

import pytest

from homerun.core.cron import Cron
from homerun.core.english import Every
from homerun.core.schedule import Attempt, Retries, Schedule

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def schedule(text: str = "*/10 * * * *", **retries: object) -> Schedule:
    made = Schedule(Cron.parse(text), UTC, Retries(**retries))  # type: ignore[arg-type]
    made.start(NOON)
    return made


def fail_until_it_rests(s: Schedule, at: datetime) -> list[timedelta]:
    """The waits between failures, each of which takes no time, until the next time of the schedule itself."""
    waits = []
    assert s.tick(at) is not None
    while True:
        s.ended(at, ok=False)
        assert s.next is not None
        attempt, wait = None, s.next - at
        at = s.next
        attempt = s.tick(at)
        assert attempt is not None
        if attempt.scheduled == at:
            return waits
        waits.append(wait)


def test_it_attempts_at_its_time_and_not_before() -> None:
    s = schedule()
    assert s.next == NOON + 10 * MINUTE
    assert s.tick(NOON + 10 * MINUTE - SECOND) is None
    assert s.tick(NOON + 10 * MINUTE) == Attempt(NOON + 10 * MINUTE)
    s.ended(NOON + 11 * MINUTE, ok=True)
    assert s.next == NOON + 20 * MINUTE


def test_two_attempts_never_overlap_and_what_was_late_is_made_up_for_once() -> None:
    s = schedule()
    assert s.tick(NOON + 10 * MINUTE)
    assert s.next is None
    assert s.tick(NOON + 45 * MINUTE) is None
    s.ended(NOON + 45 * MINUTE, ok=True)
    assert s.tick(NOON + 45 * MINUTE) == Attempt(NOON + 20 * MINUTE)
    s.ended(NOON + 46 * MINUTE, ok=True)
    assert s.next == NOON + 50 * MINUTE


def test_a_time_that_passed_while_nobody_was_there_is_made_up_for_once() -> None:
    s = Schedule(Cron.parse("*/10 * * * *"), UTC, Retries())
    s.start(NOON + 45 * MINUTE, due=NOON + 10 * MINUTE)
    assert s.tick(NOON + 45 * MINUTE) == Attempt(NOON + 10 * MINUTE)
    s.ended(NOON + 45 * MINUTE, ok=True)
    assert s.next == NOON + 50 * MINUTE


def test_without_retries_a_failure_waits_for_the_next_time() -> None:
    s = schedule()
    s.tick(NOON + 10 * MINUTE)
    s.ended(NOON + 10 * MINUTE, ok=False)
    assert s.next == NOON + 20 * MINUTE


def test_retries_double_then_grow_evenly_up_to_the_most() -> None:
    """The example of the public documents, in contract §8.3."""
    retries = Retries(5, timedelta(), timedelta(seconds=10), timedelta(seconds=300), 3)
    seconds = [retries.backoff(number).total_seconds() for number in range(1, 9)]
    assert seconds == [10, 20, 40, 80, 160, 240, 300, 300]


def test_so_many_retries_and_no_more() -> None:
    waits = fail_until_it_rests(schedule("0 0 * * *", count=3), NOON + 12 * 60 * MINUTE)
    assert waits == [5 * SECOND, 10 * SECOND, 20 * SECOND]


def test_both_limits_must_be_reached() -> None:
    start = NOON + 12 * 60 * MINUTE
    waits = fail_until_it_rests(schedule("0 0 * * *", count=1, duration=timedelta(seconds=30)), start)
    assert waits == [5 * SECOND, 10 * SECOND, 20 * SECOND]
    assert len(fail_until_it_rests(schedule("0 0 * * *", count=4, duration=SECOND), start)) == 4


def test_retries_stop_at_the_next_time_of_the_schedule() -> None:
    waits = fail_until_it_rests(schedule("* * * * *", count=5, min_backoff=timedelta(seconds=25)), NOON + MINUTE)
    assert waits == [25 * SECOND]


def test_a_success_ends_the_retries() -> None:
    s = schedule(count=5)
    s.tick(NOON + 10 * MINUTE)
    s.ended(NOON + 10 * MINUTE, ok=False)
    assert s.tick(NOON + 10 * MINUTE + 5 * SECOND) == Attempt(NOON + 10 * MINUTE)
    s.ended(NOON + 10 * MINUTE + 6 * SECOND, ok=True)
    assert s.next == NOON + 20 * MINUTE


def test_paused_it_skips_and_resumed_it_starts_afresh() -> None:
    s = schedule()
    s.pause()
    assert s.next is None and s.tick(NOON + 10 * MINUTE) is None
    s.resume(NOON + 35 * MINUTE)
    assert s.next == NOON + 40 * MINUTE


def test_paused_while_an_attempt_is_under_way_it_does_not_retry() -> None:
    s = schedule(count=5)
    s.tick(NOON + 10 * MINUTE)
    s.pause()
    s.ended(NOON + 11 * MINUTE, ok=False)
    assert s.next is None


@pytest.mark.parametrize("paused", [False, True])
def test_asked_for_it_attempts_at_once_and_changes_no_schedule(paused: bool) -> None:
    s = schedule(count=5)
    if paused:
        s.pause()
    before = s.next
    s.force(NOON + MINUTE)
    assert s.next == NOON + MINUTE
    assert s.tick(NOON + MINUTE) == Attempt(NOON + MINUTE, forced=True)
    s.ended(NOON + 2 * MINUTE, ok=True)
    assert s.next == before


def test_what_was_asked_for_is_retried_like_others() -> None:
    s = schedule("0 0 * * *", count=2)
    before = s.next
    s.force(NOON)
    assert s.tick(NOON) == Attempt(NOON, forced=True)
    s.ended(NOON + MINUTE, ok=False)
    assert s.next == NOON + MINUTE + 5 * SECOND
    assert s.tick(NOON + MINUTE + 5 * SECOND) == Attempt(NOON)
    s.ended(NOON + 2 * MINUTE, ok=False)
    assert s.next == NOON + 2 * MINUTE + 10 * SECOND
    assert s.tick(NOON + 3 * MINUTE) == Attempt(NOON)
    s.ended(NOON + 3 * MINUTE, ok=False)
    assert s.next == before


def test_what_was_asked_for_is_not_retried_while_it_is_paused() -> None:
    s = schedule(count=5)
    s.pause()
    s.force(NOON)
    assert s.tick(NOON)
    s.ended(NOON + MINUTE, ok=False)
    assert s.next is None
    s.resume(NOON + 2 * MINUTE)
    assert s.next == NOON + 10 * MINUTE


@pytest.mark.parametrize("ok", [True, False])
def test_what_was_asked_for_takes_no_retry_from_an_earlier_one(ok: bool) -> None:
    s = schedule(count=1)
    s.tick(NOON + 10 * MINUTE)
    s.ended(NOON + 10 * MINUTE, ok=False)
    s.force(NOON + 10 * MINUTE + SECOND)
    assert s.tick(NOON + 10 * MINUTE + SECOND) == Attempt(NOON + 10 * MINUTE + SECOND, forced=True)
    s.ended(NOON + 10 * MINUTE + 2 * SECOND, ok=ok)
    assert s.next == NOON + 10 * MINUTE + 5 * SECOND
    assert s.tick(NOON + 10 * MINUTE + 5 * SECOND) == Attempt(NOON + 10 * MINUTE)
    s.ended(NOON + 11 * MINUTE, ok=False)
    assert s.next == NOON + 20 * MINUTE


def test_asked_for_while_an_attempt_is_under_way_it_attempts_once_more_after_that() -> None:
    s = schedule()
    s.tick(NOON + 10 * MINUTE)
    s.force(NOON + 11 * MINUTE)
    s.force(NOON + 12 * MINUTE)
    assert s.tick(NOON + 12 * MINUTE) is None
    s.ended(NOON + 13 * MINUTE, ok=True)
    assert s.tick(NOON + 13 * MINUTE) == Attempt(NOON + 11 * MINUTE, forced=True)
    s.ended(NOON + 14 * MINUTE, ok=True)
    assert s.next == NOON + 20 * MINUTE


def test_what_is_relative_counts_from_the_end() -> None:
    s = Schedule(Every(10 * MINUTE), UTC, Retries())
    s.start(NOON)
    assert s.tick(NOON + 10 * MINUTE) == Attempt(NOON + 10 * MINUTE)
    s.ended(NOON + 24 * MINUTE, ok=False)
    assert s.next == NOON + 34 * MINUTE
    s.tick(NOON + 34 * MINUTE)
    s.pause()
    s.ended(NOON + 35 * MINUTE, ok=True)
    assert s.next is None


def test_changed_it_keeps_to_the_new_times() -> None:
    s = schedule()
    s.change(Cron.parse("5 * * * *"), UTC, Retries(), NOON + MINUTE)
    assert s.next == NOON + 5 * MINUTE
    s.tick(NOON + 5 * MINUTE)
    s.change(Cron.parse("7 * * * *"), UTC, Retries(), NOON + 6 * MINUTE)
    assert s.next is None
    s.ended(NOON + 6 * MINUTE, ok=True)
    assert s.next == NOON + 7 * MINUTE


def test_asked_for_between_retries_the_retry_still_comes() -> None:
    s = schedule(count=1)
    s.tick(NOON + 10 * MINUTE)
    s.ended(NOON + 10 * MINUTE, ok=False)
    s.force(NOON + 10 * MINUTE + SECOND)
    s.tick(NOON + 10 * MINUTE + SECOND)
    s.ended(NOON + 10 * MINUTE + 2 * SECOND, ok=True)
    assert s.next == NOON + 10 * MINUTE + 5 * SECOND
