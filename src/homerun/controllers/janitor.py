"""What is over is forgotten in time: finished operations, and resources that were deleted.

The newest KEEP of each are kept; what was deleted is also forgotten when its expireTime has come. There is no clock
behind this: it is looked after at the start, and whenever EVERY of these have changed, so that idle costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from homerun.controllers.burial import DELETED
from homerun.lib.clock import Clock
from homerun.lib.timestamps import to_rfc3339
from homerun.store.base import Delete, Document, Store
from homerun.store.walk import walk

KINDS = frozenset({"Operation", *DELETED})
KEEP = {"Operation": 5000} | dict.fromkeys(DELETED, 1000)
EVERY = 500
BATCH = 500


class Janitor:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._changes = 0

    def keys(self, document: Document) -> Collection[str]:
        """All kinds, now and then."""
        due = self._changes % EVERY == 0
        self._changes += 1
        return KINDS if due else ()

    async def reconcile(self, kind: str) -> None:
        now = to_rfc3339(self._clock.now())
        if kind == "Operation":
            if await self._store.count(kind) > KEEP[kind]:
                await self._forget(kind, lambda operation: bool(operation.body["done"]))
        else:
            await self._forget(kind, lambda document: True, lambda document: document.body["expireTime"] <= now)

    async def _forget(
        self, kind: str, over: Callable[[Document], bool], expired: Callable[[Document], bool] = lambda document: False
    ) -> None:
        """What has expired, and of what is `over` all but the newest."""
        found: list[tuple[int, str]] = []
        gone: list[str] = []
        async for document in walk(self._store, kind):
            if expired(document):
                gone.append(document.name)
            elif over(document):
                found.append((document.version, document.name))
        found.sort()
        gone += [name for _, name in found[: max(len(found) - KEEP[kind], 0)]]
        for start in range(0, len(gone), BATCH):
            await self._store.apply(*(Delete(kind, name) for name in gone[start : start + BATCH]))
