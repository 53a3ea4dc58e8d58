"""Executions of a job that are not over: the store knows them by name (`Running`), without reading those that are."""

from __future__ import annotations

from collections.abc import Iterable

from homerun.store.base import Document, Put, Store


async def unfinished(store: Store, job: str) -> list[Document]:
    """`job`: its full name."""
    running = await store.list("Running", prefix=f"{job}/executions/")
    found = [await store.get("Execution", each.name) for each in running]
    return [execution for execution in found if execution is not None]


def cancelled(executions: Iterable[Document]) -> list[Put]:
    """They are to end, if nothing has become of them meanwhile."""
    return [Put(e.kind, e.name, e.body, {**e.internal, "cancel": True}, if_version=e.version) for e in executions]
