"""Long-running operations: get, list, delete, and wait without polling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homerun.apis.rest import Call
from homerun.apis.run import reads
from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import not_found
from homerun.model.names import Name
from homerun.store.base import Conflict, Delete, Document
from homerun.wire.filters import parse_filter
from homerun.wire.paging import page

DEFAULT_WAIT = 30.0
MAX_WAIT = 300.0


async def get(backend: Backend, name: str) -> Document:
    operation = await backend.store.get("Operation", name)
    if operation is None:
        raise not_found(name)
    return operation


async def wait(backend: Backend, name: str, seconds: float) -> Document:
    """Returns when it is done, or as it is after `seconds` (contract §7.6)."""
    seconds = min(seconds or DEFAULT_WAIT, MAX_WAIT)
    operation = await backend.until("Operation", name, lambda o: o is None or bool(o.body["done"]), seconds)
    if operation is None:
        raise not_found(name)
    return operation


async def listing(
    backend: Backend, parent: Name, call: Call, view: Callable[[Document], dict[str, Any]]
) -> dict[str, Any]:
    """Those that its `filter` matches, such as `done=true`; it is asked about what `view` shows."""
    prefix, text = f"{parent}/operations/", call.query.get("filter", "")
    key, node = f"{prefix} {text}", parse_filter(text)
    wanted = page(key, call.query.get("pageSize", ""), call.query.get("pageToken", ""))
    found = await reads.listing(
        backend.store, "Operation", prefix, wanted, key, keep=lambda document: not text or node.matches(view(document))
    )
    answer: dict[str, Any] = {"operations": await found.shown(view)}
    return answer | ({"nextPageToken": found.next_token} if found.next_token else {})


async def delete(backend: Backend, name: str) -> None:
    """The client is no longer interested; what it is about goes on."""
    operation = await get(backend, name)
    try:
        await backend.store.apply(Delete("Operation", name, if_version=operation.version))
    except Conflict:
        await delete(backend, name)
