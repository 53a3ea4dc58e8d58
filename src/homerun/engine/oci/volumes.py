"""Volumes of an instance, and where its containers see them (contract §13.2).

Each volume is mounted once in the instance's own mount namespace (sandbox.py), so that the kernel
takes it away with the last process. A container sees it through a mount of its own, which is put into its root before
the runtime is called. Image and volume are hostile: what a path leads to is resolved inside the one and the other, and
from then on only the descriptor counts, so nobody can exchange a folder for a link to somewhere else in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from homerun.engine.base import DiskVolume, FilesVolume, FolderVolume, MemoryVolume, Mount, NfsVolume, Volume
from homerun.engine.oci import kernel
from homerun.engine.oci.disk import mount_disk
from homerun.engine.oci.folders import make_file, make_folder
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.kernel import open_in_root
from homerun.engine.oci.nfs import mount_nfs
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.secret_files import SEEN, Files, mount_files, write_files
from homerun.lib.errors import Invalid

_SAFE = kernel.MOUNT_NOSUID | kernel.MOUNT_NODEV
_PLACES = 1 << 20  # for folders to mount at
_EVERYBODYS = 0o777
_SYSTEM = ("/proc", "/sys", "/dev")


def waits_for_others(volumes: Sequence[Volume]) -> bool:
    """Mounting them may take as long as another machine likes."""
    return any(isinstance(volume, NfsVolume) for volume in volumes)


def mount_volumes(point: Path, volumes: Sequence[Volume], disks: Path, ids: IdMap | None = None) -> None:
    """Mount each at its `place` below `point`, in the instance's mount namespace. `disks`: a folder for those on disk.

    Raises Invalid, EngineUnavailable.
    """
    if ids is not None and (remote := next((v.name for v in volumes if isinstance(v, NfsVolume)), None)):
        raise Invalid(
            f"the volume {remote} is on NFS, which knows no mapped owners: start homerun without --user-namespaces"
        )
    if volumes:
        kernel.mount("tmpfs", str(point), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode=700,size={_PLACES}")
    for volume in volumes:
        target = place(point, volume.name)
        target.mkdir(mode=0o755)
        match volume:
            case MemoryVolume(size=size):
                options = f"mode={_EVERYBODYS:o},size={max(1, size)}"
                kernel.mount("tmpfs", str(target), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
            case DiskVolume(size=size):
                mount_disk(disks, size, target)
                target.chmod(_EVERYBODYS)
            case FilesVolume(files=files):
                mount_files(target, files, ids.owner() if ids else (0, 0))
            case FolderVolume():
                _mount_folder(volume, target)
            case NfsVolume():
                mount_nfs(volume, target)


def place(point: Path, volume: str) -> Path:
    """Where the volume of that name is mounted; `point` is the mount point of all."""
    return point / volume


def _mount_folder(volume: FolderVolume, target: Path) -> None:
    try:
        top = os.open(volume.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        found = f"{volume.folder}: {error.strerror}"
        raise Invalid(f"the volume {volume.name} cannot be mounted: {volume.remedy or found}") from None
    folder = _below(top, volume.name, volume.inside, volume.read_only)
    onto = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            raise Invalid(f"the volume {volume.name} cannot be mounted: {volume.inside} is not a folder")
        kernel.graft(folder, onto, _SAFE)
    finally:
        os.close(onto)
        os.close(folder)


def refresh_files(monitors: Sequence[Process], point: Path, volume: str, files: Files) -> None:
    """Of a running instance with these monitors, through whose mount namespace they are reached: no container's.

    Nothing happens if it has ended, or has no such volume.
    """
    for monitor in monitors:
        if _refresh(monitor, point, volume, files):
            return


def _refresh(monitor: Process, point: Path, volume: str, files: Files) -> bool:
    """False: there is no such place, or nobody to reach it through."""
    there = Path(f"/proc/{monitor.pid}/root{place(point, volume)}")
    try:
        fd = os.open(there, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        here = Path(f"/proc/self/fd/{fd}")
        if not monitor.alive or not (here / SEEN).is_dir():  # alive: so that was its pid, and nobody else's
            return False
        write_files(here, files)
    finally:
        os.close(fd)
    return True


def bind_mounts(
    root: int, point: Path, volumes: Sequence[Volume], mounts: Sequence[Mount], ids: IdMap | None = None
) -> list[str]:
    """Show the mounted volumes to a container: `root` is its root folder. Returns where, after following its links.

    Raises Invalid: no such path in the volume, or none that can be made in the image.
    """
    named = {volume.name: volume for volume in volumes}
    return [_bind(root, point, named, mount, ids) for mount in mounts]


def _bind(root: int, point: Path, volumes: Mapping[str, Volume], mount: Mount, ids: IdMap | None) -> str:
    volume = volumes.get(mount.volume)
    if volume is None:
        raise Invalid(f"there is no volume {mount.volume!r} to mount at {mount.path}")
    read_only = mount.read_only or _read_only(volume)
    source = _source(point, volume, mount.sub_path, read_only)
    try:
        is_file = stat.S_ISREG(os.fstat(source).st_mode)
        target = _target(root, mount, is_file, ids.owner() if ids else None)
        try:
            found = _inside(root, target, mount)
            attributes = _SAFE | (kernel.MOUNT_READ_ONLY if read_only else 0)
            # Files of ours are its own already: their file system, which is never swapped out, maps no owners.
            users = ids.fd if ids and not isinstance(volume, FilesVolume) else -1
            kernel.graft(source, target, attributes, users)
        finally:
            os.close(target)
    finally:
        os.close(source)
    return found


def _read_only(volume: Volume) -> bool:
    match volume:
        case FilesVolume():
            return True
        case FolderVolume(read_only=read_only) | NfsVolume(read_only=read_only):
            return read_only
    return False


def _source(point: Path, volume: Volume, sub_path: str, read_only: bool) -> int:
    """The folder or file in the volume; a folder that is missing is made, where that may be."""
    seen = place(point, volume.name) / (SEEN if isinstance(volume, FilesVolume) else "")
    top = os.open(seen, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return _below(top, volume.name, sub_path, read_only)


def _below(top: int, volume: str, path: str, read_only: bool) -> int:
    """What is at `path` in the folder `top`, in place of whose descriptor there is another one. Raises Invalid."""
    if not path:
        return top
    try:
        return _resolve(top, path, read_only)
    except OSError as error:
        raise Invalid(f"{path} in the volume {volume} cannot be mounted: {error.strerror}") from None
    finally:
        os.close(top)


def _resolve(top: int, path: str, read_only: bool) -> int:
    try:
        fd = open_in_root(top, path, os.O_PATH)
    except FileNotFoundError:
        if read_only:
            raise
        return make_folder(top, path)
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        os.close(fd)
        raise OSError(0, "it is neither a folder nor a file")
    return fd


def _target(root: int, mount: Mount, is_file: bool, owner: tuple[int, int] | None) -> int:
    """What the volume will lie over: in the image or what we make of it, never in another volume."""
    try:
        make = make_file if is_file else make_folder
        return make(root, mount.path, owner, same_mount=True)
    except OSError as error:
        raise Invalid(
            f"the volume {mount.volume} cannot be mounted at {mount.path}: {error.strerror}; "
            "see what the image has there"
        ) from None


def _inside(root: int, target: int, mount: Mount) -> str:
    """Where in the container that is. A link of the image may have led to where nothing may be mounted."""
    top, full = os.readlink(f"/proc/self/fd/{root}"), os.readlink(f"/proc/self/fd/{target}")
    found = full.removeprefix(top) or "/"
    if found == "/" or any(found == each or found.startswith(f"{each}/") for each in _SYSTEM):
        raise Invalid(f"the volume {mount.volume} cannot be mounted at {mount.path}: in this image that is {found}")
    return found
