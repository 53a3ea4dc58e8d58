"""Whole things shared out by percent: the largest remainder gets what is left over."""

from __future__ import annotations

from collections.abc import Mapping


def split(total: int, percents: Mapping[str, int]) -> dict[str, int]:
    """`total` over the keys of `percents`, each within one of its exact share; of equal remainders the first wins.

    All of it is shared out when the percents sum to 100, and nothing when there are none.
    """
    exact = {key: total * percent for key, percent in percents.items()}
    shares = {key: value // 100 for key, value in exact.items()}
    left = sum(exact.values()) // 100 - sum(shares.values())
    for key in sorted(exact, key=lambda key: -(exact[key] % 100))[:left]:
        shares[key] += 1
    return shares
