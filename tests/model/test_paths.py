"""Field paths with gaps."""

from typing import Any

import pytest

from homerun.model.paths import find, join

BODY = {"a": [{"b": 1}, {}, {"b": 2}], "m": {"x.y": "1", "z": "2"}, "e": "", "n": None}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [("", BODY)]),
        ("a[].b", [("a[0].b", 1), ("a[2].b", 2)]),
        ("m[*]", [("m[x.y]", "1"), ("m[z]", "2")]),
        ("e", [("e", "")]),
        ("n", []),
        ("a.b", []),
        ("a[].b[]", []),
        ("m[]", []),
        ("none.at[].all", []),
    ],
)
def test_what_is_there_is_found_with_its_own_path(pattern: str, found: list[tuple[str, Any]]) -> None:
    assert list(find(BODY, pattern)) == found


@pytest.mark.parametrize(
    ("path", "below", "whole"),
    [("a", "b", "a.b"), ("a", "[0].b", "a[0].b"), ("", "b", "b"), ("a", "", "a"), ("", "", "")],
)
def test_paths_are_joined(path: str, below: str, whole: str) -> None:
    assert join(path, below) == whole
