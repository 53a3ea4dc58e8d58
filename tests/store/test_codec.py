"""Documents as bytes, and the end of a prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.lib.errors import Invalid
from homerun.store.codec import check_key, copied, decode, encode, prefix_end

text = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_copy_shares_nothing() -> None:
    original = {"a": {"b": [1]}}
    copy = copied(original)
    copy["a"]["b"].append(2)
    assert original == {"a": {"b": [1]}}


def test_bytes_and_text_are_read_alike() -> None:
    data = encode({"ü": [1, None, "😀"]})
    assert decode(data) == decode(data.decode()) == {"ü": [1, None, "😀"]}


def test_lone_surrogates_are_refused_in_words() -> None:
    with pytest.raises(Invalid, match="is no valid Unicode"):
        encode({"a": "\udc00"})
    with pytest.raises(Invalid, match="names no document"):
        check_key("Service", "\udc00")


@given(prefix=text, name=text)
def test_the_end_of_a_prefix_parts_what_has_it_from_what_follows(prefix: str, name: str) -> None:
    end = prefix_end(prefix)
    for candidate in (name, prefix + name):
        inside = prefix.encode() <= candidate.encode() and (end is None or candidate.encode() < end.encode())
        assert inside == candidate.startswith(prefix)


@pytest.mark.parametrize(
    ("prefix", "end"), [("", None), ("a", "b"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("\ud7ff", "\ue000")]
)
def test_corner_cases_of_the_end_of_a_prefix(prefix: str, end: str | None) -> None:
    assert prefix_end(prefix) == end
