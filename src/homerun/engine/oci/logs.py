"""Whose output is where: an index from labels to log files, which outlives the instances.

`index.jsonl` gets one line per started instance and is written anew at each open, without those whose file is gone. A
file that changed before the time asked for is not read, so a question about now costs what was written since.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import msgspec

from homerun.engine.base import LogLine
from homerun.engine.oci import logfile


class _Entry(msgspec.Struct, frozen=True):
    """`id`: of the instance. `key`: what its container's file is called (instance.Part.key), if not so."""

    id: str
    labels: dict[str, str]
    container: str = ""
    key: str = ""

    @property
    def file(self) -> str:
        return self.key or self.id


@dataclass(frozen=True, slots=True)
class _Source:
    entry: _Entry
    file: Path
    changed: float


class Logs:
    """May be used from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = folder / "index.jsonl"
        self._entries: dict[str, _Entry] = {}
        """By key."""
        self._keys: dict[str, list[str]] = {}
        """Of each instance."""
        self._past: dict[str, None] = {}
        """Ids of instances that were discarded, the last ones."""
        self._lock = threading.Lock()

    def open(self) -> None:
        lines = self._index.read_bytes().splitlines() if self._index.exists() else []
        for line in lines:
            try:
                entry = msgspec.json.decode(line, type=_Entry)
            except msgspec.DecodeError:
                continue  # the last line before a crash
            if self.file(entry.file).exists():
                self._enter(entry)
        for file in [*self._folder.glob("*.log"), *self._folder.glob("*.held")]:
            if file.stem not in self._entries:
                file.unlink()  # of a start that was cut short
        self._rewrite()

    @property
    def folder(self) -> Path:
        return self._folder

    def keys(self) -> list[str]:
        with self._lock:
            return list(self._entries)

    def keys_of(self, id: str) -> list[str]:
        with self._lock:
            return list(self._keys.get(id, ()))

    def entry(self, key: str) -> _Entry | None:
        return self._entries.get(key)

    def held(self, key: str) -> Path:
        """The file that is being moved elsewhere (spool.py): that of the log, or the one that it replaced."""
        return self._folder / f"{key}.held"

    def discard(self, key: str) -> None:
        """All of it is elsewhere. Its id stays known, so that it is not used again."""
        with self._lock:
            if (entry := self._entries.pop(key, None)) is not None:
                self._keys[entry.id].remove(key)
                if not self._keys[entry.id]:
                    del self._keys[entry.id]
                self._past[entry.id] = None
            while len(self._past) > _REMEMBERED:
                del self._past[next(iter(self._past))]
        self.file(key).unlink(missing_ok=True)
        self.held(key).unlink(missing_ok=True)

    def file(self, key: str) -> Path:
        return self._folder / f"{key}.log"

    def __contains__(self, id: str) -> bool:
        return id in self._keys or id in self._past

    def add(self, id: str, labels: Mapping[str, str], containers: Mapping[str, str]) -> None:
        """An instance runs. `containers`: key of the file -> name."""
        entries = [_Entry(id, dict(labels), name, "" if key == id else key) for key, name in containers.items()]
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with self._lock:
            for entry in entries:
                self._enter(entry)
            with open(self._index, "ab", buffering=0) as index:
                end = index.tell()
                try:
                    if index.write(lines) < len(lines):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._index))
                except OSError:
                    index.truncate(end)  # the next line must not be glued to half of this one
                    raise

    def _enter(self, entry: _Entry) -> None:
        self._entries[entry.file] = entry
        keys = self._keys.setdefault(entry.id, [])
        if entry.file not in keys:
            keys.append(entry.file)

    def drop(self, id: str, keys: Collection[str] = ()) -> None:
        """As if it had never been: its start failed. `keys`: of files that may be there, but not in the index yet."""
        with self._lock:
            files = {*keys, *self._keys.pop(id, ())}
            for key in files:
                self._entries.pop(key, None)
        for key in files:
            self.file(key).unlink(missing_ok=True)
            self.held(key).unlink(missing_ok=True)

    def read(
        self, labels: Mapping[str, str], since: float, until: float | None, limit: int | None, running: Collection[str]
    ) -> list[LogLine]:
        """In time order; with `limit`, the last so many. The lines of `running` instances may still be incomplete."""
        if limit == 0:
            return []
        found: list[LogLine] = []
        for source in self._sources(labels, since):
            if limit is not None and len(found) == limit and source.changed < found[0].time:
                break  # it, and all after it, ended before the earliest line that we have
            entry = source.entry
            ended = entry.id not in running
            lines = logfile.read(source.file, since=since, until=until, limit=limit, ended=ended)
            found += [
                LogLine(line.time, entry.id, line.stream, line.text, entry.labels, entry.container) for line in lines
            ]
            if limit is not None:
                found.sort(key=attrgetter("time"))
                del found[: max(0, len(found) - limit)]
        found.sort(key=attrgetter("time"))
        return found

    def _sources(self, labels: Mapping[str, str], since: float) -> list[_Source]:
        """Files that may hold something after `since`, the last changed first."""
        sources = []
        for entry in self._matching(labels):
            file = self.file(entry.file)
            try:
                changed = file.stat().st_mtime
            except FileNotFoundError:
                continue
            if changed + _SLACK > since:
                sources.append(_Source(entry, file, changed + _SLACK))
        sources.sort(key=attrgetter("changed"), reverse=True)
        return sources

    def _matching(self, labels: Mapping[str, str]) -> Iterator[_Entry]:
        wanted = labels.items()
        with self._lock:
            entries = list(self._entries.values())
        return (entry for entry in entries if wanted <= entry.labels.items())

    def _rewrite(self) -> None:
        fresh = self._index.with_suffix(".new")
        try:
            fresh.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._entries.values()))
            fresh.rename(self._index)
        except OSError:
            # The disk is full. The one that is there names too much, which does no harm.
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)


_REMEMBERED = 10_000
_SLACK = 0.02
"""Times of change come from the kernel's coarse clock, which lags by a tick."""
