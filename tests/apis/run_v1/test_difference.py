"""What v1 says and v2 cannot: found and put back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.apis.run_v1.difference import below, difference, restored


@pytest.mark.parametrize(
    ("sent", "made", "entries"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, [[["b"], None, 2]]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, [[["a", "b"], None, 1]]),
        ({"l": [{"a": 1}, {"a": 1, "b": 2}]}, {"l": [{"a": 1}, {"a": 1}]}, [[["l", 1, "b"], None, 2]]),
        ({"a": "True"}, {"a": "true"}, [[["a"], "true", "True"]]),
        ({"l": [1, 2]}, {"l": [1]}, [[["l"], [1], [1, 2]]]),
        ({"a": 0, "b": False}, {}, [[["a"], None, 0], [["b"], None, False]]),
        ({"a": {"b": 1}}, {}, [[["a", "b"], None, 1]]),
        ({"a": "", "b": {}, "c": [], "d": {"e": {}}}, {}, []),
        ({"a": 1}, {"a": 1, "b": 2}, []),
    ],
)
def test_what_the_round_trip_changed_is_found(sent: Any, made: Any, entries: list[Any]) -> None:
    assert difference(sent, made) == entries


def test_what_is_exact_counts_empty_values_and_additions_too() -> None:
    assert difference({"a": {}, "b": 1}, {"b": 1, "c": 2}, exact=True) == [[["a"], None, {}], [["c"], 2, None]]


def test_what_was_changed_since_is_not_put_back() -> None:
    assert restored({"a": "new"}, [[["a"], "made", "sent"], [["b"], None, 1]]) == {"a": "new", "b": 1}
    assert restored({"l": [{"a": 1}]}, [[["l", 1, "b"], None, 2]]) == {"l": [{"a": 1}]}, "there is no such element"
    assert restored({"a": {"b": 1}}, [[["a", "b", "c"], None, 1]]) == {"a": {"b": 1}}
    assert restored({}, [[["a", "b"], "made", "sent"]]) == {}


def test_what_is_put_back_is_nobody_else_s() -> None:
    made, entries = {"a": {"b": 1}}, [[["c"], None, {"d": 1}]]
    whole = restored(made, entries)
    whole["c"]["d"] = whole["a"]["b"] = 2
    assert (made, entries) == ({"a": {"b": 1}}, [[["c"], None, {"d": 1}]])


def test_a_part_of_a_document_has_its_part_of_the_difference() -> None:
    entries = [[["m", "labels", "x"], None, 1], [["m", "labels"], None, {}], [["spec"], 1, 2]]
    assert below(entries, "m", "labels") == [[["x"], None, 1]]


documents = st.recursive(
    st.integers() | st.text(min_size=1),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, min_size=1),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abcd"), documents), st.sets(st.sampled_from("abcd")))
def test_nothing_is_lost_whatever_the_conversion_drops(sent: dict[str, Any], dropped: set[str]) -> None:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: convert(item) for key, item in value.items() if key not in dropped}

    returned = convert(sent)
    assert restored(returned, difference(sent, returned)) == sent


@given(st.dictionaries(st.sampled_from("abcd"), documents), st.dictionaries(st.sampled_from("abcd"), documents))
def test_any_document_can_be_made_of_any_other(sent: dict[str, Any], made: dict[str, Any]) -> None:
    assert restored(made, difference(sent, made, exact=True)) == sent
