"""The log store on disk: for each project a folder of segments, the oldest of which go when there are too many.

    logs/PROJECT/00000001.db, 00000002.db, …        the last one is written to

To make room is to delete a file. A commit survives kill -9, and positions are committed with the entries that they are
behind: what was returned once is neither lost nor doubled.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from pathlib import Path
from urllib.parse import quote, unquote

from homerun.lib import disk
from homerun.lib.errors import HomerunError, ResourceExhausted
from homerun.store.log_base import Found, LogQuery, LogRow, Origin
from homerun.store.log_segment import Segment
from homerun.store.sqlite_file import explain

_log = logging.getLogger("homerun.logs")
_PARTS = 16
"""Segments that the bound of a project is divided into: so much of it goes at once."""
_DAY = 86400.0


class SqliteLogStore:
    """`size`: bytes that each project may have; `days`: how long entries are kept. The oldest go, for either reason."""

    def __init__(self, folder: Path, *, size: int = 1 << 30, days: float = 30) -> None:
        self._folder, self._size, self._days = folder, size, days
        self._lock = threading.Lock()
        """Of the dictionary; a project has its own."""
        self._projects: dict[str, _Project] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in sorted(folder.iterdir()):
            name = unquote(place.name)
            self._projects[name] = _Project(place, name, size, days)

    def positions(self) -> Mapping[str, tuple[str, str]]:
        return {id: (each.name, position) for each in self._all() for id, position in each.positions.items()}

    def append(self, project: str, rows: Sequence[LogRow], positions: Mapping[str, str | None], now: float) -> None:
        """Raises HomerunError; then nothing of it was written."""
        while True:
            try:
                return self._project(project).append(rows, positions, now)
            except (sqlite3.Error, OSError) as error:
                failure = _explained(error, self._folder)
                if not isinstance(failure, ResourceExhausted) or not self._make_room():
                    raise failure from error

    def _project(self, name: str) -> _Project:
        with self._lock:
            if name not in self._projects:
                place = self._folder / quote(name, safe="")
                place.mkdir(mode=0o700, exist_ok=True)
                self._projects[name] = _Project(place, name, self._size, self._days)
            return self._projects[name]

    def _make_room(self) -> bool:
        """The disk is full: the oldest segment of all goes. False: there is only what is written to."""
        oldest = min((p for p in self._all() if len(p.segments) > 1), key=lambda p: p.segments[0].created, default=None)
        if oldest is None:
            return False
        oldest.drop_oldest("the disk is full")
        return True

    def search(self, query: LogQuery) -> Iterator[Found]:
        project = self._projects.get(query.project)
        return project.search(query) if project is not None else iter(())

    def following(self, project: str, after: int, limit: int) -> list[Found]:
        kept = self._projects.get(project)
        return kept.following(after, limit) if kept is not None else []

    def last(self, project: str) -> int:
        kept = self._projects.get(project)
        return kept.segments[-1].last_seq if kept is not None and kept.segments else 0

    def projects(self) -> Sequence[str]:
        return [project.name for project in self._all() if project.segments]

    def origins(self, project: str) -> set[Origin]:
        kept = self._projects.get(project)
        return set().union(*(segment.origins for segment in kept.segments)) if kept is not None else set()

    def delete(self, project: str, log: str) -> int:
        kept = self._projects.get(project)
        return sum(segment.delete(log) for segment in kept.segments) if kept is not None else 0

    def close(self) -> None:
        for project in self._all():
            for segment in project.segments:
                segment.seal()

    def _all(self) -> list[_Project]:
        with self._lock:
            return list(self._projects.values())


class _Project:
    """`segments` is never changed in place: whoever reads it has one list to the end."""

    def __init__(self, folder: Path, name: str, size: int, days: float) -> None:
        self.name = name
        self._folder, self._size, self._days = folder, size, days
        paths = sorted(folder.glob("*.db"))
        if paths and Segment.unfinished(paths[-1]):
            paths.pop().unlink()
        self.segments = [Segment(path, name) for path in paths]
        self.positions = self.segments[-1].positions() if self.segments else {}

    def append(self, rows: Sequence[LogRow], positions: Mapping[str, str | None], now: float) -> None:
        if not self.segments or self._is_full(self.segments[-1], now):
            self._begin_segment(now)
        self.segments[-1].append(rows, positions)
        for id, position in positions.items():
            if position is None:
                self.positions.pop(id, None)
            else:
                self.positions[id] = position

    def _is_full(self, segment: Segment, now: float) -> bool:
        return segment.size >= self._size // _PARTS or (segment.created + _DAY < now and bool(segment.origins))

    def _begin_segment(self, now: float) -> None:
        last = self.segments[-1] if self.segments else None
        number = int(last.path.stem) + 1 if last is not None else 1
        first_seq = last.last_seq + 1 if last is not None else 1
        path = self._folder / f"{number:08}.db"
        fresh = Segment.make(path, self.name, first_seq, self.positions, now)
        if last is not None:
            last.seal()
        self.segments = [*self.segments, fresh]
        while len(self.segments) > 1 and sum(segment.size for segment in self.segments[:-1]) > self._most:
            self.drop_oldest(f"project {self.name} has more than {self._size >> 20} MiB")
        while len(self.segments) > 1 and self.segments[1].created + self._days * _DAY < now:
            self.drop_oldest(f"it is older than {self._days:g} days")

    @property
    def _most(self) -> int:
        """Of all segments but the one that fills up."""
        return self._size - self._size // _PARTS

    def drop_oldest(self, why: str) -> None:
        gone, self.segments = self.segments[0], self.segments[1:]
        count = gone.last_seq - gone.first_seq + 1
        _log.info("dropped the oldest %d log entries of project %s: %s", count, self.name, why)
        gone.remove()

    def search(self, query: LogQuery) -> Iterator[Found]:
        """Segment by segment: the next is only looked into when what is found could be older (or newer) than in it."""
        segments = [
            segment
            for segment in self.segments
            if segment.last_time >= query.since and (query.until is None or segment.first_time <= query.until)
        ]
        sign = -1 if query.descending else 1

        def begins(segment: Segment) -> int:
            return -segment.last_time if query.descending else segment.first_time

        waiting = deque(sorted(segments, key=begins))
        heads: list[tuple[tuple[int, int], int, Found, Iterator[Found]]] = []

        def advance(rows: Iterator[Found]) -> None:
            if (found := next(rows, None)) is not None:
                heappush(heads, ((sign * found.time, sign * found.seq), len(waiting), found, rows))

        while waiting or heads:
            while waiting and (not heads or begins(waiting[0]) <= heads[0][0][0]):
                advance(waiting.popleft().search(query))
            if heads:
                _, _, found, rows = heappop(heads)
                yield found
                advance(rows)

    def following(self, after: int, limit: int) -> list[Found]:
        found: list[Found] = []
        for segment in self.segments:
            if segment.last_seq > after and len(found) < limit:
                found += segment.following(after, limit - len(found))
        return found


def _explained(error: Exception, folder: Path) -> HomerunError:
    return disk.explain(error, folder) if isinstance(error, OSError) else explain(error, folder)
