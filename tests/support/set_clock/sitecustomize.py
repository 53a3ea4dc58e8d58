"""With this folder in PYTHONPATH, time.time() is off by as many seconds as the file $CLOCK_OFFSET says: a process whose
wall clock is set again and again, on a machine whose clock nobody touches. The monotonic clock is left alone, as the
kernel leaves it alone."""

from __future__ import annotations

import os
import time

_LOOK_EVERY = 0.02
_file = os.environ.get("CLOCK_OFFSET", "")
_real = time.time
_looked = 0.0
_offset = 0.0


def _now() -> float:
    global _looked, _offset
    if time.monotonic() - _looked > _LOOK_EVERY:
        _looked = time.monotonic()
        try:
            with open(_file) as file:
                _offset = float(file.read() or 0)
        except (OSError, ValueError):
            pass
    return _real() + _offset


if _file:
    time.time = _now
