"""How fast somebody may go on: as fast as they like for a while, then no faster than their rate (GCRA).

Nobody is refused. Who is too fast waits, and only they do.
"""

from __future__ import annotations

_PRUNE = 1024


class Pace:
    """`burst`: seconds of work that may be taken in advance after a pause that was at least as long."""

    def __init__(self, burst: float) -> None:
        self._burst = burst
        self._due: dict[str, float] = {}

    def wait(self, who: str, cost: float, now: float) -> float:
        """Seconds to wait before something is done that counts as `cost` seconds of their time."""
        rested = now - self._burst
        due = max(self._due.get(who, rested), rested)
        if len(self._due) > _PRUNE:
            self._due = {other: at for other, at in self._due.items() if at > rested}
        self._due[who] = due + cost
        return max(0.0, due - now)

    def __repr__(self) -> str:
        return f"<Pace of {len(self._due)}>"
