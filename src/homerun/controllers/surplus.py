"""Revisions that are one too many: of a thousand that nothing leads to, the oldest go (contract §3).

A revision's name does not tell its age, so the names of an owner with too many are kept here in order, and all of its
revisions are read only once in about a thousand deployments.
"""

from __future__ import annotations

from collections.abc import Collection

from homerun.model import limits
from homerun.store.base import Store


class Surplus:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_age: dict[str, list[str]] = {}
        """By owner. The newest may be missing: they are not due."""

    async def of(self, owner: str, kept: Collection[str]) -> list[str]:
        """So many of the oldest, but none of `kept`, that there is room for one more."""
        excess = await self._store.count("Revision", prefix=f"{owner}/revisions/") + 1 - limits.REVISIONS
        if excess <= 0:
            return []
        found = await self._oldest(owner, kept, excess)
        if len(found) < excess:
            self._by_age[owner] = await self.all(owner)
            found = await self._oldest(owner, kept, excess)
        return found

    async def all(self, owner: str) -> list[str]:
        """Oldest first."""
        revisions = await self._store.list("Revision", prefix=f"{owner}/revisions/")
        return [name for _, name in sorted((r.internal["ordinal"], r.name) for r in revisions)]

    def forget(self, owner: str) -> None:
        """It is gone."""
        self._by_age.pop(owner, None)

    async def _oldest(self, owner: str, kept: Collection[str], number: int) -> list[str]:
        """Among those whose age is known."""
        found: list[str] = []
        gone: set[str] = set()
        for name in self._by_age.get(owner, ()):
            if len(found) == number:
                break
            if name in kept:
                continue
            if await self._store.get("Revision", name) is None:
                gone.add(name)
            else:
                found.append(name)
        if gone:
            self._by_age[owner] = [name for name in self._by_age[owner] if name not in gone]
        return found
