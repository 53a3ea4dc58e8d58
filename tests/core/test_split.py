from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from homerun.core.split import split


def test_the_largest_remainder_gets_what_is_left_over() -> None:
    assert split(10, {"a": 33, "b": 33, "c": 34}) == {"a": 3, "b": 3, "c": 4}
    assert split(3, {"a": 50, "b": 50}) == {"a": 2, "b": 1}
    assert split(1, {"a": 10, "b": 90}) == {"a": 0, "b": 1}
    assert split(0, {"a": 100}) == {"a": 0}
    assert split(5, {}) == {}


@st.composite
def percents(draw: st.DrawFn) -> dict[str, int]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=8)))
    edges = [0, *cuts, 100]
    return {f"r{index}": high - low for index, (low, high) in enumerate(pairwise(edges))}


@given(st.integers(0, 10_000), percents())
def test_everything_is_shared_out_and_each_is_within_one_of_its_share(total: int, percents: dict[str, int]) -> None:
    shares = split(total, percents)
    assert sum(shares.values()) == total
    for key, percent in percents.items():
        assert abs(shares[key] - total * percent / 100) < 1


@given(st.integers(0, 1000), percents())
def test_nothing_goes_to_who_has_no_share(total: int, percents: dict[str, int]) -> None:
    shares = split(total, percents)
    assert all(shares[key] == 0 for key, percent in percents.items() if percent == 0)
