"""Label selectors."""

import pytest

from homerun.lib.errors import Invalid
from homerun.wire.labels import parse_selector

LABELS = {"run.googleapis.com/job": "work", "tier": "a"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("run.googleapis.com/job = work", True),
        ("run.googleapis.com/job=work,tier==a", True),
        ("run.googleapis.com/job = other", False),
        ("tier != a", False),
        ("missing != a", True),
        ("tier in (a, b)", True),
        ("tier notin (a,b)", False),
        ("missing notin (a)", True),
        ("tier", True),
        ("missing", False),
        ("!missing", True),
        ("! tier", False),
        ("run.googleapis.com/job = work,tier in (b,c)", False),
        ("tier=", False),
    ],
)
def test_a_selector_selects(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["a = b = c", "a b", "= a", "a in b", "a,,b", "a in (b", "(a)"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_selector(text)
    assert caught.value.violations[0].field == "labelSelector"


def test_the_one_value_that_a_key_must_have_is_known() -> None:
    selector = parse_selector("a = b,c in (d),e in (f,g),h != i,j")
    assert [selector.value(key) for key in "acehj"] == ["b", "d", None, None, None]
