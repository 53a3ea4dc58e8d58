"""`entries:list`: narrow by what the filter demands outright, read the lines, then let the whole filter decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from homerun.aio.pieces import in_pieces
from homerun.apis.logging.entries import entry
from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.engine.base import LogLine
from homerun.lib.errors import Invalid
from homerun.lib.timestamps import from_rfc3339
from homerun.model import labels
from homerun.wire.discovery import Method, description
from homerun.wire.filter_functions import ABSENT
from homerun.wire.filter_nodes import Node, required
from homerun.wire.filters import parse_filter
from homerun.wire.paging import next_token, page
from homerun.wire.schema import parse

LIST = description("logging.v2").methods["logging.entries.list"]

AT_ONCE = 100
"""Lines that are looked at in one turn of the loop: some milliseconds."""
PARTIAL = {LIST.id: f"refused in filters: {', '.join(f'`{name}()`' for name in ABSENT)}"}
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""


_OWNERS = {
    "service_name": (labels.SERVICE, "services"),
    "job_name": (labels.JOB, "jobs"),
    "worker_pool_name": (labels.WORKER_POOL, "workerPools"),
}
"""Label of a resource -> the label that its instances have."""


class LogSource(Protocol):
    """Where log lines come from: the engine, by structure; other sources can be put in front of it."""

    async def logs(
        self,
        labels: Mapping[str, str],
        *,
        since: float = 0,
        until: float | None = None,
        limit: int | None = None,
    ) -> Sequence[LogLine]: ...


def methods(backend: Backend, source: LogSource) -> Iterator[tuple[Method, Handler]]:
    async def list_entries(call: Call) -> Any:
        return await list_log_entries(backend, source, call.body)

    yield LIST, list_entries


async def list_log_entries(backend: Backend, source: LogSource, sent: Any) -> dict[str, Any]:
    body, violations = parse(description("logging.v2").schemas, LIST.request, sent)
    raise_violations(violations)
    text, order = body.get("filter", ""), body.get("orderBy") or "timestamp asc"
    if order not in ("timestamp asc", "timestamp desc", "timestamp"):
        raise Invalid.field("orderBy", f"must be 'timestamp asc' or 'timestamp desc', and is {order!r}")
    projects = [await _project(backend, name) for name in _resource_names(body)]
    node = parse_filter(text)
    query = f"{text}\n{order}\n{projects}"
    wanted = page(query, str(body.get("pageSize", "")), body.get("pageToken", ""))
    start, until = _position(wanted.after, backend.clock.now())
    lines = await source.logs(_labels(node, projects), since=_since(node), until=until)

    def wanted_entry(line: LogLine) -> dict[str, Any] | None:
        made = entry(line)
        mine = made is not None and made["resource"]["labels"]["project_id"] in projects
        return made if made is not None and mine and node.matches(made) else None

    found = [e for e in await in_pieces(wanted_entry, lines, AT_ONCE) if e is not None]
    found.sort(key=lambda e: str(e["timestamp"]), reverse=order == "timestamp desc")
    answer: dict[str, Any] = {"entries": found[start : start + wanted.size]}
    if len(found) > start + wanted.size:
        answer["nextPageToken"] = next_token(query, f"{start + wanted.size}:{until!r}")
    return answer


def _resource_names(body: dict[str, Any]) -> list[str]:
    names = [*body.get("resourceNames", ()), *(f"projects/{id}" for id in body.get("projectIds", ()))]
    if not names:
        raise Invalid.field("resourceNames", "is required: name a project, such as projects/my-project")
    return names


async def _project(backend: Backend, name: str) -> str:
    """`projects/P`, or a log bucket or view below it."""
    collection, _, rest = name.partition("/")
    if collection != "projects":
        raise Invalid.field("resourceNames", f"{name!r} is no project, such as projects/my-project")
    return await backend.project_id(rest.partition("/")[0])


def _labels(node: Node, projects: list[str]) -> dict[str, str]:
    """Labels that an instance must have for its lines to match."""
    location = required(node, ("resource", "labels", "location"))
    if len(projects) != 1 or not location:
        return {}
    for key, (label, collection) in _OWNERS.items():
        if id := required(node, ("resource", "labels", key)):
            return {label: f"projects/{projects[0]}/locations/{location}/{collection}/{id}"}
    return {}


def _since(node: Node) -> float:
    for op in (">=", ">"):
        text = required(node, ("timestamp",), op)
        if text is not None:
            # One microsecond earlier: the source's bound is exclusive, the filter decides exactly.
            return from_rfc3339(text) - 1e-6
    return 0


def _position(after: str, now: float) -> tuple[int, float]:
    """Where a page starts; all pages show the lines up to when the first was asked for."""
    start, _, until = after.partition(":")
    return (int(start), float(until)) if after else (0, now)
