"""The one thread that writes: it takes all that waits, and makes it durable with one sync (group commit).

Each caller's writes are in a savepoint of their own, so a Conflict undoes its caller's writes and nobody else's. A
failure of the disk undoes the whole batch. Callers hear of the outcome only after the commit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from homerun.lib.errors import HomerunError, Invalid
from homerun.store.base import ABSENT, Conflict
from homerun.store.sql import queries
from homerun.store.sqlite_file import explain

MAX_BATCH = 1000
"""Callers that share a commit: bounds how long the first of them waits."""


@dataclass(frozen=True, slots=True)
class Row:
    """One write, ready for the database."""

    kind: str
    name: str
    deleted: bool
    body: str
    internal: str
    if_version: int | None


@dataclass(slots=True)
class Request:
    """One call of `apply`. `ticket` is the caller's own; `outcome` is the versions given to `rows`, or why not."""

    rows: Sequence[Row]
    ticket: Any
    outcome: Sequence[int] | HomerunError = ()


class Writer:
    """`committed` is called on the writer's thread with each batch, head included: the last version given out."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, committed: Callable[[Sequence[Request], int], None]
    ) -> None:
        self._connection = connection
        self._path = path
        self._committed = committed
        self._sql = queries()
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._head = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        self._queue.put(request)

    def close(self) -> None:
        """Blocks until everything that was submitted before is written and reported."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._take()
            if batch:
                self._write(batch)
                self._committed(batch, self._head)

    def _take(self) -> tuple[list[Request], bool]:
        """Sleep until there is something, then take what is there."""
        batch: list[Request] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_BATCH:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _write(self, batch: Sequence[Request]) -> None:
        execute = self._connection.execute
        try:
            self._undo()  # should that have failed the last time
            execute("begin immediate")
            # Read each time, not remembered: after a failed commit only the file knows whether it took place.
            head, _ = execute(self._sql["sequence"]).fetchone()
            for request in batch:
                head = self._write_one(request, head)
            execute(self._sql["advance"], {"head": head})
            execute("commit")
            self._head = head
        except Exception as error:
            with suppress(sqlite3.Error):
                self._undo()
            for request in batch:
                request.outcome = explain(error, self._path)

    def _write_one(self, request: Request, head: int) -> int:
        """Returns the last version given out. Raises only what concerns the whole batch."""
        self._connection.execute("savepoint caller")
        try:
            request.outcome = self._write_rows(request.rows, head)
            head += len(request.rows)
        except (Conflict, Invalid) as refusal:
            request.outcome = refusal
            self._connection.execute("rollback to caller")
        self._connection.execute("release caller")
        return head

    def _write_rows(self, rows: Sequence[Row], head: int) -> Sequence[int]:
        execute = self._connection.execute
        for version, row in enumerate(rows, head + 1):
            if row.if_version is not None:
                found = execute(self._sql["current"], {"kind": row.kind, "name": row.name}).fetchone()
                actual = ABSENT if found is None else found[0]
                if actual != row.if_version:
                    raise Conflict(row.kind, row.name, row.if_version, actual)
            values = {"version": version, "kind": row.kind, "name": row.name, "deleted": row.deleted}
            execute(self._sql["put"], {**values, "body": row.body, "internal": row.internal})
        return range(head + 1, head + 1 + len(rows))

    def _undo(self) -> None:
        # SQLite has rolled back by itself after some errors.
        if self._connection.in_transaction:
            self._connection.rollback()
