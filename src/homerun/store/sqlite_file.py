"""The database file: who may open it, how it is opened, brought up to date, and what its errors mean to a person."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from homerun.lib.disk import has_no_room
from homerun.lib.errors import FailedPrecondition, HomerunError, Internal, ResourceExhausted, Unavailable
from homerun.lib.lock import take
from homerun.store.sql import migrations, queries

BUSY_SECONDS = 5


class Lock:
    """Only one process uses a database at a time. The kernel lets go of it when the process ends, however it ends.

    A file of its own: SQLite's own locks must not be touched by opening the database a second time.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        self._file = path.open("a+")
        path.chmod(0o600)
        try:
            taken = take(self._file.fileno())
        except OSError:
            self._file.close()
            raise
        if not taken:
            self._file.seek(0)
            holder = self._file.read(32).strip()
            self._file.close()
            raise FailedPrecondition(
                f"another homerun{f' (process {holder})' if holder else ''} uses {database.parent}: "
                f"stop it, or give this one a state folder of its own with --state"
            )
        with suppress(OSError):  # on a full disk the lock holds without a name on it
            os.truncate(path, 0)
            os.write(self._file.fileno(), f"{os.getpid()}\n".encode())

    def release(self) -> None:
        self._file.close()


def create(path: Path) -> None:
    """An empty database for nobody else's eyes; the WAL inherits its mode. One that exists is made private."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def connect(path: Path, *, synchronous: str = "FULL", read_only: bool = False) -> sqlite3.Connection:
    """`synchronous=FULL` syncs the WAL on each commit: what was acknowledged survives a power failure.

    NORMAL would survive a kill only. Transactions are ours to begin and end (`isolation_level=None`).
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("pragma journal_mode = wal").fetchone()
        connection.execute(f"pragma synchronous = {synchronous}")
        connection.execute(f"pragma journal_size_limit = {64 << 20}")
        connection.execute(f"pragma query_only = {int(read_only)}")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Run the migrations that this database has not seen, each in a transaction of its own."""
    [version] = connection.execute("pragma user_version").fetchone()
    known = migrations()
    if version > len(known):
        raise FailedPrecondition(
            f"database {path} has schema {version} and was written by a newer homerun; this one knows schemas up to "
            f"{len(known)}: upgrade homerun, or choose another state folder with --state"
        )
    for migration in known[version:]:
        script = f"begin immediate;\n{migration.sql}\npragma user_version = {migration.number};\ncommit;"
        try:
            connection.executescript(script)
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise


def prune(connection: sqlite3.Connection, keep: int) -> None:
    """Delete all tombstones but the newest `keep`, and remember that watches cannot start before them any more."""
    found = connection.execute(queries()["prune_floor"], {"keep": keep}).fetchone()
    if found is None:
        return
    with connection:
        connection.execute("begin immediate")
        connection.execute(queries()["prune"], {"floor": found[0]})
        connection.execute(queries()["raise_floor"], {"floor": found[0]})


def explain(error: Exception, path: Path) -> HomerunError:
    """What went wrong with the file at `path`, in words, with the remedy."""
    if isinstance(error, HomerunError):
        return error
    # The extended code's low byte is the primary code. Some file systems answer a full disk with an I/O error.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and has_no_room(path.parent)):
        return ResourceExhausted(
            f"no space left on the disk of {path}: nothing was written; free some space and try again"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable(
            f"another program has locked {path} for more than {BUSY_SECONDS} s: close it (`fuser {path}` names it)"
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return FailedPrecondition(f"{path} is damaged or no homerun database ({error}): restore it, or move it away")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return Unavailable(f"cannot use {path} ({error}): check that its folder is there, writable, and its disk works")
    return Internal(f"{path}: {type(error).__name__}: {error}")
