"""The few system calls that Python 3.11 lacks: mounts, namespaces, and opening a path that cannot leave a folder."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_FS = 0x200
CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000

MS_READ_ONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 0x4000
MS_SLAVE = 0x80000
MNT_DETACH = 2

MOUNT_READ_ONLY = 1
MOUNT_NOSUID = 2
MOUNT_NODEV = 4
_MOUNT_IDMAP = 0x100000

_MS_PRIVATE = 0x40000
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_EMPTY_PATHS = 0x44

_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
_SYS_OPENAT2 = 437
_RESOLVE_NO_XDEV = 1
_RESOLVE_NO_MAGICLINKS = 2
_RESOLVE_IN_ROOT = 0x10
_RACES = 64
_FALLOC_KEEP_SIZE, _FALLOC_PUNCH_HOLE = 1, 2

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


def open_in_root(root: int, path: str, flags: int = os.O_RDONLY, *, same_mount: bool = False) -> int:
    """Open `path` as a process whose root directory is `root` would: no link, `..` or mount leads out of it.

    With `same_mount`, nothing that is mounted below `root` is entered (EXDEV).
    """
    resolve = _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS | (_RESOLVE_NO_XDEV if same_mount else 0)
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    for _ in range(_RACES):
        try:
            return _check(_libc.syscall(_SYS_OPENAT2, root, os.fsencode(path), how, len(how)), path)
        except BlockingIOError:
            continue  # somebody moved folders about just then, and the kernel could not vouch for a `..`
    raise OSError(errno.EAGAIN, "its folders are being moved about", path)


def clone_mount(fd: int, attributes: int, users: int = -1) -> int:
    """The folder or file `fd` as a mount of its own that is nowhere yet, with MOUNT_… attributes; a descriptor of it.

    What is mounted below it does not come along, and what will be mounted there does not follow. `users`: a user
    namespace, in whose map the owners of files are seen.
    """
    flags = ctypes.c_uint(_OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH)
    tree = _check(_libc.syscall(_SYS_OPEN_TREE, fd, b"", flags), "open_tree")
    try:
        mapped = _MOUNT_IDMAP if users >= 0 else 0
        wanted = struct.pack("=QQQQ", attributes | mapped, 0, _MS_PRIVATE, max(0, users))
        _check(_libc.syscall(_SYS_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, wanted, len(wanted)), "mount_setattr")
    except BaseException:
        os.close(tree)
        raise
    return tree


def attach_mount(tree: int, target: int) -> None:
    """Put the mount `tree` over the folder or file `target`: descriptors, so nobody can exchange either meanwhile."""
    _check(_libc.syscall(_SYS_MOVE_MOUNT, tree, b"", target, b"", _MOVE_MOUNT_EMPTY_PATHS), "move_mount")


def graft(source: int, target: int, attributes: int, users: int = -1) -> None:
    """Show the folder or file `source` at `target`, as clone_mount would have it."""
    tree = clone_mount(source, attributes, users)
    try:
        attach_mount(tree, target)
    finally:
        os.close(tree)


@contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """This thread makes files as theirs, and with no more rights than they have."""
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
    try:
        yield
    finally:
        _libc.setfsuid(0)
        _libc.setfsgid(0)


def thread_namespace(kind: str) -> int:
    """A file descriptor of the calling thread's own namespace: `mnt` or `net`."""
    return os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY)


def punch_hole(fd: int, start: int, end: int) -> None:
    """Give back the room of these bytes of a file; it stays as long as it is."""
    offset, length = ctypes.c_int64(start), ctypes.c_int64(end - start)
    _check(_libc.fallocate64(fd, _FALLOC_KEEP_SIZE | _FALLOC_PUNCH_HOLE, offset, length), "fallocate")
