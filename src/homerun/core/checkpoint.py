"""Which revisions are worth a checkpoint: those whose programs take long to come up. One is made after the other, as
each takes a whole start.

    checkpoints.started(revision, boot)      # an instance became ready; its programs took `boot` seconds
    if revision := checkpoints.next(): ...   # then `made` or `failed`
"""

from __future__ import annotations

SLOW = 1.0
"""Seconds from the start of the programs until they are well: what comes up sooner has little to gain."""
ATTEMPTS = 2
"""So many of a revision may be lost: nothing could be started from them."""


class Checkpoints:
    def __init__(self) -> None:
        self._making = ""
        self._wanted: dict[str, None] = {}
        self._made: set[str] = set()
        self._lost: dict[str, int] = {}
        self._hopeless: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Checkpoints of {len(self._made)} revisions>"

    def has(self, revision: str) -> bool:
        return revision in self._made

    def concerns(self, revision: str) -> bool:
        """It has one, or will."""
        return revision in self._made or revision in self._wanted or revision == self._making

    def why_not(self, revision: str) -> str:
        """Why it has none and will not get one; empty if that is not so."""
        return self._hopeless.get(revision, "")

    def started(self, revision: str, boot: float) -> None:
        """From nothing, or from a standby."""
        if revision in self._made:
            self._made.discard(revision)
            self._lost[revision] = self._lost.get(revision, 0) + 1
            if self._lost[revision] >= ATTEMPTS:
                self._hopeless[revision] = "no instance could go on from it"
        if boot >= SLOW and revision != self._making and revision not in self._hopeless:
            self._wanted[revision] = None

    def restored(self, revision: str) -> None:
        """An instance of it went on from one, which may be of an earlier run."""
        self._made.add(revision)

    def next(self) -> str:
        """The revision that is to get one now; empty: none."""
        if self._making or not self._wanted:
            return ""
        self._making = next(iter(self._wanted))
        del self._wanted[self._making]
        return self._making

    def made(self, revision: str) -> None:
        self._making = ""
        self._made.add(revision)

    def failed(self, revision: str, why: str) -> None:
        """It cannot be made: not tried again."""
        self._making = ""
        self._hopeless[revision] = why

    def gone(self, revision: str) -> bool:
        """The revision is, or nothing leads to it; whether it may have had one."""
        self._wanted.pop(revision, None)
        self._lost.pop(revision, None)
        self._hopeless.pop(revision, None)
        had = revision in self._made or revision == self._making
        self._made.discard(revision)
        return had
