"""Field paths with gaps: `containers[].env[].name` is the name of any variable of any container.

`[]` stands for any element of a list, `[*]` for any value of a map; the empty path for the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def find(body: Any, pattern: str) -> Iterator[tuple[str, Any]]:
    """The values at `pattern` that are there, each with its own path."""
    return _find(body, pattern.split(".") if pattern else [], "")


def join(path: str, below: str) -> str:
    """`a.b` + `c` is `a.b.c`, `a.b` + `[0]` is `a.b[0]`."""
    return f"{path}{below}" if not path or not below or below.startswith("[") else f"{path}.{below}"


def _find(value: Any, keys: list[str], path: str) -> Iterator[tuple[str, Any]]:
    if not keys:
        yield path, value
        return
    key, _, gap = keys[0].partition("[")
    found = value.get(key) if isinstance(value, dict) else None
    here = join(path, key)
    if gap == "]" and isinstance(found, list):
        for index, item in enumerate(found):
            yield from _find(item, keys[1:], f"{here}[{index}]")
    elif gap == "*]" and isinstance(found, dict):
        for name, item in found.items():
            yield from _find(item, keys[1:], f"{here}[{name}]")
    elif not gap and found is not None:
        yield from _find(found, keys[1:], here)
