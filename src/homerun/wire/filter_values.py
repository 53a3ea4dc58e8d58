"""How a filter's comparison looks at what is in an object: finding the values of a path, and comparing one with a text.

A field that a comparison names may be missing or repeated: it matches when one of its values does. Numbers, times,
durations and severities are compared as what they are, texts without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from homerun.lib.timestamps import from_rfc3339
from homerun.model.severity import severity_number

SEVERITY = ("severity",)
TIMES = (("timestamp",), ("receiveTimestamp",))
NULL = "NULL_VALUE"

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DURATION = re.compile(r"([-+]?\d+(\.\d*)?)s")
_MAX_DEPTH = 100
"""Of an object; what is deeper is not looked at."""


@lru_cache(maxsize=64)
def pattern(text: str) -> Any:
    """RE2, as Google has it: no expression makes it take longer than the text is long. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


def values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What is at `path`; a repeated field has several. Keys with dots in them may be written with or without quotes."""
    if not path:
        yield from value if isinstance(value, list) else [value]
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, list):
                yield from values(item, path)
    elif isinstance(value, Mapping):
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            if key in value:
                yield from values(value[key], path[length:])


def texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text, number and so on that is anywhere in `value`."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, depth + 1)
    elif value is not None:
        yield _text(value)


def compare(found: Any, op: str, wanted: str, path: tuple[str, ...]) -> bool:
    """`op`: one of = < <= > >= : =~"""
    if isinstance(found, Mapping):
        return op == ":" and (wanted == "*" or wanted in found)
    if found is None:
        return op == "=" and wanted == NULL
    text = _text(found)
    match op:
        case ":":
            return wanted == "*" or wanted.lower() in text.lower()
        case "=~":
            return pattern(wanted).search(text) is not None
        case "=":
            return _equal(found, text, wanted, path)
    left, right = _ordered(text, wanted, path)
    match op:
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "<":
            return bool(left < right)
    return bool(left <= right)


def time(text: str) -> float:
    """RFC 3339, or only its date. Raises ValueError."""
    if len(text) < 10 or text[4] != "-":
        raise ValueError(text)
    return from_rfc3339(text)


def _equal(found: Any, text: str, wanted: str, path: tuple[str, ...]) -> bool:
    """A text that looks like a number is no number: `007` is not `7`."""
    if isinstance(found, str) and path != SEVERITY and path not in TIMES:
        return text.lower() == wanted.lower()
    left, right = _ordered(text, wanted, path)
    return bool(left == right)


def _ordered(left: str, right: str, path: tuple[str, ...]) -> tuple[Any, Any]:
    conversions: list[Callable[[str], Any]] = [severity_number] if path == SEVERITY else [time, _number, _duration]
    for convert in conversions:
        try:
            return convert(left), convert(right)
        except (ValueError, OverflowError):
            continue
    return left.lower(), right.lower()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _duration(text: str) -> float:
    """`0.25s`, as latencies are written."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match[1])
