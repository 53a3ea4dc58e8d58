"""When a certificate is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from homerun.core.renewal import Standing

DAY = 24 * 3600.0


def test_without_one_it_is_at_once() -> None:
    assert Standing().due() == 0
    assert not Standing().usable(5)


def test_with_one_it_is_at_two_thirds_of_its_life() -> None:
    standing = Standing(since=10 * DAY, until=100 * DAY)
    assert standing.due() == 70 * DAY
    assert [standing.usable(at * DAY) for at in (9, 10, 99, 100)] == [False, True, True, False]


def test_after_failures_it_is_later_each_time_up_to_half_a_day() -> None:
    waits = [Standing(failures=n, failed=1000).due() - 1000 for n in (1, 2, 3, 4, 50)]
    assert waits == [300, 600, 1200, 2400, 12 * 3600]


def test_a_failed_renewal_is_tried_again_while_the_old_one_is_good() -> None:
    standing = Standing(since=0, until=90 * DAY, failures=1, failed=60 * DAY)
    assert standing.due() == 60 * DAY + 300


@given(st.integers(1, 40))
def test_no_more_than_five_failures_come_in_an_hour(failures: int) -> None:
    at = 0.0
    times = []
    for number in range(1, failures + 1):
        times.append(at)
        at = Standing(failures=number, failed=at).due()
    assert all(later - earlier > 3600 for earlier, later in zip(times, times[5:], strict=False))
