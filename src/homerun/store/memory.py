"""The store without a disk: for tests, and for a daemon that may forget. Same contract as SqliteStore.

Nothing awaits between the check of an `if_version` and the write, so a single event loop makes `apply` atomic.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Sequence

from homerun.aio.highwater import HighWater
from homerun.lib.errors import Unavailable
from homerun.store.base import ABSENT, Conflict, Delete, Document, Write
from homerun.store.changelog import ChangeLog
from homerun.store.codec import check_key, copied, prefix_end
from homerun.store.watching import Watch, check_since

Key = tuple[str, str]


class MemoryStore:
    def __init__(self) -> None:
        self._documents: dict[Key, Document] = {}
        self._names: dict[str, list[str]] = {}
        """Sorted names of the documents of each kind that are not deleted."""
        self._changes = ChangeLog()
        self._head = HighWater()

    async def get(self, kind: str, name: str) -> Document | None:
        self._check_open()
        document = self._documents.get((kind, name))
        return None if document is None or document.deleted else document

    async def list(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Sequence[Document]:
        self._check_open()
        names = self._matching(kind, prefix, after)
        return [self._documents[kind, name] for name in names[:limit]]

    async def count(self, kind: str, *, prefix: str = "") -> int:
        self._check_open()
        return len(self._matching(kind, prefix, ""))

    async def apply(self, *writes: Write) -> Sequence[Document]:
        self._check_open()
        written: list[Document] = []
        batch: dict[Key, Document] = {}
        for write in writes:
            check_key(write.kind, write.name)
            key = (write.kind, write.name)
            current = batch.get(key) or self._documents.get(key)
            actual = ABSENT if current is None or current.deleted else current.version
            if write.if_version is not None and write.if_version != actual:
                raise Conflict(write.kind, write.name, write.if_version, actual)
            document = _next(write, self._head.value + len(written) + 1)
            batch[key] = document
            written.append(document)
        for document in written:
            self._keep(document)
        self._changes.extend(written)
        self._head.rise(self._head.value + len(written))
        return written

    async def version(self) -> int:
        self._check_open()
        return self._head.value

    def watch(self, since: int = 0, *, kinds: Collection[str] | None = None) -> Watch:
        check_since(since, floor=0, head=self._head.value)
        wanted = None if kinds is None else frozenset(kinds)
        return Watch(lambda after, limit: self._changed(after, limit, wanted), self._head, since)

    async def close(self) -> None:
        self._head.close()

    async def _changed(self, since: int, limit: int, kinds: frozenset[str] | None) -> Sequence[Document]:
        return self._changes.after(since, limit, kinds)

    def _keep(self, document: Document) -> None:
        key = (document.kind, document.name)
        before = self._documents.get(key)
        existed = before is not None and not before.deleted
        names = self._names.setdefault(document.kind, [])
        if document.deleted and existed:
            del names[bisect_left(names, document.name)]
        elif not document.deleted and not existed:
            insort(names, document.name)
        self._documents[key] = document

    def _matching(self, kind: str, prefix: str, after: str) -> Sequence[str]:
        names = self._names.get(kind, [])
        start = max(bisect_left(names, prefix), bisect_right(names, after))
        # Python orders strings by code point, which is the bytewise order of their UTF-8.
        beyond = prefix_end(prefix)
        return names[start : None if beyond is None else bisect_left(names, beyond)]

    def _check_open(self) -> None:
        if self._head.closed:
            raise Unavailable("the store is closed: open it again before using it")

    def __repr__(self) -> str:
        live = sum(len(names) for names in self._names.values())
        return f"<MemoryStore at version {self._head.value}, {live} documents>"


def _next(write: Write, version: int) -> Document:
    if isinstance(write, Delete):
        return Document(write.kind, write.name, version, {}, {}, deleted=True)
    return Document(write.kind, write.name, version, copied(write.body), copied(write.internal))
