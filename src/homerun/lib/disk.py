"""What a failing disk means to whoever can do something about it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from homerun.lib.errors import HomerunError, ResourceExhausted, Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """There is no room left, or none that we may use."""
    return error.errno in _FULL


def has_no_room(folder: Path) -> bool:
    """Of whoever failed there without saying why, one can ask."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < 1 << 20


def explain(error: OSError, place: Path) -> HomerunError:
    """`error` came up when something was written in `place`: in words, with the remedy."""
    if is_full(error):
        return ResourceExhausted(f"no space left on the disk of {place}: free some, then try again")
    cause = os.strerror(error.errno) if error.errno else str(error)
    return Unavailable(f"cannot use {error.filename or place} ({cause}): check its disk, then try again")
