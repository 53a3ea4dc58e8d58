"""What /proc says about processes. A pid alone names nothing for long: a Process carries its start time as well."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@functools.cache
def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on (the second is the name, which may hold anything)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def usage(pid: int) -> tuple[float, int] | None:
    """CPU seconds, user and system, and bytes of resident memory. None: there is no such process."""
    try:
        fields = _stat(pid)
    except OSError:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        try:
            return cls(pid, int(_stat(pid)[19]))
        except (OSError, IndexError):
            return None

    @property
    def alive(self) -> bool:
        """It runs; a zombie does not."""
        try:
            fields = _stat(self.pid)
        except OSError:
            return False
        return int(fields[19]) == self.start and fields[0] not in "ZX"

    @property
    def stopped(self) -> bool:
        """By SIGSTOP, and not gone on yet."""
        try:
            return _stat(self.pid)[0] == "T"
        except OSError:
            return False

    def files(self) -> Iterator[os.stat_result]:
        """What it has open."""
        folder = PROC / str(self.pid) / "fd"
        try:
            names = os.listdir(folder)
        except OSError:
            return
        for name in names:
            with contextlib.suppress(OSError):  # closed meanwhile
                yield os.stat(folder / name)

    def open(self) -> int | None:
        """A pidfd, or None when it is gone. Readable once the process has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except OSError:
            return None
        if self.alive:
            return fd
        os.close(fd)
        return None

    def send(self, number: int) -> None:
        """Signal it, if it is still there."""
        fd = self.open()
        if fd is None:
            return
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)


def pids() -> Iterator[int]:
    for name in os.listdir(PROC):
        if name.isdecimal():
            yield int(name)


def command_line(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def descendants(pid: int) -> list[Process]:
    """Children, their children and so on, as far as they can be seen now."""
    children: dict[int, list[int]] = {}
    for each in pids():
        try:
            children.setdefault(int(_stat(each)[1]), []).append(each)
        except (OSError, IndexError):
            continue
    found: list[Process] = []
    todo = [pid]
    while todo:
        for child in children.get(todo.pop(), ()):
            if process := Process.of(child):
                found.append(process)
            todo.append(child)
    return found
