"""What a filter demands outright, in the terms of the log store: what is read is narrowed by it, and each entry that is
read then has to pass the whole filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from homerun.model.severity import SEVERITIES, severity_number
from homerun.store.log_base import LogQuery, Origin, log_name
from homerun.wire.filter_nodes import And, Comparison, Node, Path, Search
from homerun.wire.filter_values import SEVERITY, time

_PLAIN = re.compile(r"[ !#-\[\]-~]+")
"""Written in JSON as they are."""
_SPOKEN = re.compile(r"[g-su-y]", re.IGNORECASE)
"""In no number, time or id that is made when an entry is read."""
_PAYLOADS = ("textPayload", "jsonPayload")


def narrowed(query: LogQuery, node: Node) -> LogQuery:
    """`query` with all that every match of `node` must have."""
    wanted: list[Callable[[Origin], bool]] = []
    for part in _parts(node):
        match part:
            case Comparison(("timestamp",), op, value) if op in (">", ">=", "<", "<=", "="):
                query = _in_time(query, op, round(time(value) * 1e6))
            case Comparison(path, op, value) if path == SEVERITY and op in (">", ">=", "="):
                query = replace(query, severity=max(query.severity, severity_number(value)))
            case Comparison(path, "=", value) if (condition := _of_origin(query.project, path, value)) is not None:
                wanted.append(condition)
            case _:
                query = replace(query, texts=(*query.texts, *_texts(part)))
    return replace(query, wanted=_all(wanted)) if wanted else query


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, And):
        for part in node.parts:
            yield from _parts(part)
    else:
        yield node


def _in_time(query: LogQuery, op: str, at: int) -> LogQuery:
    # A microsecond more on each side: the filter itself decides about the bounds.
    if op != "<" and op != "<=":
        query = replace(query, since=max(query.since, at - 1))
    if op != ">" and op != ">=":
        query = replace(query, until=at + 1 if query.until is None else min(query.until, at + 1))
    return query


def _of_origin(project: str, path: Path, value: str) -> Callable[[Origin], bool] | None:
    """Values are compared without regard to case, as the filter does."""
    low = value.lower()
    match path:
        case ("resource", "type"):
            return lambda origin: origin.type.lower() == low
        case ("logName",):
            return lambda origin: log_name(project, origin.log).lower() == low
        case ("resource", "labels", key):
            return lambda origin: _get(origin.resource, key).lower() == low
        case ("labels", "instanceId" | "run.googleapis.com/execution_name" | "run.googleapis.com/task_index" as key):
            # An entry may have such a label of its own, if its origin has none.
            return lambda origin: _get(origin.labels, key).lower() in (low, "")
    return None


def _get(pairs: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value for key, value in pairs if key == wanted), "")


def _all(conditions: list[Callable[[Origin], bool]]) -> Callable[[Origin], bool]:
    return lambda origin: all(condition(origin) for condition in conditions)


def _texts(node: Node) -> Iterator[str]:
    """Texts that are in every match as they are written here."""
    match node:
        case Comparison((), ":", value):
            yield from _anywhere(value)
        case Comparison((payload, *_), ":" | "=", value) if payload in _PAYLOADS and value != "*":
            yield from _written(value)
        case Search((), phrases):
            for phrase in phrases:
                for word in phrase:
                    yield from _anywhere(word)
        case Search((payload, *_), phrases) if payload in _PAYLOADS:
            for phrase in phrases:
                for word in phrase:
                    yield from _written(word)


def _written(text: str) -> Iterator[str]:
    """Its longest part that JSON writes as it is; numbers may be written in other ways."""
    longest = max(_PLAIN.findall(text), key=len, default="")
    if _SPOKEN.search(longest) and longest.lower() not in ("true", "false", "null_value"):
        yield longest


def _anywhere(text: str) -> Iterator[str]:
    """In any text of an entry: also in those that are not kept but made of what is (time, severity, id)."""
    low = text.lower()
    if not any(low in severity.lower() for severity in SEVERITIES):
        yield from _written(text)
