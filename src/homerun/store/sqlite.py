"""The durable store: one SQLite file in WAL mode, one thread that writes, one that reads.

`apply` hands its writes to the writer thread and wakes when they are committed and synced, together with everybody
else's of that moment. Reads go to a connection of their own, which in WAL mode neither waits for the writer nor holds
it up. Watches that have caught up are served from the last changes in memory and do not touch the file at all.
Why it is made like this, with figures: docs/decisions/0002-sqlite-store.md.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from homerun.aio.highwater import HighWater
from homerun.lib.errors import HomerunError, Unavailable
from homerun.store.base import Delete, Document, Write
from homerun.store.changelog import ChangeLog
from homerun.store.codec import check_key, decode, encode, prefix_end
from homerun.store.sql import queries
from homerun.store.sqlite_file import Lock, connect, create, explain, migrate, prune
from homerun.store.sqlite_writer import Request, Row, Writer
from homerun.store.watching import Watch, check_since

T = TypeVar("T")

KEEP_TOMBSTONES = 100_000
KEEP_CHANGES = 2_000
"""Changes held in memory for watches. One that falls behind further reads the file until it has caught up."""


class SqliteStore:
    """Made by `open`."""

    @classmethod
    async def open(
        cls, path: Path, *, synchronous: str = "FULL", keep_tombstones: int = KEEP_TOMBSTONES
    ) -> SqliteStore:
        """Create or reopen the database. Raises FailedPrecondition when another process has it, with the remedy."""
        loop = asyncio.get_running_loop()
        reader = ThreadPoolExecutor(1, "store-reader")
        try:
            opened = await loop.run_in_executor(reader, _open, path, synchronous, keep_tombstones)
        except BaseException:
            reader.shutdown(wait=False)
            raise
        return cls(path, loop, reader, opened)

    def __init__(
        self, path: Path, loop: asyncio.AbstractEventLoop, reader: ThreadPoolExecutor, opened: _Opened
    ) -> None:
        self._path = path
        self._loop = loop
        self._reader = reader
        self._opened = opened
        self._floor = opened.floor
        self._head = HighWater(opened.head)
        self._changes = ChangeLog(KEEP_CHANGES, floor=opened.head)
        self._sql = queries()
        self._writer = Writer(opened.writes, path, self._on_commit)
        self._closing: asyncio.Future[None] | None = None

    async def get(self, kind: str, name: str) -> Document | None:
        found = await self._read("get", {"kind": kind, "name": name})
        return found[0] if found else None

    async def list(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Sequence[Document]:
        page = {"prefix": prefix, "beyond": prefix_end(prefix), "after": after}
        return await self._read("list", {"kind": kind, **page, "limit": -1 if limit is None else limit})

    async def count(self, kind: str, *, prefix: str = "") -> int:
        def count() -> int:
            values = {"kind": kind, "prefix": prefix, "beyond": prefix_end(prefix)}
            return int(self._opened.reads.execute(self._sql["count"], values).fetchone()[0])

        return await self._in_reader(count)

    async def apply(self, *writes: Write) -> Sequence[Document]:
        self._check_open()
        if not writes:
            return []
        rows = [_row(write) for write in writes]
        done: asyncio.Future[Sequence[Document]] = self._loop.create_future()
        self._writer.submit(Request(rows, done))
        return await done

    async def version(self) -> int:
        self._check_open()
        return self._head.value

    def watch(self, since: int = 0, *, kinds: Collection[str] | None = None) -> Watch:
        check_since(since, floor=self._floor, head=self._head.value)
        wanted = None if kinds is None else frozenset(kinds)
        return Watch(lambda after, limit: self._changed(after, limit, wanted), self._head, since)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = self._loop.run_in_executor(self._reader, self._close)
            self._head.close()
        await asyncio.shield(self._closing)
        self._reader.shutdown(wait=False)

    def _close(self) -> None:
        self._writer.close()
        self._opened.close()

    async def _changed(self, since: int, limit: int, kinds: frozenset[str] | None) -> Sequence[Document]:
        if since >= self._changes.floor:
            return self._changes.after(since, limit, kinds)
        wanted = None if kinds is None else encode(sorted(kinds)).decode()
        return await self._read("changed", {"since": since, "limit": limit, "kinds": wanted})

    async def _read(self, query: str, values: Mapping[str, Any]) -> Sequence[Document]:
        def read() -> Sequence[Document]:
            return [_document(*row) for row in self._opened.reads.execute(self._sql[query], values)]

        return await self._in_reader(read)

    async def _in_reader(self, read: Callable[[], T]) -> T:
        self._check_open()
        try:
            return await self._loop.run_in_executor(self._reader, read)
        except (sqlite3.Error, UnicodeError) as error:
            raise explain(error, self._path) from error

    def _on_commit(self, batch: Sequence[Request], head: int) -> None:
        """On the writer's thread."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, batch, head)
        except RuntimeError:
            pass  # the loop was closed before the store: nobody is left to hear of it

    def _resolve(self, batch: Sequence[Request], head: int) -> None:
        """Watches hear of the batch before any of its callers does."""
        answers: list[tuple[asyncio.Future[Sequence[Document]], Sequence[Document] | HomerunError]] = []
        for request in batch:
            if isinstance(request.outcome, HomerunError):
                answers.append((request.ticket, request.outcome))
                continue
            documents = [_written(row, version) for row, version in zip(request.rows, request.outcome, strict=True)]
            self._changes.extend(documents)
            answers.append((request.ticket, documents))
        self._head.rise(head)
        for done, answer in answers:
            if done.done():
                continue  # its caller was cancelled; the write stands
            if isinstance(answer, HomerunError):
                done.set_exception(answer)
            else:
                done.set_result(answer)

    def _check_open(self) -> None:
        if self._closing is not None:
            raise Unavailable(f"the store {self._path} is closed: open it again before using it")

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} at version {self._head.value}{', closed' if self._closing else ''}>"


class _Opened:
    """The lock and both connections."""

    def __init__(self, path: Path, synchronous: str, keep_tombstones: int) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = Lock(path)
        try:
            create(path)
            self.writes = connect(path, synchronous=synchronous)
            try:
                migrate(self.writes, path)
                prune(self.writes, keep_tombstones)
                self.head, self.floor = self.writes.execute(queries()["sequence"]).fetchone()
                self.reads = connect(path, read_only=True)
            except BaseException:
                self.writes.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """The last connection to close moves the WAL into the database; then the next process may have it."""
        self.reads.close()
        self.writes.close()
        self._lock.release()


def _open(path: Path, synchronous: str, keep_tombstones: int) -> _Opened:
    try:
        return _Opened(path, synchronous, keep_tombstones)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        raise Unavailable(
            f"cannot create {path} ({error.filename}: {error.strerror}): choose another state folder with --state"
        ) from error


def _row(write: Write) -> Row:
    check_key(write.kind, write.name)
    if isinstance(write, Delete):
        return Row(write.kind, write.name, True, "{}", "{}", write.if_version)
    body, internal = encode(write.body).decode(), encode(write.internal).decode()
    return Row(write.kind, write.name, False, body, internal, write.if_version)


def _written(row: Row, version: int) -> Document:
    return _document(row.kind, row.name, version, row.body, row.internal, row.deleted)


def _document(kind: str, name: str, version: int, body: str, internal: str, deleted: int) -> Document:
    return Document(kind, name, version, decode(body), decode(internal), bool(deleted))
