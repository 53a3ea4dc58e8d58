"""What was over the last so many seconds: the time-weighted average of it, or the most."""

from __future__ import annotations

from collections import deque


class Window:
    """Averages samples that each stand for a span of time; what lies before the first sample counts as zero.

    Counting the unknown past as zero is what makes a burst of a second not look like a minute of load: only on-demand
    starts answer bursts, the window answers what lasts (contract §2.1).
    """

    def __init__(self, length: float) -> None:
        self._length = length
        self._spans: deque[tuple[float, float, float]] = deque()
        self._last = float("-inf")

    def __repr__(self) -> str:
        return f"<Window {self._length:g}s, {len(self._spans)} samples>"

    def record(self, value: float, now: float, span: float = 1.0) -> None:
        """`value` was the average over the `span` seconds that end at `now`."""
        start = max(now - span, self._last)
        if start < now:
            self._spans.append((start, now, value))
            self._last = now
        self._trim(now)

    def average(self, now: float) -> float:
        self._trim(now)
        begin = now - self._length
        return sum((end - max(start, begin)) * value for start, end, value in self._spans) / self._length

    def _trim(self, now: float) -> None:
        begin = now - self._length
        while self._spans and self._spans[0][1] <= begin:
            self._spans.popleft()


class Peak:
    """The largest of the values that were recorded over the last `length` seconds; 0 when there were none."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._falling: deque[tuple[float, int]] = deque()
        """Those that nothing later exceeds, oldest and largest first."""

    def __repr__(self) -> str:
        return f"<Peak {self._length:g}s, {self._falling[0][1] if self._falling else 0}>"

    def record(self, value: int, now: float) -> None:
        falling = self._falling
        while falling and falling[-1][1] <= value:
            falling.pop()
        falling.append((now, value))

    def most(self, now: float) -> int:
        while self._falling and self._falling[0][0] <= now - self._length:
            self._falling.popleft()
        return self._falling[0][1] if self._falling else 0
