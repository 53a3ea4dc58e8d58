"""Long work in the event loop, a piece at a time: others get their turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def in_pieces(function: Callable[[S], T], items: Sequence[S], at_once: int) -> list[T]:
    """`function` of each item, `at_once` of them in one turn of the loop."""
    made: list[T] = []
    for start in range(0, len(items), at_once):
        made += map(function, items[start : start + at_once])
        await asyncio.sleep(0)
    return made
