"""Children that are one too many: the oldest revisions of a service, the oldest executions of a job (contract §3).

A name does not tell an age, so the names of an owner with too many are kept here in order, and all of its children are
read only once in about a thousand that are made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homerun.store.base import Document, Store


class Surplus:
    """`kind` and `collection` of the children; `age` sorts them, oldest first."""

    def __init__(self, store: Store, kind: str, collection: str, age: Callable[[Document], Any]) -> None:
        self._store, self._kind, self._collection, self._age = store, kind, collection, age
        self._by_age: dict[str, list[str]] = {}
        """By owner. The newest may be missing: they are not due."""

    async def oldest(self, owner: str, number: int, may_go: Callable[[Document], bool]) -> list[Document]:
        """`number` of them, or fewer, that `may_go`."""
        if number <= 0:
            return []
        found = await self._known(owner, number, may_go)
        if len(found) < number:
            self._by_age[owner] = await self.all(owner)
            found = await self._known(owner, number, may_go)
        return found

    async def all(self, owner: str) -> list[str]:
        """Names, oldest first."""
        children = await self._store.list(self._kind, prefix=f"{owner}/{self._collection}/")
        return [child.name for child in sorted(children, key=self._age)]

    def forget(self, owner: str) -> None:
        """It is gone."""
        self._by_age.pop(owner, None)

    async def _known(self, owner: str, number: int, may_go: Callable[[Document], bool]) -> list[Document]:
        """Among those whose age is known."""
        found: list[Document] = []
        gone: set[str] = set()
        for name in self._by_age.get(owner, ()):
            if len(found) == number:
                break
            child = await self._store.get(self._kind, name)
            if child is None:
                gone.add(name)
            elif may_go(child):
                found.append(child)
        if gone:
            self._by_age[owner] = [name for name in self._by_age[owner] if name not in gone]
        return found
