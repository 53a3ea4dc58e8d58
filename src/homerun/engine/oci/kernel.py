"""The few system calls that Python 3.11 lacks: mounts, namespaces, and opening a path that cannot leave a folder."""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_FS = 0x200
CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_REC = 0x4000
MS_SLAVE = 0x80000
MNT_DETACH = 2

_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 2
_RESOLVE_IN_ROOT = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
    return result


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    arguments = (text.encode() or None for text in (source, target, kind))
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), target)


def umount(target: str, flags: int = 0) -> None:
    _check(_libc.umount2(target.encode(), flags), target)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind), "setns")


def open_in_root(root: int, path: str, flags: int = os.O_RDONLY) -> int:
    """Open `path` as a process whose root directory is `root` would: no link, `..` or mount leads out of it."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    return _check(_libc.syscall(_SYS_OPENAT2, root, os.fsencode(path), how, len(how)), path)


def thread_namespace(kind: str) -> int:
    """A file descriptor of the calling thread's own namespace: `mnt` or `net`."""
    return os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY)
