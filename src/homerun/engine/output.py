"""The port through which the output of instances is moved elsewhere, line by line, each exactly once.

Whoever moves it keeps, durably and together with the lines, the position behind the last one that was taken. Nothing
else is remembered: to read from the same position again is to get the same lines again, whatever was killed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class OutputLine(NamedTuple):
    """`time`: wall clock, seconds. `position`: behind it."""

    time: float
    stream: str
    text: str
    position: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a container wrote behind a position. `container`: its name, if it is one of several.

    `lost`: lines before these that were not kept, because they were written faster than anybody could read; they end at
    `start`. `more`: look again at once, for there are further lines, or it can be thrown away when these are taken.
    `held`: there is the beginning of a line, to be looked at again in a moment. `ended`: there will never be more.
    """

    instance: str
    labels: Mapping[str, str]
    container: str = ""
    start: str = ""
    lines: Sequence[OutputLine] = field(default=())
    lost: int = 0
    more: bool = False
    held: bool = False
    ended: bool = False


class OutputSource(Protocol):
    """Each container's output has a key of its own."""

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, on the event loop, as soon as there may be something new."""
        ...

    def changed(self) -> set[str]:
        """Keys with something new, perhaps, since the last call; the first time all of which there is output."""
        ...

    def read(self, key: str, position: str, now: float) -> Output | None:
        """Blocks. `position`: of an OutputLine, or empty: from the beginning. None: there is nothing of it, and never
        will be."""
        ...

    def settled(self, key: str, position: str) -> None:
        """Blocks. What is before `position` is safe elsewhere: its room may be used again."""
        ...
