"""A lock on a file that the kernel lets go of when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import time

_PAUSE = 0.005


def attempt(file: int, kind: int) -> bool:
    """Lock the open `file` (`fcntl.LOCK_EX` or `LOCK_SH`) without waiting; False when another's lock forbids it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(file: int, tries: int = 200) -> bool:
    """Lock the open `file` for this process alone; False when another holds it at each of `tries`, 5 ms apart.

    A program that was being started when the holder was killed has the holder's descriptors until its exec, and with
    them the lock: what was killed and is started again at once would otherwise find itself locked out by its past.
    """
    for number in range(tries):
        if number:
            time.sleep(_PAUSE)
        if attempt(file, fcntl.LOCK_EX):
            return True
    return False
