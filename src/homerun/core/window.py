"""A time-weighted average over the last so many seconds."""

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
