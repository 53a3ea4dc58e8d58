"""A copy of a program in memory that nobody can write to, to be run again and again.

So that no container can overwrite the host's runtime (CVE-2019-5736), crun runs as such a copy, or from a read-only
mount: where it does not find itself there already, each call makes one and executes it anew, which takes long for a
program of many libraries. A sealed copy that is made here, once, is what it looks for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import threading
from pathlib import Path

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_MFD_EXEC = 0x10
"""Since Linux 6.3, where it must be said on some hosts. Python 3.11 has no name for it."""


class SealedProgram:
    """`path`: where it is installed. May be used from several threads."""

    def __init__(self, path: str) -> None:
        self._installed = path
        self._made_of: tuple[int, ...] | None = None
        self._program = path
        self._files: list[int] = []
        """All that were ever made: an older one may be about to run."""
        self._lock = threading.Lock()

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop())
        self._program = self._installed

    @property
    def path(self) -> str:
        """For exec, of root: the copy of what is installed now; or that itself, on a host where no copy can run."""
        with self._lock:
            found = os.stat(self._installed)
            identity = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
            if identity != self._made_of:
                self._made_of, self._program = identity, self._copied()
            return self._program

    def _copied(self) -> str:
        try:
            file = _seal(Path(self._installed))
        except OSError:
            return self._installed
        program = f"/proc/{os.getpid()}/fd/{file}"
        if not _runs(program):
            os.close(file)
            return self._installed
        self._files.append(file)
        return program


def _seal(source: Path) -> int:
    """The descriptor of a sealed copy. Raises OSError."""
    file = _memory(source.name)
    try:
        with source.open("rb") as original, open(file, "wb", closefd=False) as copy:
            shutil.copyfileobj(original, copy)
        os.fchmod(file, 0o555)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        return os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(file)  # nothing runs that is open for writing


def _memory(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    with contextlib.suppress(OSError):
        return os.memfd_create(name, flags | _MFD_EXEC)
    return os.memfd_create(name, flags)


def _runs(program: str) -> bool:
    """A host may forbid programs that are in no file system."""
    try:
        return subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False
