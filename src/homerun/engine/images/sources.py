"""A gzipped tar of a source folder, unpacked so that nothing in it can lead out of the folder, or fill the disk.

tarfile's own filters would do, but Python 3.11.2, which Debian 12 has, lacks them.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

from homerun.lib.errors import Invalid

MAX_SIZE = 8 << 30
MAX_FILES = 200_000


def unpack(archive: BinaryIO, target: Path, *, max_size: int = MAX_SIZE) -> None:
    """Files, folders and links only; owners are ours. Raises Invalid, with the name of what is wrong."""
    root = target.resolve()
    size = 0
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            for count, member in enumerate(tar):
                size += member.size
                if size > max_size or count >= MAX_FILES:
                    raise _wrong(member.name, f"the sources are over {max_size} bytes or {MAX_FILES} files")
                _place(tar, member, root)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Invalid.field("body", f"is no gzipped tar archive of a source folder: {error}") from error


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    name = _inside(member.name, member.name)
    if name == ".":
        return
    path = root / name
    if path.parent.resolve() != path.parent:  # before any folder is made: links to links may lead out after all
        raise _wrong(member.name, "is below a link")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if member.isdir():
        path.mkdir(mode=0o755, exist_ok=True)
        return
    path.unlink(missing_ok=True)
    if member.isfile():
        _write(tar, member, path)
    elif member.issym():
        _inside(posixpath.join(posixpath.dirname(name), member.linkname), member.name)
        path.symlink_to(member.linkname)
    elif member.islnk():
        _link(root / _inside(member.linkname, member.name), path, root, member.name)
    else:
        raise _wrong(member.name, "is no file, folder or link")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None
    # O_EXCL does not follow a link, not even a dangling one.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
    path.chmod((member.mode & 0o755) | 0o600)


def _link(source: Path, path: Path, root: Path, name: str) -> None:
    if source.is_symlink() or not source.is_file() or not source.resolve().is_relative_to(root):
        raise _wrong(name, "is a hard link to what is not a file of this archive")
    os.link(source, path)


def _inside(name: str, shown: str) -> str:
    """The path without `.` and `..`. Raises Invalid when it leaves the folder."""
    normal = posixpath.normpath(name)
    if normal.startswith(("/", "../")) or normal == ".." or "\0" in name:
        raise _wrong(shown, "leads out of the source folder")
    return normal


def _wrong(name: str, why: str) -> Invalid:
    return Invalid.field("body", f"{name}: {why}")
