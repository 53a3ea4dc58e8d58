"""What bytes meant that came before: heads are the same again and again, and need not be understood each time."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """`known`: what was said, by its bytes. Only what means the same whoever says it may be added; it is remembered if
    it comes twice, as some clients never say the same again."""

    __slots__ = ("_longest", "_most", "_once", "known")

    def __init__(self, most: int = 1024, longest: int = 2048) -> None:
        """`most`: so many are remembered; when they are more all of them are forgotten. `longest`: bytes of one."""
        self._most, self._longest = most, longest
        self.known: dict[bytes, T] = {}
        self._once: set[int] = set()

    def add(self, said: bytes, meaning: T) -> None:
        mark = hash(said)
        if mark in self._once:
            if len(said) <= self._longest:
                if len(self.known) >= self._most:
                    self.known.clear()
                self.known[said] = meaning
        else:
            if len(self._once) >= 4 * self._most:
                self._once.clear()
            self._once.add(mark)

    def __repr__(self) -> str:
        return f"<Memory of {len(self.known)}>"
