"""The Store port: versioned JSON documents, atomic batches, and a watch without gaps.

Every write gets the next number of one store-wide sequence, its *version*. A document's version is that of its last
write; optimistic concurrency compares it (`if_version`). A watch from version V yields every document that has
changed since V, in version order, each in its latest state: a document that changed twice is seen once, a deleted
one as a tombstone. That is all a level-triggered controller needs, and it bounds what must be kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from homerun.lib.errors import Aborted

Json = dict[str, Any]

ABSENT = 0
"""`if_version=ABSENT`: the document must not exist yet."""


class Conflict(Aborted):
    """The document is at another version than the write expected: read it again, then retry."""

    def __init__(self, kind: str, name: str, expected: int, actual: int) -> None:
        wanted = "not to exist" if expected == ABSENT else f"at version {expected}"
        found = "does not exist" if actual == ABSENT else f"is at version {actual}"
        super().__init__(f"{kind} {name} was expected {wanted} but {found}: read it again, then retry")
        self.kind, self.name, self.expected, self.actual = kind, name, expected, actual


@dataclass(frozen=True, slots=True)
class Document:
    """One stored object. `body` is what clients see (v2 JSON), `internal` what they never do.

    Treat both as read-only: implementations may hand the same object to several readers.
    """

    kind: str
    name: str
    version: int
    body: Json
    internal: Json = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Create or replace. `if_version`: None = whatever is there, ABSENT = must not exist, N = must be at N."""

    kind: str
    name: str
    body: Mapping[str, Any]
    internal: Mapping[str, Any] = field(default_factory=dict)
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove, leaving a tombstone for watchers. Deleting what is not there is no error unless `if_version` says so."""

    kind: str
    name: str
    if_version: int | None = None


Write = Put | Delete


class Store(Protocol):
    async def get(self, kind: str, name: str) -> Document | None: ...

    async def list(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Sequence[Document]:
        """Documents whose name starts with `prefix` and sorts after `after` (bytewise), in name order.

        A page's `after` is the last name of the page before: pages stay right while the list changes.
        """
        ...

    async def count(self, kind: str, *, prefix: str = "") -> int: ...

    async def apply(self, *writes: Write) -> Sequence[Document]:
        """All of `writes` or none, durable when this returns. One document (or tombstone) per write, in order.

        Raises Conflict when an `if_version` does not hold. Concurrent callers share one fsync (group commit).
        """
        ...

    async def version(self) -> int:
        """The version of the last write; 0 for a store that was never written to."""
        ...

    def watch(self, since: int = 0, *, kinds: Collection[str] | None = None) -> AsyncIterator[Document]:
        """Every document changed after `since`, tombstones included, in version order; then live, for ever.

        `since=0` starts with all that exists: list and watch are one call, with nothing lost in between.
        Raises OutOfRange when that is impossible without a gap (`since` is older than the deletions that are still
        remembered, or newer than the store): watch again from 0, and treat what does not come as deleted.
        A slow reader never blocks a writer and never misses a change (it may see two changes of one document as one).
        """
        ...

    async def close(self) -> None:
        """Flush what was accepted and end all watches (their iterators stop)."""
        ...
