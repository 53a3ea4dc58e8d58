"""A small secret in a file of its own: for root only, and there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is in `path`; when there is no such file, `make` it, durable and with mode 0600 before this returns.

    Blocks; raises OSError. Of several who make it at the same time one wins, and all get what that one made.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    with _draft(path, make()) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # somebody was faster
    sync_folder(path.parent)
    return path.read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Write `content` to `path`, durable and with mode 0600: whoever reads gets the old or the new. Blocks."""
    with _draft(path, content) as draft:
        os.replace(draft, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path`, durable, and gone afterwards unless it was moved."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make durable which files are in it. Blocks."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
