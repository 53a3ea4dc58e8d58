"""The wall clock of a virtual loop: it stands still while code runs and jumps when everybody sleeps (looptime)."""

from __future__ import annotations

import asyncio

EPOCH = 1_700_000_000.0


class LoopClock:
    def now(self) -> float:
        return EPOCH + self.mono()

    def mono(self) -> float:
        return asyncio.get_running_loop().time()
