"""Files that the containers of an instance may read and only we write: in memory that is never swapped out.

What is new is written aside and moved into place, so whoever opens a file finds the old content or the new one, whole.
Containers see the folder `files` only, through mounts that are read-only.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

from homerun.engine.oci import kernel
from homerun.engine.oci.folders import make_folder

SEEN = "files"
_ASIDE = "new"

Files = Mapping[str, tuple[bytes, int]]
"""Relative path -> content and mode."""


def mount_files(target: Path, files: Files, owner: tuple[int, int] = (0, 0)) -> None:
    """Mount a folder for them at `target`, and write them. `owner`: uid and gid, also of files that come later."""
    kernel.mount("ramfs", str(target), "ramfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=700")
    (target / SEEN).mkdir(mode=0o755)
    os.chown(target / SEEN, *owner)
    write_files(target, files)


def write_files(place: Path, files: Files) -> None:
    """From now on there are these files and no others; `place` is where `mount_files` has mounted."""
    seen = os.open(place / SEEN, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        whole = os.fstat(seen)
        for path, (content, mode) in files.items():
            _write(seen, path, content, mode, place / _ASIDE, (whole.st_uid, whole.st_gid))
        for path in set(_paths(place / SEEN)) - {posixpath.normpath(path) for path in files}:
            (place / SEEN / path).unlink()
    finally:
        os.close(seen)


def _write(seen: int, path: str, content: bytes, mode: int, aside: Path, owner: tuple[int, int]) -> None:
    folder = make_folder(seen, posixpath.dirname(path), owner)
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
            os.fchown(fd, *owner)
            os.fchmod(fd, mode)
        os.rename(aside, posixpath.basename(path), dst_dir_fd=folder)
    finally:
        os.close(folder)


def _paths(folder: Path) -> Iterator[str]:
    for above, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(above, name), folder)
