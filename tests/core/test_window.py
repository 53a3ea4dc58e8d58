import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.core.window import Peak, Window


def test_an_empty_window_averages_to_zero() -> None:
    assert Window(60).average(now=100) == 0


def test_the_unknown_past_counts_as_zero() -> None:
    window = Window(60)
    window.record(12, now=10, span=1)
    assert window.average(now=10) == pytest.approx(12 / 60)


def test_a_full_minute_of_the_same_load_averages_to_that_load() -> None:
    window = Window(60)
    for second in range(1, 121):
        window.record(3, now=second)
    assert window.average(now=120) == pytest.approx(3)


def test_samples_leave_the_window_gradually() -> None:
    window = Window(10)
    for second in range(1, 11):
        window.record(10, now=second)
    assert window.average(now=15) == pytest.approx(5)
    assert window.average(now=20) == 0


def test_overlapping_reports_do_not_count_a_span_twice() -> None:
    window = Window(10)
    window.record(10, now=5, span=5)
    window.record(10, now=5, span=5)
    window.record(10, now=6, span=3)
    assert window.average(now=6) == pytest.approx(6)


def test_its_repr_tells_how_much_it_holds() -> None:
    window = Window(60)
    window.record(1, now=1)
    assert repr(window) == "<Window 60s, 1 samples>"


def test_a_peak_is_the_most_of_the_last_seconds() -> None:
    peak = Peak(10)
    assert peak.most(now=0) == 0
    for now, value in ((1, 5), (2, 3), (3, 4), (9, 1)):
        peak.record(value, now)
    assert [peak.most(now) for now in (9, 10.9, 11, 12.9, 13, 19)] == [5, 5, 4, 4, 1, 0]
    assert repr(peak) == "<Peak 10s, 0>"


@given(st.lists(st.tuples(st.floats(0.1, 5), st.integers(0, 9)), max_size=30))
def test_a_peak_forgets_nothing_that_is_recent(steps: list[tuple[float, int]]) -> None:
    peak, now, said = Peak(7), 0.0, []
    for pause, value in steps:
        now += pause
        said.append((now, value))
        peak.record(value, now)
        assert peak.most(now) == max(value for at, value in said if at > now - 7)
