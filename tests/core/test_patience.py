import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.core.patience import LEAST, SPARE, Patience


def after(pauses: list[float], longest: float = 300) -> Patience:
    patience = Patience(longest)
    for pause in pauses:
        patience.record(pause)
    return patience


def test_while_little_is_known_an_instance_is_kept_for_the_whole_time() -> None:
    assert after([]).seconds == after([900] * 4).seconds == 300
    assert after([]).why == "300 s idle"


def test_who_comes_back_in_time_finds_an_instance() -> None:
    patience = after([200.0, 210, 190, 205, 195])
    assert 210 < patience.seconds <= 300
    assert patience.why == f"{patience.seconds:.0f} s idle, in which 5 of the last 5 pauses ended"


def test_for_who_stays_away_longer_than_it_is_worth_it_is_kept_a_minute() -> None:
    assert after([3600.0] * 5).seconds == LEAST


def test_many_short_pauses_and_nothing_after_them_shorten_even_that() -> None:
    assert after([12.0, 15, 900] * 20).seconds == 30
    assert after([12.0, 50, 900] * 20).seconds == LEAST


def test_rare_long_pauses_do_not_make_it_wait_for_them() -> None:
    assert after([70.0] * 20 + [290.0, 2000, 3000, 4000]).seconds == pytest.approx(87.5)


def test_moments_between_requests_say_nothing() -> None:
    assert not after([1.0, 5, 9.9] * 100).learned


def test_what_was_long_ago_is_forgotten() -> None:
    patience = after([3600.0] * 50)
    assert patience.seconds < 300
    for _ in range(100):
        patience.record(120)
    assert patience.seconds == 150


def test_beside_others_an_instance_is_kept_for_a_part_of_the_time() -> None:
    assert after([]).spare(0) == 300 / SPARE
    assert after([]).spare(1) == LEAST, "who finds no slot waits as long as for a start"
    assert Patience(1).spare(0) == 1 / SPARE
    assert Patience(1).spare(1) == 1


@given(st.lists(st.floats(0, 2000), max_size=120), st.floats(0.01, 900))
def test_it_is_never_kept_longer_than_the_user_said(pauses: list[float], longest: float) -> None:
    patience = after(pauses, longest)
    assert 0 < patience.spare(0.5) <= patience.seconds <= longest
    assert repr(patience).startswith("<Patience ")


@given(st.lists(st.floats(10, 2000), min_size=5, max_size=100), st.floats(70, 900))
def test_it_costs_no_more_than_to_wait_a_minute_or_the_whole_time(pauses: list[float], longest: float) -> None:
    def cost(kept: float) -> float:
        return sum(pause if pause <= kept else kept + longest for pause in pauses)

    kept = after(pauses, longest).seconds
    if kept >= LEAST:
        assert cost(kept) <= cost(LEAST) + 1e-6
