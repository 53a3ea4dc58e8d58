import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.cli.lists import split_list, split_pairs


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("^;^a,b;c", ["a,b", "c"]),
        ("^--^a--b", ["a", "b"]),
        ("^a", ["^a"]),
    ],
)
def test_lists_are_split_as_gcloud_splits_them(text: str, expected: list[str]) -> None:
    assert split_list(text) == expected


@given(st.lists(st.text(st.characters(exclude_characters=",^", exclude_categories=("Cs",)), min_size=1), min_size=1))
def test_what_has_no_comma_survives_being_listed(items: list[str]) -> None:
    assert split_list(",".join(items)) == items


def test_values_of_pairs_may_hold_equal_signs() -> None:
    assert split_pairs("A=b=c,D=", "--x") == {"A": "b=c", "D": ""}


@pytest.mark.parametrize("text", ["A", "=b", "A=b,"])
def test_what_is_no_pair_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter, match="KEY=VALUE"):
        split_pairs(text, "--set-env-vars")
