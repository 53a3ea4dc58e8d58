"""The latest documents in version order, in memory: what a watch that has caught up reads instead of the disk.

A document that changed again stays in the list as a stale entry, is skipped when read, and swept out now and then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from operator import attrgetter

from homerun.store.base import Document

_version = attrgetter("version")


class ChangeLog:
    """`keep`: how many documents to hold; None: all of them. `floor`: changes up to this version are not here."""

    def __init__(self, keep: int | None = None, floor: int = 0) -> None:
        self.floor = floor
        self._keep = keep
        self._changes: list[Document] = []
        self._latest: dict[tuple[str, str], int] = {}

    def extend(self, documents: Iterable[Document]) -> None:
        """`documents` are newer than all that are here."""
        for document in documents:
            self._changes.append(document)
            self._latest[document.kind, document.name] = document.version
        if len(self._changes) > 2 * min(len(self._latest), self._keep or len(self._latest)) + 100:
            self._sweep()

    def after(self, since: int, limit: int, kinds: Collection[str] | None) -> Sequence[Document]:
        """Documents changed after `since`, which is not below `floor`, each in its latest state."""
        start = bisect_right(self._changes, since, key=_version)
        wanted = (
            document
            for document in islice(self._changes, start, None)
            if (kinds is None or document.kind in kinds) and self._is_latest(document)
        )
        return list(islice(wanted, limit))

    def _is_latest(self, document: Document) -> bool:
        return self._latest.get((document.kind, document.name)) == document.version

    def _sweep(self) -> None:
        self._changes = [document for document in self._changes if self._is_latest(document)]
        if self._keep is not None and len(self._changes) > self._keep:
            dropped, self._changes = self._changes[: -self._keep], self._changes[-self._keep :]
            self.floor = dropped[-1].version
            for document in dropped:
                del self._latest[document.kind, document.name]
