"""Update masks: take the named fields from what was sent, the rest from what is there."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.lib.errors import Violation

_SNAKE = re.compile(r"_([a-z0-9])")


def check_mask(schemas: Mapping[str, Any], schema: str, mask: str) -> Iterator[Violation]:
    """Paths that lead nowhere in the message `schema`."""
    for path in _paths(mask):
        if path != "*" and not _leads(schemas, schema, path.split(".")):
            yield Violation("updateMask", f"{path!r} is no path to a field, such as template.timeout")


def merge(stored: Mapping[str, Any], sent: Mapping[str, Any], mask: str) -> dict[str, Any]:
    """`mask`: comma-separated paths, camelCase or snake_case; `*` or empty means everything that was sent.

    A named field that was not sent is cleared.
    """
    paths = _paths(mask)
    if not paths or "*" in paths:
        return copy.deepcopy(dict(sent))
    merged = copy.deepcopy(dict(stored))
    for path in paths:
        _take(merged, sent, path.split("."))
    return merged


def _paths(mask: str) -> list[str]:
    return [_SNAKE.sub(lambda m: m[1].upper(), path.strip()) for path in mask.split(",") if path.strip()]


def _leads(schemas: Mapping[str, Any], schema: str, keys: Sequence[str]) -> bool:
    """Only the last field of a path may be something else than a message."""
    head, *rest = keys
    field = schemas[schema].get("properties", {}).get(head)
    if field is None or not rest:
        return field is not None
    return "$ref" in field and _leads(schemas, field["$ref"], rest)


def _take(target: dict[str, Any], source: Mapping[str, Any], keys: Sequence[str]) -> None:
    head, *rest = keys
    if rest:
        _take(target.setdefault(head, {}), source.get(head, {}), rest)
    elif head in source:
        target[head] = copy.deepcopy(source[head])
    else:
        target.pop(head, None)
