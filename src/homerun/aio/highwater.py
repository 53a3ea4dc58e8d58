"""A number that only rises, and tasks that sleep until it has risen past what they have seen.

This is all the notification that a watch needs: it carries no data, so nobody's slowness costs anybody memory, and
however often the number rose in between, a waiter wakes once.
"""

from __future__ import annotations

import asyncio


class HighWater:
    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.closed = False
        self._waiters: dict[asyncio.Future[None], None] = {}
        """In the order in which they came, which is that in which they wake."""

    def rise(self, value: int) -> None:
        """A lower or equal `value` is no news and wakes nobody."""
        if value > self.value:
            self.value = value
            self._wake()

    async def beyond(self, value: int) -> bool:
        """Return True once the number is greater than `value`, False as soon as it is closed."""
        while self.value <= value and not self.closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters[waiter] = None
            try:
                await waiter
            finally:
                del self._waiters[waiter]
        return not self.closed

    def close(self) -> None:
        """Wake everybody for good: nobody waits from here on."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __repr__(self) -> str:
        return f"<HighWater {self.value}, {len(self._waiters)} waiting{', closed' if self.closed else ''}>"
