"""How long to wait after the n-th failure in a row."""

from __future__ import annotations


def delay(failures: int, *, first: float = 1.0, factor: float = 2.0, most: float = 60.0) -> float:
    """Seconds: 0 without failures, then `first`, doubling up to `most`."""
    if failures <= 0:
        return 0.0
    # The exponent is bounded: 2.0 ** 5000 overflows.
    return min(most, first * factor ** min(failures - 1, 64))
