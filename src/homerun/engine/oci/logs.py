"""Whose output is where: an index from labels to log files, which outlives the instances.

`index.jsonl` gets one line per started instance and is written anew at each open, without those whose file is gone. A
file that changed before the time asked for is not read, so a question about now costs what was written since.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import msgspec

from homerun.engine.base import LogLine
from homerun.engine.oci import logfile


class _Entry(msgspec.Struct, frozen=True):
    id: str
    labels: dict[str, str]
    container: str = ""


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
        self._lock = threading.Lock()

    def open(self) -> None:
        lines = self._index.read_bytes().splitlines() if self._index.exists() else []
        for line in lines:
            try:
                entry = msgspec.json.decode(line, type=_Entry)
            except msgspec.DecodeError:
                continue  # the last line before a crash
            if self.file(entry.id).exists():
                self._entries[entry.id] = entry
        for file in self._folder.glob("*.log"):
            if file.stem not in self._entries:
                file.unlink()  # of a start that was cut short
        self._rewrite()

    def file(self, id: str) -> Path:
        return self._folder / f"{id}.log"

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def add(self, id: str, labels: Mapping[str, str], container: str = "") -> None:
        entry = _Entry(id, dict(labels), container)
        with self._lock:
            self._entries[id] = entry
            with open(self._index, "ab") as index:
                index.write(msgspec.json.encode(entry) + b"\n")

    def drop(self, id: str) -> None:
        """As if it had never been: its start failed."""
        with self._lock:
            self._entries.pop(id, None)
        self.file(id).unlink(missing_ok=True)

    def forget(self, labels: Mapping[str, str], keep: Collection[str]) -> None:
        """Delete the files of all that carry `labels`, except for the instances in `keep`."""
        chosen = [entry.id for entry in self._matching(labels) if entry.id not in keep]
        for id in chosen:
            self.file(id).unlink(missing_ok=True)
        with self._lock:
            for id in chosen:
                self._entries.pop(id, None)
            if chosen:
                self._rewrite()

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
            file = self.file(entry.id)
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
        fresh.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._entries.values()))
        fresh.rename(self._index)


_SLACK = 0.02
"""Times of change come from the kernel's coarse clock, which lags by a tick."""
