"""The iterator behind `Store.watch`: read what changed since the cursor, hand it out, sleep until there is more.

It pulls in batches from the store itself and keeps no queue that a writer fills: a slow reader holds one batch, never
blocks a writer, and misses nothing, because what it has not read yet is still in the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from homerun.aio.highwater import HighWater
from homerun.lib.errors import OutOfRange
from homerun.store.base import Document

BATCH = 500

ReadChanges = Callable[[int, int], Awaitable[Sequence[Document]]]
"""`(since, limit)` -> documents changed after `since`, in version order, at most `limit`."""


def check_since(since: int, *, floor: int, head: int) -> None:
    """A watch that would have a gap is refused."""
    if since > head:
        raise OutOfRange(f"cannot watch from version {since}: the store is at {head} (restored?); watch again from 0")
    if 0 < since < floor:
        raise OutOfRange(
            f"cannot watch from version {since}: deletions up to {floor} are no longer remembered; watch again from 0"
        )


class Watch(AsyncIterator[Document]):
    def __init__(self, read: ReadChanges, head: HighWater, since: int) -> None:
        self._read = read
        self._head = head
        self._cursor = since
        self._batch: deque[Document] = deque()

    async def __anext__(self) -> Document:
        while not self._batch:
            if not await self._head.beyond(self._cursor):
                raise StopAsyncIteration
            # Taken before the read: everything up to here is in the answer, also when nothing in it is for us.
            head = self._head.value
            found = await self._read(self._cursor, BATCH)
            self._batch.extend(found)
            seen = found[-1].version if found else 0
            self._cursor = seen if len(found) == BATCH else max(head, seen)
        return self._batch.popleft()

    def __repr__(self) -> str:
        return f"<Watch at {self._cursor}, {len(self._batch)} read ahead>"
