"""Folders and files inside a tree that somebody else controls, made without ever leaving it.

An image's links may lead anywhere, and what is in a volume may change while we look. So nothing is done by path: each
step goes through a descriptor that the kernel resolved inside the root (openat2), and holds that very folder.
"""

from __future__ import annotations

import errno
import os
import posixpath
from contextlib import suppress

from homerun.engine.oci.kernel import acting_as, open_in_root


def make_folder(root: int, path: str, owner: tuple[int, int] | None = None, *, same_mount: bool = False) -> int:
    """Open (O_PATH) the folder `path` below the folder `root`, made with its parents if it is missing.

    New ones are `owner`'s (uid, gid), and anybody may look into them. Raises OSError.
    """
    for above in _parents(path):
        try:
            os.close(open_in_root(root, above, os.O_PATH | os.O_DIRECTORY, same_mount=same_mount))
        except FileNotFoundError:
            _make_one(root, above, owner, same_mount)
    return open_in_root(root, path or "/", os.O_PATH | os.O_DIRECTORY, same_mount=same_mount)


def make_file(root: int, path: str, owner: tuple[int, int] | None = None, *, same_mount: bool = False) -> int:
    """Open (O_PATH) the file `path` below the folder `root`, made empty if it is missing, as make_folder would."""
    folder = make_folder(root, posixpath.dirname(path), owner, same_mount=same_mount)
    try:
        with suppress(FileExistsError):
            made = os.open(posixpath.basename(path), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
            if owner:
                os.fchown(made, *owner)
            os.close(made)
    finally:
        os.close(folder)
    return open_in_root(root, path, os.O_PATH, same_mount=same_mount)


def _parents(path: str) -> list[str]:
    """`/a/b/c` -> `/a`, `/a/b`, `/a/b/c`."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    return ["/" + "/".join(names[: count + 1]) for count in range(len(names))]


def _mkdir(name: str, parent: int, owner: tuple[int, int] | None) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except OSError as error:
        if error.errno != errno.EOVERFLOW or not owner:
            raise
        with acting_as(*owner):  # in a mount with mapped owners there is no root of ours
            os.mkdir(name, 0o755, dir_fd=parent)


def _make_one(root: int, path: str, owner: tuple[int, int] | None, same_mount: bool) -> None:
    parent = open_in_root(root, posixpath.dirname(path), os.O_PATH | os.O_DIRECTORY, same_mount=same_mount)
    name = posixpath.basename(path)
    try:
        with suppress(FileExistsError):
            _mkdir(name, parent, owner)
        if owner:
            made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            os.fchown(made, *owner)
            os.close(made)
    finally:
        os.close(parent)
