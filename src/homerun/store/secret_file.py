"""A small secret in a file of its own: made once, for root only, and there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is in `path`; when there is no such file, `make` it, durable and with mode 0600 before this returns.

    Blocks; raises OSError. Of several who make it at the same time one wins, and all get what that one made.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # somebody was faster
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return path.read_bytes()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
