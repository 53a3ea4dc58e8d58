"""How often something may happen: so many times at once, and so many times a second in the long run."""

from __future__ import annotations

from collections.abc import Callable

from homerun.lib.http2.codes import Code, ConnectionFault


class Budget:
    __slots__ = ("_burst", "_left", "_now", "_rate", "_since")

    def __init__(self, burst: int, rate: float, now: Callable[[], float]) -> None:
        self._burst, self._rate, self._now = burst, rate, now
        self._left: float = burst
        self._since = now()

    def earn(self) -> None:
        """Something useful has happened, which makes up for one time."""
        if self._left < self._burst:
            self._left += 1

    def spend(self, what: str) -> None:
        """Raises ConnectionFault when nothing is left. The clock is only asked then."""
        self._left -= 1
        if self._left < 0:
            now = self._now()
            self._left = min(self._burst, self._left + 1 + (now - self._since) * self._rate) - 1
            self._since = now
            if self._left < 0:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"too much of it: {what}")
