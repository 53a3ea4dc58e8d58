"""Ends an import that would fill the disk: a small archive can unpack to any size.

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
from homerun.engine.images.manifest import Flaw

PERIOD = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    max_unpacked: int = 20 << 30
    """Bytes that the new layers of one image may take on disk."""
    min_free: int = 512 << 20
    """Bytes that stay free on the disk, whatever is imported."""


def free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def check_room(folder: Path, limits: Limits) -> None:
    left = free(folder)
    if left < limits.min_free:
        raise EngineUnavailable(
            f"The disk of {folder} has {left >> 20} MiB left and {limits.min_free >> 20} MiB must stay free. "
            "Free some space, or put the state folder on a larger disk"
        )


async def watch(folder: Path, limits: Limits, measure: Callable[[], int]) -> None:
    """Returns never; raises once a limit is passed. `measure` runs in a thread."""
    before = free(folder)
    while True:
        await asyncio.sleep(PERIOD)
        check_room(folder, limits)
        if before - free(folder) > limits.max_unpacked:
            check_size(await asyncio.to_thread(measure), limits)


def check_size(size: int, limits: Limits) -> None:
    if size > limits.max_unpacked:
        raise Flaw(f"it unpacks to more than {limits.max_unpacked >> 20} MiB, which is the limit. Make it smaller")
