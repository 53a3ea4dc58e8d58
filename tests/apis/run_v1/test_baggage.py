"""What v1 says and v2 cannot: found and put back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.apis.run_v1.baggage import lost, restored


@pytest.mark.parametrize(
    ("sent", "returned", "baggage"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, {"a": {"b": 1}}),
        ({"l": [{"a": 1}, {"a": 1, "b": 2}]}, {"l": [{"a": 1}, {"a": 1}]}, {"l": [None, {"b": 2}]}),
        ({"a": "True"}, {"a": "true"}, None),
        ({"a": "", "b": {}, "c": [], "d": {"e": {}}}, {}, None),
        ({"a": {"b": "", "c": 1}}, {}, {"a": {"c": 1}}),
        ({"l": [1, 2]}, {"l": [1]}, None),
        ({"a": 0, "b": False}, {}, {"a": 0, "b": False}),
    ],
)
def test_baggage_is_what_the_round_trip_loses(sent: Any, returned: Any, baggage: Any) -> None:
    assert lost(sent, returned) == baggage


def test_what_was_changed_since_is_not_put_back() -> None:
    assert restored({"a": "new"}, {"a": "old", "b": 1}) == {"a": "new", "b": 1}
    assert restored({"l": [{"a": 1}]}, {"l": [None, {"b": 2}]}) == {"l": [{"a": 1}]}, "the list is another one"


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
    assert restored(returned, lost(sent, returned)) == sent
