"""Payloads of secrets as files: one each, sealed, mode 0600, written whole, and written over before they are unlinked.

Files and not rows of the database, because SQLite leaves copies of what it moves or deletes in free pages and in its
WAL; a file can be written over (docs/decisions/0013-secrets.md says what that is worth).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from homerun.lib import ids
from homerun.lib.errors import Internal, Unavailable
from homerun.store.secret_file import replace, sync_folder
from homerun.store.vault import Cipher, lost

_log = logging.getLogger("homerun.store")


class FileVault:
    """`folder` is made when there is something to put into it."""

    def __init__(self, folder: Path, cipher: Cipher) -> None:
        self._folder, self._cipher = folder, cipher

    def __repr__(self) -> str:
        return f"<FileVault {self._folder}>"

    async def open(self, kept: Mapping[str, str]) -> None:
        await asyncio.to_thread(self._open, dict(kept))

    async def put(self, payload: bytes, context: str) -> str:
        id = ids.uid()
        await asyncio.to_thread(self._write, id, payload, context)
        return id

    async def get(self, id: str, context: str) -> bytes:
        return await asyncio.to_thread(self._read, id, context)

    async def destroy(self, *ids: str) -> None:
        if ids:
            await asyncio.to_thread(self._destroy, [self._path(id) for id in ids])

    def _open(self, kept: Mapping[str, str]) -> None:
        found = sorted(self._folder.iterdir()) if self._folder.exists() else []
        # Every key is looked at before anything is changed: with the wrong file of keys, nothing is.
        known = [path for path in found if path.name in kept]
        old = [path.name for path in known if not self._cipher.current(path.read_bytes())]
        self._destroy([path for path in found if path.name not in kept])
        for id in old:
            # The copy under the old key is written over as well.
            before = self._path(id).open("r+b", buffering=0)
            with before:
                self._write(id, self._read(id, kept[id]), kept[id])
                _write_over(before.fileno())
        if old:
            _log.info("%d payloads of secrets are sealed with the new key now: the old ones can go", len(old))
        for id in kept.keys() - {path.name for path in known}:
            _log.error("%s", lost(kept[id]))

    def _write(self, id: str, payload: bytes, context: str) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            replace(self._path(id), self._cipher.seal(payload, context))
        except OSError as error:
            raise Unavailable(
                f"cannot write to {self._folder} ({error.strerror}): free some space, or repair its disk, then retry"
            ) from error

    def _read(self, id: str, context: str) -> bytes:
        try:
            sealed = self._path(id).read_bytes()
        except FileNotFoundError:
            raise Internal(lost(context)) from None
        return self._cipher.open(sealed, context)

    def _destroy(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # destroyed before
            try:
                _write_over(fd)
            finally:
                os.close(fd)
            path.unlink(missing_ok=True)
        if paths:
            sync_folder(self._folder)

    def _path(self, id: str) -> Path:
        return self._folder / id


def _write_over(fd: int) -> None:
    """In place: the blocks that held it."""
    os.pwrite(fd, bytes(os.fstat(fd).st_size), 0)
    os.fsync(fd)
