"""One file of the log store: entries of a project from one span of time, with what is needed to find them.

Rows are clustered by time, so that looking through all of them is reading the file from one end to the other: a text is
looked for like that, in C, at a million rows in a fraction of a second, and no index of words has to be paid for with
each line (docs/decisions/0011-logs.md). Whose an entry is, is a number: `owner` is the resource, `source` its stream.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from homerun.store.log_base import Found, LogQuery, LogRow, Origin, decode_pairs, encode_pairs, haystack
from homerun.store.sqlite_file import connect, create

PAGE = 16384
_VERSION = 1
_CHECKPOINT = 256
"""Pages of the WAL after which they go into the database."""
_FETCHED = 500
_SCHEMA = """
create table entries(
  time integer not null, seq integer not null, owner integer not null, source integer not null,
  severity integer not null, text text, more text, primary key (time, seq)
) without rowid;
create index by_owner on entries(owner, time, seq, source, severity);
create index by_seq on entries(seq);
create table origins(
  source integer primary key, owner integer not null, log text not null, type text not null,
  resource text not null, labels text not null
);
create table positions(id text primary key, position text not null) without rowid;
create table meta(created real not null, first_seq integer not null);
"""


class Segment:
    """`append` from one thread at a time, everything else from any."""

    def __init__(self, path: Path, project: str) -> None:
        """One that is there already."""
        self.path, self._project = path, project
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._sources: dict[Origin, tuple[int, int]] = {}
        self._numbered: dict[int, tuple[Origin, int]] = {}
        self._owners: dict[tuple[str, str], int] = {}
        with closing(self._open()) as reading:
            self.created, self.first_seq = reading.execute("select created, first_seq from meta").fetchone()
            [last] = reading.execute("select max(seq) from entries").fetchone()
            self.last_seq: int = last if last is not None else self.first_seq - 1
            bounds = reading.execute("select min(time), max(time) from entries").fetchone()
            self.first_time: int = bounds[0] if bounds[0] is not None else 1 << 62
            self.last_time: int = bounds[1] if bounds[1] is not None else 0
            for source, owner, log, type, resource, labels in reading.execute("select * from origins"):
                self._know(Origin(log, type, decode_pairs(resource), decode_pairs(labels)), source, owner)

    @classmethod
    def make(cls, path: Path, project: str, first_seq: int, positions: Mapping[str, str], now: float) -> Segment:
        """A new one, that knows the positions of the one before it. Whole or, after a crash, `unfinished`."""
        create(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as writing:
            writing.execute(f"pragma page_size = {PAGE}")
            writing.execute("pragma journal_mode = wal").fetchone()
            writing.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION};")
            writing.execute("insert into meta values(?, ?)", (now, first_seq))
            writing.executemany("insert into positions values(?, ?)", positions.items())
            writing.execute("commit")
        return cls(path, project)

    @staticmethod
    def unfinished(path: Path) -> bool:
        with closing(sqlite3.connect(path)) as reading:
            [version] = reading.execute("pragma user_version").fetchone()
        return bool(version == 0)

    @property
    def origins(self) -> set[Origin]:
        with self._lock:
            return set(self._sources)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def positions(self) -> dict[str, str]:
        with closing(self._open()) as reading:
            return dict(reading.execute("select id, position from positions").fetchall())

    # Writing

    def append(self, rows: Sequence[LogRow], positions: Mapping[str, str | None]) -> None:
        if self._writer is None:
            self._writer = connect(self.path, synchronous="NORMAL")
            self._writer.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT}")
        writer, fresh = self._writer, list[Origin]()
        first = self.last_seq + 1
        writer.execute("begin immediate")
        try:
            values = [
                (row.time, seq, *self._place(row.origin, fresh), row.severity, row.text, row.more)
                for seq, row in enumerate(rows, first)
            ]
            for origin in fresh:
                source, owner = self._sources[origin]
                what = (origin.log, origin.type, encode_pairs(origin.resource), encode_pairs(origin.labels))
                writer.execute("insert into origins values(?, ?, ?, ?, ?, ?)", (source, owner, *what))
            writer.executemany("insert into entries values(?, ?, ?, ?, ?, ?, ?)", values)
            for id, position in positions.items():
                if position is None:
                    writer.execute("delete from positions where id = ?", (id,))
                else:
                    writer.execute("insert or replace into positions values(?, ?)", (id, position))
            writer.execute("commit")
        except BaseException:
            if writer.in_transaction:
                writer.rollback()
            self._forget(fresh)
            raise
        if rows:
            self.last_seq = first + len(rows) - 1
            self.first_time = min(self.first_time, min(row.time for row in rows))
            self.last_time = max(self.last_time, max(row.time for row in rows))

    def _place(self, origin: Origin, fresh: list[Origin]) -> tuple[int, int]:
        """Its owner and source, given out now if need be."""
        found = self._sources.get(origin)
        if found is None:
            key = (origin.type, encode_pairs(origin.resource))
            source, owner = len(self._sources) + 1, self._owners.get(key, len(self._owners) + 1)
            self._know(origin, source, owner)
            fresh.append(origin)
            found = source, owner
        return found[1], found[0]

    def _know(self, origin: Origin, source: int, owner: int) -> None:
        with self._lock:
            self._sources[origin] = (source, owner)
            self._numbered[source] = (origin, owner)
            self._owners[(origin.type, encode_pairs(origin.resource))] = owner

    def _forget(self, fresh: Sequence[Origin]) -> None:
        """Their numbers were never written."""
        with self._lock:
            for origin in fresh:
                source, _ = self._sources.pop(origin)
                del self._numbered[source]

    def delete(self, log: str) -> int:
        with self._lock:
            sources = [number for origin, (number, _) in self._sources.items() if origin.log == log]
        if not sources:
            return 0
        with closing(connect(self.path, synchronous="NORMAL")) as writing:
            marks = ",".join("?" * len(sources))
            return writing.execute(f"delete from entries where source in ({marks})", sources).rowcount

    def seal(self) -> None:
        """Nothing more will be appended."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def remove(self) -> None:
        self.seal()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    # Reading

    def search(self, query: LogQuery) -> Iterator[Found]:
        with self._lock:
            known = dict(self._numbered)
        wanted = {source for source, (origin, _) in known.items() if query.wanted(origin)}
        if not wanted:
            return
        sql, values = self._select(query, known, wanted)
        try:
            reading = self._open()
        except sqlite3.OperationalError:
            if self.path.exists():
                raise
            return  # it made room meanwhile
        with closing(reading):
            cursor = reading.execute(sql, values)
            while rows := cursor.fetchmany(_FETCHED):
                yield from map(self._found, rows)

    def _select(
        self, query: LogQuery, known: Mapping[int, tuple[Origin, int]], wanted: set[int]
    ) -> tuple[str, list[Any]]:
        conditions: list[str] = ["time >= ?"]
        values: list[Any] = [query.since]
        owners = {known[source][1] for source in wanted}
        if len(owners) == 1:
            conditions.append("owner = ?")
            values += owners
        if len(wanted) < sum(owner in owners for _, owner in known.values()) or (1 < len(owners) < len(self._owners)):
            conditions.append("source in (select value from json_each(?))")
            values.append(str(sorted(wanted)))
        order, beyond = ("desc", "<") if query.descending else ("asc", ">")
        if query.until is not None:
            conditions.append("time <= ?")
            values.append(query.until)
        if query.after is not None:
            conditions.append(f"(time, seq) {beyond} (?, ?)")
            values += query.after
        if query.up_to is not None:
            conditions.append("seq <= ?")
            values.append(query.up_to)
        if query.severity:
            conditions.append("severity >= ?")
            values.append(query.severity)
        for text in query.texts:
            condition, terms = self._says(text, known)
            conditions.append(condition)
            values += terms
        # SQLite has no statistics here: of one owner by its index, of several by going through them all.
        hint = "indexed by by_owner" if len(owners) == 1 else "not indexed"
        sql = (
            f"select time, seq, source, severity, text, more from entries {hint} where {' and '.join(conditions)} "
            f"order by time {order}, seq {order}"
        )
        return sql, values

    def _says(self, text: str, known: Mapping[int, tuple[Origin, int]]) -> tuple[str, list[Any]]:
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        condition, values = "text like ? escape '\\' or more like ? escape '\\'", [like, like]
        low = text.lower()
        named = sorted(source for source, (origin, _) in known.items() if low in haystack(origin, self._project))
        if named:
            condition += " or source in (select value from json_each(?))"
            values.append(str(named))
        return f"({condition})", values

    def following(self, after: int, limit: int) -> list[Found]:
        with closing(self._open()) as reading:
            rows = reading.execute(
                "select time, seq, source, severity, text, more from entries where seq > ? order by seq limit ?",
                (after, limit),
            ).fetchall()
        return [self._found(row) for row in rows]

    def _found(self, row: tuple[Any, ...]) -> Found:
        time, seq, source, severity, text, more = row
        return Found(time, seq, self._numbered[source][0], severity, text, more)

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self.path))}?mode=rw"  # never makes one
        reading = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        reading.execute("pragma query_only = 1")
        return reading
