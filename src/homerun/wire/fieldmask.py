"""Update masks: take the named fields from what was sent, the rest from what is there."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from homerun.lib.errors import Invalid

_SNAKE = re.compile(r"_([a-z0-9])")


def merge(stored: Mapping[str, Any], sent: Mapping[str, Any], mask: str) -> dict[str, Any]:
    """`mask`: comma-separated paths, camelCase or snake_case; `*` or empty means everything that was sent.

    A named field that was not sent is cleared. Raises Invalid for a path that leads nowhere a field could be.
    """
    paths = [_SNAKE.sub(lambda m: m[1].upper(), path.strip()) for path in mask.split(",") if path.strip()]
    if not paths or "*" in paths:
        return copy.deepcopy(dict(sent))
    merged = copy.deepcopy(dict(stored))
    for path in paths:
        _take(merged, sent, path.split("."), path)
    return merged


def _take(target: dict[str, Any], source: Mapping[str, Any], keys: list[str], path: str) -> None:
    head, *rest = keys
    if not rest:
        if head in source:
            target[head] = copy.deepcopy(source[head])
        else:
            target.pop(head, None)
        return
    inner, below = target.setdefault(head, {}), source.get(head, {})
    if not isinstance(inner, dict) or not isinstance(below, dict):
        raise Invalid.field("updateMask", f"{path!r} goes through {head!r}, which is no message: name the whole field")
    _take(inner, below, rest, path)
