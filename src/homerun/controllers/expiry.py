"""Secrets with an end: deleted, with all that they hold, when their time is over. Nobody can read them from that moment
on, whether they are gone already or not (model/secret.py: expired)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homerun.lib.clock import Clock
from homerun.lib.timestamps import from_rfc3339
from homerun.store.base import Store
from homerun.store.erasing import erase
from homerun.store.vault import Vault

LONGEST = 86400.0
"""Seconds that a timer may take: clocks jump, and event loops do not count centuries."""


class Expiry:
    """`again`: to be called with a secret that should be looked at again."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store, self._vault, self._clock = store, vault, clock
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.again: Callable[[str], None] = lambda secret: None

    async def reconcile(self, key: str) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        secret = await self._store.get("Secret", key)
        if secret is None or "expireTime" not in secret.body:
            return
        left = from_rfc3339(secret.body["expireTime"]) - self._clock.now()
        if left <= 0:
            await erase(self._store, self._vault, secret)
        else:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(min(left, LONGEST), self.again, key)

    def close(self) -> None:
        """Nothing happens from here on."""
        for timer in self._timers.values():
            timer.cancel()
