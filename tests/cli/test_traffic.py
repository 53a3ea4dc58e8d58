from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.cli import traffic
from homerun.cli.traffic import LATEST, REVISION

SERVICE = {"name": "x/services/s", "latestReadyRevision": "x/services/s/revisions/s-2"}


def by_name(*shares: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"type": REVISION, "revision": name, "percent": percent} for name, percent in shares]


def test_nothing_written_down_is_everything_to_the_latest() -> None:
    assert traffic.targets(SERVICE) == [{"type": LATEST, "percent": 100}]


def test_pinning_calls_the_latest_by_its_name() -> None:
    assert traffic.pinned(SERVICE) == by_name(("s-2", 100))


def test_nothing_can_be_pinned_before_something_serves() -> None:
    with pytest.raises(click.UsageError, match="already serves"):
        traffic.pinned({})


def test_a_tag_moves() -> None:
    current = [*by_name(("s-1", 100)), {"type": REVISION, "revision": "s-1", "tag": "green"}]
    after = traffic.tagged(current, "green", "s-3")
    assert after == [*by_name(("s-1", 100)), {"type": REVISION, "revision": "s-3", "tag": "green"}]


def test_a_target_that_loses_its_tag_keeps_its_share() -> None:
    current = [{"type": REVISION, "revision": "s-1", "percent": 5, "tag": "t"}]
    assert traffic.untagged(current, ["t"]) == by_name(("s-1", 5))


def test_rolling_out_takes_from_the_others_in_proportion() -> None:
    after = traffic.shared(by_name(("a", 60), ("b", 40)), {"c": 10})
    assert {t["revision"]: t["percent"] for t in after} == {"c": 10, "a": 54, "b": 36}


def test_latest_can_be_given_a_share_by_that_name() -> None:
    after = traffic.shared(by_name(("a", 100)), {"LATEST": 25})
    assert after == [{"type": LATEST, "percent": 25}, *by_name(("a", 75))]


def test_tags_survive_a_move_without_their_shares() -> None:
    current = [{"type": REVISION, "revision": "a", "percent": 100, "tag": "t"}]
    after = traffic.all_to_latest(current)
    assert after == [{"type": REVISION, "revision": "a", "tag": "t"}, {"type": LATEST, "percent": 100}]


@pytest.mark.parametrize("wanted,said", [({"a": 60, "b": 50}, "at most 100"), ({"a": 60}, "no other revision")])
def test_shares_that_cannot_add_up_are_wrong_usage(wanted: dict[str, int], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        traffic.shared(by_name(("a", 100)), wanted)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 100), min_size=1),
    st.dictionaries(st.sampled_from("vwxyz"), st.integers(0, 20), max_size=5),
)
def test_shares_always_add_up_to_100(current: dict[str, int], wanted: dict[str, int]) -> None:
    after = traffic.shared(by_name(*current.items()), wanted)
    assert sum(t["percent"] for t in after) == 100
    assert all(t["percent"] > 0 for t in after)


def test_tags_are_changed_before_shares() -> None:
    after = traffic.changed(
        SERVICE, to_latest=False, to_revisions="s-1=30", update_tags="old=s-1", remove_tags="never-there"
    )
    assert after == [
        {"type": REVISION, "revision": "s-1", "tag": "old"},
        *by_name(("s-1", 30)),
        {"type": LATEST, "percent": 70},
    ]


@pytest.mark.parametrize("text", ["a=x", "a=-1", "a=1.5"])
def test_percent_are_whole(text: str) -> None:
    with pytest.raises(click.BadParameter):
        traffic.parse_shares(text)
