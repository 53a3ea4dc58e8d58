"""inotify(7): which files of a folder were written to, without asking again and again."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE, _OVERFLOW = 0x2, 0x80, 0x100, 0x4000
_EVENT = struct.Struct("iIII")
_ROOM = 64 << 10

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Of one folder. `fileno` is readable when something happened."""

    def __init__(self, folder: Path) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")
        try:
            mask = _MODIFY | _MOVED_TO | _CREATE
            _checked(_libc.inotify_add_watch(self._fd, os.fsencode(folder), mask), f"inotify_add_watch {folder}")
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._fd

    def names(self) -> set[str] | None:
        """Files that changed since the last call; None: too many to tell."""
        found: set[str] = set()
        while True:
            try:
                data = os.read(self._fd, _ROOM)
            except BlockingIOError:
                return found
            for mask, name in _events(data):
                if mask & _OVERFLOW:
                    return None
                found.add(name)

    def close(self) -> None:
        os.close(self._fd)


def _events(data: bytes) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(data):
        _, mask, _, length = _EVENT.unpack_from(data, start)
        start += _EVENT.size
        yield mask, os.fsdecode(data[start : start + length].rstrip(b"\0"))
        start += length


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
