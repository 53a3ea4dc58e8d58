"""How long an idle instance is kept: as long as it pays.

To keep one costs its idle seconds, to be without one costs a cold start, and `longest` is the price that the user puts
on that: so many idle seconds. While little is known, an instance is kept for that long, which never costs more than
twice what would have been best. Once pauses have been seen, it is kept for the time that would have been cheapest over
the last of them: who is called every four minutes keeps an instance, who is called every hour does not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import accumulate

ENOUGH = 5
REMEMBERED = 100
SHORTEST = 10.0
"""Pauses that are shorter say nothing: nobody stops an instance so soon."""
LEAST = 65.0
"""An instance is kept at least so long, so that who is called every minute keeps it; unless many pauses have shown that
it is in vain."""
MANY = 30
SPARE = 10.0
MARGIN = 1.25
"""Pauses of one kind are not all of the same length."""


class Patience:
    """In seconds, all of it."""

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self._pauses: deque[float] = deque(maxlen=REMEMBERED)
        self._best: float | None = longest

    def __repr__(self) -> str:
        return f"<Patience {self.seconds:g}s after {len(self._pauses)} pauses>"

    @property
    def learned(self) -> bool:
        return len(self._pauses) >= ENOUGH

    @property
    def seconds(self) -> float:
        """How long an instance may be idle."""
        if self._best is None:
            self._best = min(_cheapest(sorted(self._pauses), self.longest), self.longest)
        return self._best

    def spare(self, wait: float) -> float:
        """How long an instance may be idle beside others: who finds no slot waits for one of theirs, and not for a
        start. `wait`: how long that takes, as a part of a start, at most 1."""
        return min(max(self.longest / SPARE, LEAST * wait), self.seconds)

    @property
    def why(self) -> str:
        """For people."""
        if not self.learned:
            return f"{self.seconds:g} s idle"
        ended = sum(pause <= self.seconds for pause in self._pauses)
        return f"{self.seconds:.0f} s idle, in which {ended} of the last {len(self._pauses)} pauses ended"

    def record(self, pause: float) -> None:
        """An instance was needed again after it had been idle for so long, or would have been."""
        if pause >= SHORTEST:
            self._pauses.append(pause)
            if self.learned:
                self._best = None


def _cheapest(pauses: list[float], price: float) -> float:
    """`pauses` in order. Each costs its own length if it ends in time, else what was waited plus a start's price."""
    sums = [0.0, *accumulate(pauses)]

    def cost(kept: float) -> float:
        ended = bisect_right(pauses, kept)
        return sums[ended] + (len(pauses) - ended) * (kept + price)

    longer = {min(pause * MARGIN, price) for pause in pauses if LEAST < pause <= price}
    best = min([LEAST, *sorted(longer)], key=cost)
    if best > LEAST or len(pauses) < MANY:
        return best
    return min(max((pause for pause in pauses if pause <= LEAST), default=SHORTEST) * 2, LEAST)
