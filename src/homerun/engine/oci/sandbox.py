"""An instance's own mount namespace: memory for what it writes, the image's layers below, and nothing to clean up.

A few threads do all starts. Each has left the process's mount namespace; for every instance it makes a fresh one,
mounts there at a path that is the same for all, and spawns the monitor, which inherits the namespace. The kernel
unmounts everything when the last process of the instance is gone, also if we are not there any more. The other
threads never leave the host's namespace.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from homerun.engine.oci import checkpoints, kernel
from homerun.engine.oci.disk import mount_disk
from homerun.engine.oci.folders import make_folder
from homerun.engine.oci.id_map import IdMap

T = TypeVar("T")
_OURS = 4 << 20  # room for our own files beside those of the instance
_MOUNT_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV


class Sandboxes:
    """`detach`: a mount point to take away from every instance (see Cgroups: crun on a hybrid host)."""

    def __init__(self, detach: Path | None = None, threads: int = 4) -> None:
        self._detach = detach
        self._local = threading.local()
        self._bases: list[int] = []
        self._threads = ThreadPoolExecutor(threads, "homerun-sandbox", self._enter)

    def _enter(self) -> None:
        """Once per thread: a mount namespace that follows the host's changes but passes none back."""
        kernel.unshare(kernel.CLONE_FS | kernel.CLONE_NEWNS)
        kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
        if self._detach:
            kernel.umount(str(self._detach), kernel.MNT_DETACH)
        self._local.base = kernel.thread_namespace("mnt")
        self._bases.append(self._local.base)

    async def run(self, work: Callable[[], T]) -> T:
        """`work` in a thread, in a fresh mount namespace that ends with it and with the processes that it spawns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._inside, work)

    def _inside(self, work: Callable[[], T]) -> T:
        kernel.unshare(kernel.CLONE_NEWNS)
        try:
            if self._detach:
                # crun takes the empty folder for one more hierarchy; what it makes there must not stay on the host.
                kernel.mount("tmpfs", str(self._detach), "tmpfs", _MOUNT_FLAGS, "mode=700,size=64k")
            return work()
        finally:
            kernel.setns(self._local.base, kernel.CLONE_NEWNS)

    def close(self) -> None:
        self._threads.shutdown()
        for fd in self._bases:
            os.close(fd)
        self._bases.clear()


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on disk: `size` bytes at most, in a nameless file in `folder`."""

    folder: Path
    size: int


def upper(point: Path, disk: Disk | None = None) -> Path:
    """Where what an instance writes to its root is."""
    return (point if disk is None else point / "disk") / "upper"


def mount_root(
    point: Path,
    layers: Sequence[Path],
    size: int,
    disk: Disk | None = None,
    ids: IdMap | None = None,
    packed: Path | None = None,
) -> Path:
    """Layers (topmost first) under a writable one: on `disk`, or in memory, `size` bytes at most. Returns the root.
    `packed`: a tar of what is in the writable one at first.

    mount(2) takes one page of options, so the layers go by names of a few characters, relative to a folder of links.
    """
    kernel.mount("tmpfs", str(point), "tmpfs", _MOUNT_FLAGS, f"mode={700 if ids is None else 711},size={size + _OURS}")
    for name in ("layers", "root", "bundle"):
        os.mkdir(f"{point}/{name}", mode=0o755)
    written = point
    if disk is not None:
        written = point / "disk"
        written.mkdir()
        mount_disk(disk.folder, disk.size, written)
    for name in ("upper", "work"):
        os.mkdir(f"{written}/{name}", mode=0o755)
        if ids is not None:
            os.chown(f"{written}/{name}", *ids.owner())
    if packed is not None:
        checkpoints.unpack(packed, upper(point, disk))
    for number, layer in enumerate(layers):
        _show(layer, point / "layers" / str(number), ids)
    names = ":".join(str(number) for number in range(len(layers)))
    os.chdir(point / "layers")
    try:
        options = f"lowerdir={names},upperdir={written}/upper,workdir={written}/work"
        kernel.mount("overlay", str(point / "root"), "overlay", _MOUNT_FLAGS, options)
    finally:
        os.chdir("/")
    return point / "root"


def mount_sys(root: int, network: int) -> None:
    """/sys in the folder `root`, as seen from that network namespace: a user namespace that does not own it may not."""
    target, own = make_folder(root, "/sys", same_mount=True), kernel.thread_namespace("net")
    try:
        kernel.setns(network, kernel.CLONE_NEWNET)
        flags = _MOUNT_FLAGS | kernel.MS_NOEXEC | kernel.MS_READ_ONLY
        kernel.mount("sysfs", f"/proc/self/fd/{target}", "sysfs", flags)
    finally:
        kernel.setns(own, kernel.CLONE_NEWNET)
        os.close(own)
        os.close(target)


def _show(layer: Path, name: Path, ids: IdMap | None) -> None:
    if ids is None:
        name.symlink_to(layer)
        return
    name.mkdir()
    source, target = (os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in (layer, name))
    try:
        kernel.graft(source, target, 0, ids.fd)
    finally:
        os.close(source)
        os.close(target)
