"""`entries:list`: narrow by what the filter demands outright, and let the whole filter decide about what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any

from homerun.apis.logging.keeper import LogKeeper
from homerun.apis.logging.narrow import narrowed
from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.lib.errors import Invalid
from homerun.store.log_base import Cursor, Found, LogQuery
from homerun.wire.discovery import description
from homerun.wire.filter_nodes import Node
from homerun.wire.filters import parse_filter
from homerun.wire.paging import next_token, page
from homerun.wire.schema import parse

Kept = tuple[Cursor, dict[str, Any]]
ORDERS = {"": False, "timestamp": False, "timestamp asc": False, "timestamp desc": True}
"""Whether the last come first."""


async def list_log_entries(backend: Backend, keeper: LogKeeper, sent: Any) -> dict[str, Any]:
    body, violations = parse(description("logging.v2").schemas, "ListLogEntriesRequest", sent)
    raise_violations(violations)
    text, order = body.get("filter", ""), body.get("orderBy", "")
    if order not in ORDERS:
        raise Invalid.field("orderBy", f"must be 'timestamp asc' or 'timestamp desc', and is {order!r}")
    projects = [await project_of(backend, name) for name in _resource_names(body)]
    node = parse_filter(text)
    mark = f"{text}\n{order}\n{projects}"
    wanted = page(mark, str(body.get("pageSize", "")), body.get("pageToken", ""))
    after = _cursor(wanted.after)
    await keeper.current()
    queries = [narrowed(LogQuery(project, descending=ORDERS[order], after=after), node) for project in projects]
    found = [await keeper.select(query, matching(query.project, node), wanted.size + 1) for query in queries]
    shown = list(islice(merge(*found, key=lambda kept: kept[0], reverse=ORDERS[order]), wanted.size + 1))
    answer: dict[str, Any] = {"entries": [entry for _, entry in shown[: wanted.size]]}
    if len(shown) > wanted.size:
        time, seq = shown[wanted.size - 1][0]
        answer["nextPageToken"] = next_token(mark, f"{time}:{seq}")
    return answer


def matching(project: str, node: Node) -> Callable[[Found], Kept | None]:
    """The entry that was found, if it passes the filter."""

    def keep(found: Found) -> Kept | None:
        entry = found.entry(project)
        return ((found.time, found.seq), entry) if node.matches(entry) else None

    return keep


async def last_entries(keeper: LogKeeper, project: str, node: Node, limit: int, up_to: int) -> list[dict[str, Any]]:
    """The last so many of those that had come by seq `up_to`, in order of time."""
    query = replace(narrowed(LogQuery(project, descending=True), node), up_to=up_to)
    found = await keeper.select(query, matching(project, node), limit)
    return [entry for _, entry in reversed(found)]


def _resource_names(body: dict[str, Any]) -> list[str]:
    names = [*body.get("resourceNames", ()), *(f"projects/{id}" for id in body.get("projectIds", ()))]
    if not names:
        raise Invalid.field("resourceNames", "is required: name a project, such as projects/my-project")
    return list(dict.fromkeys(names))


async def project_of(backend: Backend, name: str, field: str = "resourceNames") -> str:
    """`projects/P`, or what is below it: a log, a bucket, a view."""
    collection, _, rest = name.partition("/")
    if collection != "projects" or not rest:
        raise Invalid.field(field, f"{name!r} is no project, such as projects/my-project")
    return await backend.project_id(rest.partition("/")[0])


def _cursor(after: str) -> Cursor | None:
    time, _, seq = after.partition(":")
    return (int(time), int(seq)) if after else None
