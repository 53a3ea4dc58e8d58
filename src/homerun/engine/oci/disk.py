"""A folder on disk that holds no more than its size: an ext4 file system in a file without a name, on a loop device.

Neither needs to be taken away: the file has no name from its first moment on, the kernel lets go of the device when the
last mount is gone, and the mount ends with the mount namespace it is in, however that ends. The file is sparse: a disk
takes the room of what is written, and gives it back when that is deleted.

A blank file system is made once for each size and then kept in memory, as the few hundred kilobytes that are not zero:
`mke2fs` takes 15 ms, writing those takes less than one.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci import kernel

_BLOCK = 4096
_SMALLEST = 4 << 20
_OPTIONS = "lazy_itable_init=1,nodiscard,assume_storage_prezeroed=1"
_MOUNT_OPTIONS = "discard,nobarrier,noinit_itable"  # what survives no crash needs no care for one
_CONTROL = "/dev/loop-control"
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_AUTOCLEAR = 4
_TRIES = 64


def mount_disk(folder: Path, size: int, target: Path) -> None:
    """Mount an empty disk of `size` bytes, its own tables included, at `target`. Its file is in `folder`.

    Raises EngineUnavailable where there is no loop device or no mke2fs.
    """
    size = max(_SMALLEST, -(-size // _BLOCK) * _BLOCK)
    file = _nameless(folder)
    try:
        os.ftruncate(file, size)
        for at, block in _blank(size):
            os.pwrite(file, block, at)
        with _loop_device(file) as device:
            kernel.mount(device, str(target), "ext4", kernel.MS_NOSUID | kernel.MS_NODEV, _MOUNT_OPTIONS)
    finally:
        os.close(file)
    (target / "lost+found").rmdir()


def _nameless(folder: Path) -> int:
    """An open file in `folder` that nobody can find there."""
    with suppress(OSError):  # not every file system can
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    file, path = tempfile.mkstemp(dir=folder)
    os.unlink(path)
    return file


@functools.lru_cache(maxsize=8)
def _blank(size: int) -> tuple[tuple[int, bytes], ...]:
    """What an empty file system of `size` bytes has besides zeros: offset and content of each piece."""
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-O", "^has_journal,^resize_inode"]
        command += ["-m", "0", "-E", _OPTIONS, f"/proc/self/fd/{file.fileno()}"]
        try:
            done = subprocess.run(command, pass_fds=[file.fileno()], capture_output=True, text=True)
        except FileNotFoundError:
            raise EngineUnavailable("volumes on disk need mke2fs: apt-get install e2fsprogs") from None
        if done.returncode:
            raise EngineUnavailable(f"mke2fs could not make a file system of {size} bytes: {done.stderr.strip()}")
        return tuple(_pieces(file.fileno()))


def _pieces(file: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    while True:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(file, at, os.SEEK_HOLE)
        yield at, os.pread(file, end - at, at)
        at = end


@contextmanager
def _loop_device(file: int) -> Iterator[str]:
    """The path of a device over `file`. Afterwards the kernel keeps it for as long as it is mounted."""
    fd, path = _configure(file)
    try:
        yield path
    finally:
        os.close(fd)


def _configure(file: int) -> tuple[int, str]:
    config = struct.pack("=II52xI176x64x", file, _BLOCK, _AUTOCLEAR)
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise EngineUnavailable(f"volumes on disk need loop devices ({error.strerror}): modprobe loop") from None
    try:
        for _ in range(_TRIES):
            path = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
            else:
                return fd, path
    finally:
        os.close(control)
    raise EngineUnavailable(f"no loop device was free for long enough, {_TRIES} times")
