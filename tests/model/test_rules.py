"""Rules as data."""

from collections.abc import Iterator

from homerun.lib.errors import Violation
from homerun.model.limits import Range
from homerun.model.rules import Rule, below, check, field, required


def test_a_rule_about_a_field_says_what_is_wrong_with_which() -> None:
    rules = below("items[]", [field("count", Range(1, 5, " pieces"), "§3")])
    body = {"items": [{"count": 1}, {"count": 7}, {"count": 0}, {}]}
    assert list(check(body, rules)) == [Violation("items[1].count", "must be between 1 and 5 pieces, and is 7")]
    assert [(rule.path, rule.says, rule.source) for rule in rules] == [("items[].count", "1 to 5 pieces", "§3")]


def test_what_is_required_is_missed_wherever_it_could_be() -> None:
    rules = [required("items[].name", "name it", "§3"), required("items", "give one", "§3")]
    assert [v.field for v in check({"items": [{"name": "a"}, {"name": ""}, {}]}, rules)] == [
        "items[1].name",
        "items[2].name",
    ]
    assert list(check({}, rules)) == [Violation("items", "is required: give one")]


def test_a_rule_may_look_at_more_than_it_is_about() -> None:
    def wrong(whole: dict[str, int], owner: str) -> Iterator[tuple[str, str]]:
        if whole["a"] > whole["b"]:
            yield "a", f"is more than b of {owner}"

    (rule,) = below("c", [Rule("a", "at most b", "§3", wrong, at="")])
    assert (rule.path, rule.at) == ("c.a", "c")
    assert list(check({"c": {"a": 2, "b": 1}}, [rule], "me")) == [Violation("c.a", "is more than b of me")]


def test_paths_begin_where_the_document_is() -> None:
    rule = field("count", Range(1, 5), "§3")
    assert [v.field for v in check({"count": 9}, [rule], at="overrides")] == ["overrides.count"]
