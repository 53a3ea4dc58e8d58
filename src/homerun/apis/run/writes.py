"""Writing what a user asked for: the resource and the long-running operation about it, in one transaction.

A controller may write status in between: then the edit is made again on what is there now. Only a user's own etag makes
a conflict that the user hears of.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.lib.errors import Aborted, NotFound
from homerun.model.names import Name
from homerun.store.base import ABSENT, Conflict, Document, Put, Store, Write

TYPE_URL = "type.googleapis.com/google.cloud.run.v2."
_ATTEMPTS = 40
_PAUSE = 0.01
"""Seconds more before each attempt than before the last: while ten thousand tasks are written down, one write follows
the other, and whoever tries again at once is always too late."""

Edit = Callable[[Document | None], Sequence[Write]]
"""What to write, given what is there. Pure; raises what is wrong with the request."""


@dataclass(frozen=True, slots=True)
class Written:
    """The resource and its operation, as they are now stored (or, validated only, as they would be)."""

    resource: Document
    operation: Document


async def change(
    store: Store, kind: str, name: str, edit: Edit, look: Callable[[], Awaitable[None]] | None = None
) -> Sequence[Document]:
    """Apply `edit` to the document; again, if somebody else wrote meanwhile.

    `look`: reads what else `edit` goes by, after the document, so that nothing of it is older.
    """
    for attempt in range(_ATTEMPTS):
        document = await store.get(kind, name)
        if look is not None:
            await look()
        writes = edit(document)
        try:
            return await store.apply(*writes)
        except Conflict as error:
            conflict = error
        await asyncio.sleep(_PAUSE * attempt)
    raise conflict


def new_etag() -> str:
    """Opaque; the same token is v1's resourceVersion."""
    return uuid.uuid4().hex[:16]


def check_etag(document: Document, sent: str, field: str = "etag") -> None:
    """`sent` empty: whatever is there. With or without the quotes that v2 puts around it."""
    if sent and sent.strip('"') != etag(document):
        raise Aborted(
            f"{field} {sent} is not that of {document.name} as it is now: somebody changed it meanwhile. "
            "Read it again, then retry"
        )


def etag(document: Document) -> str:
    """Changes with each write of a user, not with status; of what users do not write, with each version."""
    return str(document.internal.get("etag") or document.version)


def existing(document: Document | None, name: str) -> Document:
    """Raises NotFound for what is not there, or is there only until its controller has removed it."""
    if document is None or "deleteTime" in document.body:
        raise not_found(name)
    return document


def not_found(name: str) -> NotFound:
    parsed = Name.parse(name)
    kind = parsed.kind.upper()
    return NotFound(
        f"Resource '{parsed.id}' of kind '{kind}' in region '{parsed.location}' in project '{parsed.project}' "
        "does not exist"
    )


def operation_put(
    target: Name, kind: str, body: Mapping[str, Any], verb: str, internal: Mapping[str, Any], *, done: bool = False
) -> Put:
    """A google.longrunning.Operation about `target`. Unfinished ones are finished by a controller.

    Of the target's `internal` it keeps what its answer is shown with: the etag, and what v2 cannot express.
    """
    id = str(uuid.uuid4())
    name = f"{target.parent_location}/operations/{id}"
    resource = {"@type": TYPE_URL + kind, **body}
    outcome = {"response": resource} if done else {}
    return Put(
        "Operation",
        name,
        {"name": name, "metadata": resource, "done": done, **outcome},
        {
            "target": str(target),
            "verb": verb,
            "operation": id,
            **{key: internal[key] for key in ("etag", "v1", "digests") if key in internal},
        },
        if_version=ABSENT,
    )


def with_operation(internal: Mapping[str, Any], operation: Put, generation: int) -> dict[str, Any]:
    """`internal`, saying that `operation` waits for `generation` to be settled. `operation`: the latest one's id."""
    entry = {"name": operation.name, "generation": generation, "verb": operation.internal["verb"]}
    return {
        **internal,
        "operations": [*internal.get("operations", ()), entry],
        "operation": operation.internal["operation"],
    }


def unsaved(put: Put) -> Document:
    """What would be stored, for requests that only validate. Nobody can wait for an operation that is not."""
    internal = {key: value for key, value in put.internal.items() if key != "operation"}
    return Document(put.kind, put.name, 0, dict(put.body), internal)
