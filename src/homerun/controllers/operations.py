"""Finishing long-running operations, in the same transaction as the status that finishes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homerun.lib.errors import HomerunError
from homerun.store.base import Document, Put, Store

TYPE_URL = "type.googleapis.com/google.cloud.run.v2."


async def pending_operations(store: Store, internal: Mapping[str, Any]) -> list[Document]:
    """The unfinished operations that `internal["operations"]` names; one that a user deleted is left out."""
    found = [await store.get("Operation", entry["name"]) for entry in internal.get("operations", ())]
    return [operation for operation in found if operation is not None]


def finish(
    operations: Sequence[Document],
    internal: Mapping[str, Any],
    kind: str,
    body: Mapping[str, Any],
    *,
    error: HomerunError | None = None,
    generation: int | None = None,
    verbs: Sequence[str] = (),
) -> tuple[list[Put], dict[str, Any]]:
    """Writes that end operations with `body` (a `kind`) or `error`, and `internal` without them.

    All of them, or those up to `generation`, or those of `verbs`.
    """
    entries = internal.get("operations", [])
    done = {
        entry["name"]
        for entry in entries
        if (generation is None or entry["generation"] <= generation) and (not verbs or entry["verb"] in verbs)
    }
    outcome: dict[str, Any] = (
        {"error": {"code": error.code, "message": error.message}}
        if error is not None
        else {"response": {"@type": TYPE_URL + kind, **body}}
    )
    writes = [
        Put(
            o.kind,
            o.name,
            {**o.body, "metadata": {"@type": TYPE_URL + kind, **body}, "done": True, **outcome},
            o.internal,
        )
        for o in operations
        if o.name in done
    ]
    return writes, {**internal, "operations": [entry for entry in entries if entry["name"] not in done]}
