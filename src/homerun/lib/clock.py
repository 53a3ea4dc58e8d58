"""Where time comes from. Decisions get `now` as an argument; only those who call them hold a Clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall clock, seconds since 1970 UTC: for timestamps that people see."""
        ...

    def mono(self) -> float:
        """Monotonic seconds from an arbitrary start: for durations and deadlines."""
        ...


class SystemClock:
    now = staticmethod(time.time)
    mono = staticmethod(time.monotonic)
