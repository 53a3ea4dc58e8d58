"""conmon's files as a queue: what instances wrote is taken from them once, and its room is given back.

conmon appends to `KEY.log`, and begins a new file under that name when it has so many bytes (monitor.py). `KEY.held` is
a second link to the file that is being read: rotated away or not, it is there until it was read to its end. A position
is the file (its inode, and the time of its first record, which stays) and an offset in it. What was taken is punched
out of the file, except for its end, so that the last lines of an instance can still be looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from homerun.engine.oci import logfile
from homerun.engine.oci.inotify import Watch
from homerun.engine.oci.kernel import punch_hole
from homerun.engine.oci.logs import Logs
from homerun.engine.output import Output, OutputLine

CHUNK = 1 << 20
"""Bytes that are read at a time."""
BACKLOG = 48 << 20
"""Bytes that an instance may be ahead of its reader; then only the last CHUNK of them is kept."""
_TAIL = 512 << 10
"""Bytes that stay in the file after they were taken."""
_PUNCHED_AT_ONCE = 1 << 20
_BLOCK = 4096
_FIRST = 35
"""Bytes of a file that tell it from others: the time of its first record."""


class Spool:
    """`ended`: whether an instance will write no more. `changed` and `watch` belong to the event loop's thread, what
    blocks to any one thread at a time."""

    def __init__(self, logs: Logs, ended: Callable[[str], bool], removed: Callable[[str], bool]) -> None:
        self._logs, self._ended, self._removed = logs, ended, removed
        self._news: set[str] = set()
        self._wake: Callable[[], None] | None = None
        self._punched: dict[str, int] = {}
        self._watch: Watch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """That watches it, while it does."""

    def open(self) -> None:
        self._watch = Watch(self._logs.folder)
        self._news.update(self._logs.keys())

    def close(self) -> None:
        if self._watch is not None:
            self._unarm()
            self._watch.close()
            self._watch = None

    # What is new

    def watch(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        if self._watch is None:
            return
        loop = asyncio.get_running_loop()
        if self._news:
            loop.call_soon(self._tell)
        else:
            self._loop = loop
            loop.add_reader(self._watch.fileno(), self._tell)

    def touch(self, id: str) -> None:
        """The instance ended or was removed."""
        self._news.update(self._logs.keys_of(id))
        self._tell()

    def _tell(self) -> None:
        wake, self._wake = self._wake, None
        self._unarm()
        if wake is not None:
            wake()

    def _unarm(self) -> None:
        if self._loop is not None and self._watch is not None:
            self._loop.remove_reader(self._watch.fileno())
            self._loop = None

    def changed(self) -> set[str]:
        names = self._watch.names() if self._watch is not None else set()
        if names is None:
            self._news.update(self._logs.keys())
        else:
            self._news.update(name.removesuffix(".log") for name in names if name.endswith(".log"))
        news, self._news = self._news, set()
        return news

    # What it is

    def read(self, key: str, position: str, now: float) -> Output | None:
        entry = self._logs.entry(key)
        if entry is None:
            return None
        ended = self._ended(entry.id)
        with _Reader.of(self._logs.file(key), self._logs.held(key)) as reader:
            whose = Output(entry.id, entry.labels, entry.container if key != entry.id else "")
            output = reader.read(whose, position, ended, now)
        if not output.ended or not self._removed(entry.id):
            return output
        if output.lines or output.lost:
            return replace(output, more=True)  # nobody says again that it is gone: look again when these are taken
        self._logs.discard(key)
        self._punched.pop(key, None)
        return None

    def settled(self, key: str, position: str) -> None:
        offset = int(position.rpartition("@")[2])
        end = (offset - _TAIL) // _BLOCK * _BLOCK
        done = self._punched.get(key, 0)
        if done > offset:
            done = 0  # another file by now
        if end - max(done, _BLOCK) < _PUNCHED_AT_ONCE:
            return
        try:
            fd = os.open(self._logs.held(key), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if _identity(fd) == position.rpartition("@")[0]:
                punch_hole(fd, max(done, _BLOCK), end)
                self._punched[key] = end
        finally:
            os.close(fd)


class _Reader:
    """The file that is held, open."""

    def __init__(self, log: Path, held: Path) -> None:
        self._log, self._held = log, held
        self._fd = self._open()

    @classmethod
    def of(cls, log: Path, held: Path) -> _Reader:
        if not held.exists():
            link(log, held)
        return cls(log, held)

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def _open(self) -> int:
        """-1: there is no file."""
        try:
            return os.open(self._held, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1

    def read(self, whose: Output, position: str, ended: bool, now: float) -> Output:
        if self._fd < 0:
            return replace(whose, ended=ended)
        rotated = self._rotated
        # In this order, and no byte beyond: conmon may be writing the first record, and with it the file's identity.
        size = os.fstat(self._fd).st_size
        file = _identity(self._fd)
        known, _, offset = position.rpartition("@")
        start = int(offset) if known == file else 0
        if start >= size and rotated:
            self._next()
            return self.read(whose, "", ended, now)
        behind = size - start + (self._log.stat().st_size if rotated else 0)
        if behind > BACKLOG:
            return self._skip(whose, file, start, size, rotated)
        data = logfile.whole(os.pread(self._fd, min(CHUNK, size - start), start), 0)
        if not data and start + CHUNK <= size:
            return self._skip(whose, file, start, size, rotated)  # a hole: whoever took it has forgotten
        if not data and rotated:
            self._next()  # half a record is left, for which there was no room
            return self.read(whose, "", ended, now)
        more = start + len(data) < size and bool(data)
        parsed = logfile.Parsed(data)
        found = list(parsed.lines())
        since = parsed.held
        last = not more and (ended or rotated)
        nowhere = more and not any(line.end for line in found)
        # Written long ago, or, after the clock was set back, long from now.
        if since is not None and (last or nowhere or abs(now - since) > logfile.PATIENCE):
            found += parsed.rest()
        lines = [
            OutputLine(line.time, line.stream, line.text, f"{file}@{start + line.end}" if line.end else "")
            for line in found
        ]
        return replace(
            whose,
            lines=lines,
            more=more or rotated,
            held=parsed.held is not None,
            # Whatever is behind the last whole record will not be finished any more.
            ended=ended and not rotated and not more,
        )

    def _skip(self, whose: Output, file: str, start: int, size: int, rotated: bool) -> Output:
        """Go on near the end of the file, or at its end if there is another one behind it."""
        end, lost, last = size if rotated else size - CHUNK, 0, b""
        while start < size and (start < end or last != b"\n"):
            data = os.pread(self._fd, CHUNK if start < end else 1, start)[: max(1, end - start)]
            lost += data.count(b"\n")
            start, last = start + len(data), data[-1:]
        return replace(whose, start=f"{file}@{start}", lost=lost, more=True)

    @property
    def _rotated(self) -> bool:
        try:
            return self._log.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return False

    def _next(self) -> None:
        """Nothing of this file is left to be read: hold the one that conmon writes to now."""
        link(self._log, self._held)
        os.close(self._fd)
        self._fd = self._open()


def link(log: Path, held: Path) -> None:
    """Make `held` the same file as `log`, at once."""
    fresh = held.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        os.link(log, fresh)
    except FileNotFoundError:
        return
    fresh.rename(held)


def _identity(fd: int) -> str:
    return f"{os.fstat(fd).st_ino:x}-{os.pread(fd, _FIRST, 0).decode('ascii', 'replace')}"
