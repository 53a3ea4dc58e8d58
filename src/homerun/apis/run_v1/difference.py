"""What a conversion changed in a document, and how to put it right again on the way back.

It is found by making the round trip and comparing: nothing has to be listed, and nothing can be forgotten. An entry is
`[path, made, sent]`: at `path` (keys and list indices) the round trip made `made` of what was `sent`; None is nothing.
It is put back only where the conversion still makes the same, so that what somebody has changed since stays changed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

Entry = list[Any]
_EMPTY: tuple[Any, ...] = (None, "", {}, [])


def difference(sent: Any, made: Any, *, exact: bool = False) -> list[Entry]:
    """How `made` differs from `sent`.

    Not `exact`: empty texts, lists and objects say nothing, and what `made` has besides is no difference.
    """
    return list(_entries(sent, made, [], exact))


def _entries(sent: Any, made: Any, path: list[Any], exact: bool) -> Iterator[Entry]:
    if _comparable(sent, made, exact) or not path:
        made = made or {}
        for key in [*sent, *(key for key in made if exact and key not in sent)]:
            yield from _entries(sent.get(key), made.get(key), [*path, key], exact)
    elif isinstance(sent, list) and isinstance(made, list) and len(sent) == len(made):
        for index, (a, b) in enumerate(zip(sent, made, strict=True)):
            yield from _entries(a, b, [*path, index], exact)
    elif (value := sent if exact else _full(sent)) != made and (exact or value is not None):
        yield [path, copy.deepcopy(made), copy.deepcopy(value)]


def _comparable(sent: Any, made: Any, exact: bool) -> bool:
    """Field by field. What is exact tells an empty object from none."""
    return isinstance(sent, dict) and bool(sent) and isinstance(made, dict if exact else dict | None)


def _full(value: Any) -> Any:
    """Without empty texts, lists and objects; None when that is all there is."""
    if isinstance(value, dict):
        value = {key: part for key, item in value.items() if (part := _full(item)) is not None}
    return None if value in _EMPTY else value


def restored(made: Any, entries: Sequence[Entry]) -> Any:
    """`made` as it was sent, as far as it is still that."""
    if not entries:
        return made
    made = copy.deepcopy(made)
    for path, before, value in entries:
        _put(made, path, before, value)
    return made


def below(entries: Sequence[Entry], *path: str) -> list[Entry]:
    """Those about the part at `path`, seen from there."""
    depth = len(path)
    return [[at[depth:], made, sent] for at, made, sent in entries if tuple(at[:depth]) == path and len(at) > depth]


def _put(node: Any, path: Sequence[Any], before: Any, value: Any) -> None:
    *parents, leaf = path
    for key in parents:
        if before is None and isinstance(node, dict):
            node.setdefault(key, {})
        if not _has(node, key):
            return
        node = node[key]
    current = node[leaf] if _has(node, leaf) else None
    if current != before and not (before is None and current in _EMPTY):
        return
    if value is not None and (isinstance(node, dict) or _has(node, leaf)):
        node[leaf] = copy.deepcopy(value)
    elif isinstance(node, dict):
        node.pop(leaf, None)


def _has(node: Any, key: Any) -> bool:
    if isinstance(node, list):
        return isinstance(key, int) and key < len(node)
    return isinstance(node, dict) and key in node
