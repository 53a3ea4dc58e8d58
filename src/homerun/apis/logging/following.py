"""Entries as they come: the last ones, and then each that arrives, in the order of arrival.

An entry is sent once it is durable, with its number; who says the last number that they saw goes on behind it, whatever
happened to homerun meanwhile, and sees each entry once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from homerun.apis.access import Caller, caller_of
from homerun.apis.logging.keeper import LogKeeper
from homerun.apis.logging.reading import last_entries, project_of
from homerun.apis.rest import read_json
from homerun.apis.rpc import Stream
from homerun.apis.run.backend import Backend
from homerun.lib.errors import Invalid, PermissionDenied
from homerun.model.identity import OWNER
from homerun.wire import transcode
from homerun.wire.catalog import Rpc
from homerun.wire.filter_nodes import Node
from homerun.wire.filters import parse_filter

AT_ONCE = 200
"""Entries that are looked at in one turn of the loop: some milliseconds."""
PULSE = 30.0
"""Seconds of silence after which nothing is sent, so that who has gone away is noticed."""
_FIELDS = {"filter", "limit", "after"}
MOST = 1000
TAIL = "/google.logging.v2.LoggingServiceV2/TailLogEntries"


class Batch(NamedTuple):
    """`last`: the number behind which the next one begins."""

    entries: list[dict[str, Any]]
    last: int


async def follow(
    keeper: LogKeeper, project: str, node: Node, *, limit: int = 0, after: int | None = None
) -> AsyncGenerator[Batch, None]:
    """Without end. `after`: the last number that was seen; None: begin with the last `limit` entries."""
    if after is None:
        await keeper.current()
        after = await keeper.last(project)
        yield Batch(await last_entries(keeper, project, node, limit, after) if limit else [], after)
    while True:
        news = keeper.news()
        found = await keeper.following(project, after, AT_ONCE)
        if found:
            after = found[-1].seq
            entries = [entry for each in found if node.matches(entry := each.entry(project))]
            if entries:
                yield Batch(entries, after)
        else:
            try:
                async with asyncio.timeout(PULSE):
                    await news.wait()
            except TimeoutError:
                yield Batch([], after)


def routes(backend: Backend, keeper: LogKeeper) -> list[Route]:
    async def tail(request: Request) -> Response:
        _owner_only(caller_of(request.scope))
        body = await read_json(request)
        node, limit, after = _wanted(body)
        project = await backend.project_id(request.path_params["project"])
        batches = follow(keeper, project, node, limit=limit, after=after)
        return StreamingResponse(_lines(batches), media_type="application/x-ndjson")

    return [Route("/homerun/v1/projects/{project}/entries:tail", tail, methods=["POST"])]


def streams(backend: Backend, keeper: LogKeeper) -> dict[str, Stream]:
    """TailLogEntries of gRPC: only what comes, from now on."""

    async def tail(rpc: Rpc, messages: AsyncIterator[bytes], caller: Caller) -> AsyncIterator[bytes]:
        _owner_only(caller)
        first = await anext(aiter(messages), b"")
        body = transcode.request(rpc, first).body
        node = parse_filter(body.get("filter", ""))
        projects = {await project_of(backend, name) for name in body.get("resourceNames", ())}
        if len(projects) != 1:
            raise Invalid.field("resourceNames", f"name one project, such as projects/my-project, not {len(projects)}")
        async with contextlib.aclosing(follow(keeper, projects.pop(), node)) as batches:
            async for batch in batches:
                # The first one is empty: Google's client waits for it before it lets its caller go on.
                yield transcode.answer(rpc, {"entries": batch.entries})

    return {TAIL: tail}


def _owner_only(caller: Caller) -> None:
    if not caller.owner:
        raise PermissionDenied(f"logs are for {OWNER} only, and this is {caller.email}")


def _wanted(body: Any) -> tuple[Node, int, int | None]:
    """Raises Invalid."""
    if not isinstance(body, dict):
        raise Invalid.field("body", "must be an object")
    for field in body.keys() - _FIELDS:
        raise Invalid.field(field, f"is no field of this request: known are {', '.join(sorted(_FIELDS))}")
    filter, limit, after = body.get("filter", ""), body.get("limit", 0), body.get("after")
    if not isinstance(filter, str):
        raise Invalid.field("filter", "must be a text")
    for field, value in (("limit", limit), ("after", after if after is not None else 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Invalid.field(field, f"must be a whole number that is not negative, and is {value!r}")
    return parse_filter(filter), min(limit, MOST), after


async def _lines(batches: AsyncGenerator[Batch, None]) -> AsyncIterator[str]:
    async with contextlib.aclosing(batches):
        async for batch in batches:
            yield json.dumps({"entries": batch.entries, "last": batch.last}) + "\n"
