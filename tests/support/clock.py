"""The wall clock of a virtual loop: it stands still while code runs and jumps when everybody sleeps (looptime)."""

from __future__ import annotations

import asyncio

EPOCH = 1_700_000_000.0


class LoopClock:
    """`ahead`: seconds by which the wall clock was set."""

    ahead = 0.0

    def now(self) -> float:
        return EPOCH + self.ahead + self.mono()

    def mono(self) -> float:
        return asyncio.get_running_loop().time()
