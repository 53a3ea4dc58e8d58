"""Buckets: a folder for each, and in it an object is a plain file, as containers that mount the bucket see it.

Whoever runs in a container may write there, whatever its user: a bucket has no owners inside. An access control list
says so for what is made later, too, where the file system has them.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from homerun.lib.errors import AlreadyExists, FailedPrecondition, NotFound

_EVERYBODY = 0o777
_ACL_VERSION, _NO_ID = 2, 0xFFFFFFFF
_USER, _GROUP, _OTHERS = 1, 4, 0x20
_ALL = 7


class BucketFolders:
    """All methods block. Names are good ones (model.volume_rules.BUCKET)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir())
        return []

    def path(self, name: str) -> Path:
        return self._folder / name

    def create(self, name: str) -> None:
        """Raises AlreadyExists."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder = self.path(name)
        try:
            folder.mkdir()
        except FileExistsError:
            raise AlreadyExists(f"bucket {name} exists already") from None
        folder.chmod(_EVERYBODY)
        with suppress(OSError):
            os.setxattr(folder, "system.posix_acl_default", _everybody())

    def delete(self, name: str) -> None:
        """Raises NotFound, and FailedPrecondition for one that has something in it."""
        try:
            self.path(name).rmdir()
        except FileNotFoundError:
            raise NotFound(f"there is no bucket {name}") from None
        except OSError:
            raise FailedPrecondition(f"bucket {name} is not empty: remove what is in {self.path(name)} first") from None


def _everybody() -> bytes:
    """Whatever is made in the folder may be read and written by all, whatever the umask of who makes it (acl(5))."""
    entries = [struct.pack("<HHI", tag, _ALL, _NO_ID) for tag in (_USER, _GROUP, _OTHERS)]
    return struct.pack("<I", _ACL_VERSION) + b"".join(entries)
