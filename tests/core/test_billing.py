import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.core import billing
from homerun.core.billing import GIB, Amount, ByDay, Kept, Life, Rate, Size
from homerun.core.task import Attempt, Outcome, Task, TaskState

NOON = 1_796_126_400.0  # 2026-12-01 12:00 UTC
MIDNIGHT = NOON + 43_200
SMALL = Size.of(1, 512 << 20)


@pytest.mark.parametrize(
    ("seconds", "billed"),
    [(0, 0), (0.001, 100), (0.1, 100), (0.10000000001, 100), (1.21, 1300), (0.3, 300), (86400.01, 86_400_100)],
)
def test_time_is_billed_in_steps_of_100_ms(seconds: float, billed: int) -> None:
    assert billing.billable(seconds) == billed


def test_a_gib_second_is_a_gibibyte_for_a_second_or_256_mebibytes_for_four() -> None:
    # The pricing page explains its unit with this example.
    assert billing.amount(1000, Size.of(1, GIB)).gib_seconds == 1
    assert billing.amount(4000, Size.of(1, GIB // 4)).gib_seconds == 1
    assert billing.amount(2000, Size.of(0.5, GIB)).vcpu_seconds == 1


def life(rate: Rate, of: Life) -> ByDay:
    days: ByDay = {}
    billing.book_life(days, rate, SMALL, of)
    return days


def ms(days: ByDay) -> dict[tuple[str, Rate], int]:
    return {(day, rate): amount.ms for day, used in days.items() for rate, amount in used.items()}


def test_by_request_the_start_and_the_end_are_booked_each_rounded_up() -> None:
    days = life(Rate.REQUEST, Life(NOON, startup=0.92, lived=600, stopping=1.23))
    assert ms(days) == {("2026-12-01", Rate.REQUEST): 1000 + 1300}


def test_one_that_was_not_asked_to_end_pays_for_its_start_only() -> None:
    assert ms(life(Rate.REQUEST, Life(NOON, 0.5, 600))) == {("2026-12-01", Rate.REQUEST): 500}


@pytest.mark.parametrize(
    ("lived", "billed", "more"), [(0.01, 100, 59_900), (59.95, 60_000, 0), (60.01, 60_100, 0), (12.34, 12_400, 47_600)]
)
def test_a_whole_life_is_billed_for_a_minute_at_least(lived: float, billed: int, more: int) -> None:
    for rate, extra in billing.EXTRA.items():
        expected = {("2026-12-01", rate): billed} | ({("2026-12-01", extra): more} if more else {})
        assert ms(life(rate, Life(NOON, 0, lived))) == expected


def test_a_life_over_midnight_is_on_the_bill_of_both_days() -> None:
    days = life(Rate.INSTANCE, Life(MIDNIGHT - 10, 0, 86_400 + 30))
    assert ms(days) == {
        ("2026-12-01", Rate.INSTANCE): 10_000,
        ("2026-12-02", Rate.INSTANCE): 86_400_000,
        ("2026-12-03", Rate.INSTANCE): 20_000,
    }


@given(st.floats(0, 2e9), st.integers(1, 10_000_000))
def test_no_millisecond_is_lost_between_days(started: float, length: int) -> None:
    parts = list(billing.spread(started, length))
    assert sum(part for _, part in parts) == length
    assert len({day for day, _ in parts}) == len(parts)
    assert [day for day, _ in parts] == sorted(day for day, _ in parts)


def test_every_attempt_of_an_execution_is_billed_but_those_that_nobody_saw() -> None:
    tasks = [
        Task(0, TaskState.SUCCEEDED, [
            Attempt(0, NOON, NOON + 61.01, Outcome.EXITED, code=1),
            Attempt(1, NOON + 70, NOON + 171, Outcome.EXITED, 0),
        ]),
        Task(1, TaskState.RUNNING, [Attempt(0, NOON)]),
        Task(2),
        Task(3, TaskState.PENDING, [Attempt(0, NOON, NOON + 100, Outcome.TIMEOUT, signal=15)]),
        Task(4, TaskState.FAILED, [Attempt(0, NOON, NOON + 50, Outcome.UNSTARTED)]),
        Task(5, TaskState.PENDING, [Attempt(0, NOON, NOON + 9999, Outcome.LOST)]),
        Task(6, TaskState.PENDING, [Attempt(0, NOON, NOON + 9999, Outcome.INTERRUPTED)]),
    ]  # fmt: skip
    days: ByDay = {}
    billing.book_tasks(days, Size.of(2, GIB), tasks, now=NOON + 0.5)
    [used] = days.values()
    assert used[Rate.INSTANCE].ms == 61_100 + 101_000 + 500 + 100_000
    assert used[Rate.INSTANCE_MINIMUM].ms == 59_500
    assert used[Rate.INSTANCE].vcpu_seconds == 2 * 262.6
    assert used[Rate.INSTANCE].gib_seconds == 262.6


def test_an_attempt_over_midnight_is_on_both_days() -> None:
    days: ByDay = {}
    task = Task(0, TaskState.SUCCEEDED, [Attempt(0, MIDNIGHT - 5, MIDNIGHT + 10, Outcome.EXITED, 0)])
    billing.book_tasks(days, SMALL, [task], now=0)
    assert ms(days) == {
        ("2026-12-01", Rate.INSTANCE): 5000,
        ("2026-12-02", Rate.INSTANCE): 10_000,
        ("2026-12-02", Rate.INSTANCE_MINIMUM): 45_000,
    }


@pytest.mark.parametrize(
    ("count", "busy", "idle"), [(2, 0, 20_000), (2, 5000, 15_000), (1, 10_000, 0), (1, 25_000, 0), (0, 0, 0)]
)
def test_what_a_minimum_keeps_is_idle_when_it_has_no_requests(count: int, busy: int, idle: int) -> None:
    left, parts = Kept(count, round(NOON * 1000)).until(NOON + 10, busy)
    assert sum(part for _, part in parts) == idle
    assert left == Kept(count, round((NOON + 10) * 1000))


def test_requests_at_the_end_of_a_long_rest_are_taken_off_its_last_day() -> None:
    _, parts = Kept(1, round((MIDNIGHT - 30) * 1000)).until(MIDNIGHT + 10, busy=4000)
    assert parts == [("2026-12-01", 30_000), ("2026-12-02", 6000)]


def test_a_clock_that_was_set_back_bills_nothing_twice() -> None:
    kept, parts = Kept(1, round(NOON * 1000)).until(NOON - 100)
    assert (kept.since, parts) == (round(NOON * 1000), [])


def test_what_is_stored_comes_back() -> None:
    used = {Rate.REQUEST: Amount(1, 2, 3, 4), Rate.IDLE: Amount(5)}
    assert billing.decode(billing.encode(used)) == used


def test_sums() -> None:
    into: ByDay = {"a": {Rate.IDLE: Amount(1)}}
    billing.merge_days(into, {"a": {Rate.IDLE: Amount(2)}, "b": {Rate.INSTANCE_MINIMUM: Amount(3, requests=1)}})
    assert into == {"a": {Rate.IDLE: Amount(3)}, "b": {Rate.INSTANCE_MINIMUM: Amount(3, requests=1)}}
    assert billing.total({**into["a"], **into["b"]}) == Amount(6, requests=1)
    assert billing.without_minimum({**into["a"], **into["b"]}) == into["a"]
