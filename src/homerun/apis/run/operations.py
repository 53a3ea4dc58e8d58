"""Long-running operations: get, list, delete, and wait without polling."""

from __future__ import annotations

from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import not_found
from homerun.store.base import Conflict, Delete, Document

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


async def delete(backend: Backend, name: str) -> None:
    """The client is no longer interested; what it is about goes on."""
    operation = await get(backend, name)
    try:
        await backend.store.apply(Delete("Operation", name, if_version=operation.version))
    except Conflict:
        await delete(backend, name)
