"""Watch -> per-key serial queue -> reconcile. Knows no kind.

A reconciler is asked to look at a key, never told what happened: it loads what is there now. So nothing is lost when
events are merged, repeated or seen after a restart, where everything that exists is looked at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable

from homerun.aio.keyed import KeyedQueue
from homerun.aio.tasks import Supervisor
from homerun.core.backoff import delay
from homerun.lib.errors import HomerunError
from homerun.store.base import Conflict, Document, Store

_log = logging.getLogger("homerun.controllers")


class Loop:
    """`keys` says whose business a changed document is."""

    def __init__(
        self,
        name: str,
        store: Store,
        kinds: Collection[str],
        keys: Callable[[Document], Iterable[str]],
        reconcile: Callable[[str], Awaitable[None]],
    ) -> None:
        self._name, self._store, self._kinds, self._keys, self._reconcile = name, store, kinds, keys, reconcile
        self._queue: KeyedQueue[str] = KeyedQueue(self._work, name=name)

    async def sync(self, documents: Iterable[Document]) -> None:
        """Look at these now, before the watch, and wait until that is done (or has failed and will be repeated)."""
        self.look(documents)
        await self._queue.idle()

    def look(self, documents: Iterable[Document]) -> None:
        """As if these had just changed."""
        for document in documents:
            for key in self._keys(document):
                self._queue.add(key)

    def look_at(self, key: str) -> None:
        """There is news of `key` that the store does not have."""
        self._queue.add(key)

    def start(self, supervisor: Supervisor, *, since: int = 0) -> None:
        """`since`: a version up to which everything was looked at already."""
        supervisor.spawn(self._watch(since), name=f"{self._name} watch")

    async def close(self) -> None:
        await self._queue.close()

    async def _watch(self, since: int) -> None:
        failures = 0
        while True:
            try:
                async for document in self._store.watch(since, kinds=self._kinds):
                    since, failures = document.version, 0
                    self.look([document])
                return
            except HomerunError as error:
                # The disk cannot be read now. Nothing is missed: it goes on where it was.
                failures += 1
                _log.error("%s cannot be watched: %s", self._name, error.message)
                await asyncio.sleep(delay(failures))

    async def _work(self, key: str) -> None:
        try:
            await self._reconcile(key)
        except Conflict as conflict:
            # Somebody was faster: look at what they wrote.
            _log.debug("%s: %s", self._name, conflict.message)
            self._queue.add(key)
