"""Ends an import that would fill the disk: a small archive can unpack to any size, and to any number of files.

Looking at the free space of the file system costs nothing; only when much of it went, the new layers are measured, to
know whether it was this import.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.base import EngineUnavailable
from homerun.engine.images.graph import Size
from homerun.engine.images.manifest import Flaw

PERIOD = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    max_unpacked: int = 20 << 30
    """Bytes that the new layers of one image may take on disk."""
    min_free: int = 512 << 20
    """Bytes that stay free on the disk, whatever is imported."""
    max_files: int = 2_000_000
    """Files and folders that the new layers of one image may be."""
    min_free_files: int = 10_000
    """As many more can be made on the disk, whatever is imported."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a disk has left. `files`: None where it makes room for them as they come (btrfs)."""

    bytes: int
    files: int | None


def free(folder: Path) -> Room:
    status = os.statvfs(folder)
    return Room(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None)


def check_room(folder: Path, limits: Limits) -> Room:
    """What is left, if that is enough."""
    left = free(folder)
    if left.bytes < limits.min_free:
        raise EngineUnavailable(
            f"The disk of {folder} has {left.bytes >> 20} MiB left and {limits.min_free >> 20} MiB must stay free. "
            "Free some space, or put the state folder on a larger disk"
        )
    if left.files is not None and left.files < limits.min_free_files:
        raise EngineUnavailable(
            f"The disk of {folder} has room for {left.files} more files and for {limits.min_free_files} it must have. "
            "Remove some, or put the state folder on another disk"
        )
    return left


async def watch(folder: Path, limits: Limits, measure: Callable[[], Size]) -> None:
    """Returns never; raises once a limit is passed. `measure` runs in a thread."""
    before = free(folder)
    while True:
        await asyncio.sleep(PERIOD)
        left = check_room(folder, limits)
        files = before.files - left.files if before.files is not None and left.files is not None else 0
        if before.bytes - left.bytes > limits.max_unpacked or files > limits.max_files:
            check_size(await asyncio.to_thread(measure), limits)


def check_size(size: Size, limits: Limits) -> None:
    if size.bytes > limits.max_unpacked:
        raise Flaw(f"it unpacks to more than {limits.max_unpacked >> 20} MiB, which is the limit. Make it smaller")
    if size.files > limits.max_files:
        raise Flaw(f"it unpacks to more than {limits.max_files} files, which is the limit. Leave some out")
