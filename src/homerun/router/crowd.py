"""More clients than this process may have: those beyond are told so and closed, and those inside notice nothing.

Being told takes a moment too, so of those there is a maximum as well; the rest is cut off without a word.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homerun.router.server import Router


def turn_away(router: Router, transport: asyncio.Transport, words: bytes) -> None:
    """Say `words` on a connection that is not among the router's clients, and have no more to do with it."""
    if len(router.turned_away) > router.options.max_connections >> 3:
        transport.abort()
        return
    transport.set_protocol(TurnedAway(router, transport))
    transport.write(words)
    if transport.can_write_eof():
        # Closing at once would make the client's kernel throw the words away if it has sent something by now.
        transport.write_eof()
    else:
        transport.close()


class TurnedAway(asyncio.Protocol):
    """Hears the client out for a while."""

    def __init__(self, router: Router, transport: asyncio.Transport) -> None:
        self._router, self._transport = router, transport
        self.visit = 0
        router.turned_away.add(self)
        router.wheel.add(self, router.mono() + router.options.linger)

    def connection_lost(self, error: Exception | None) -> None:
        self._router.turned_away.discard(self)
        if self.visit:
            self._router.wheel.remove(self)

    def check(self, now: float) -> float | None:
        """The wheel asks."""
        self.abort()
        return None

    def abort(self) -> None:
        self._transport.abort()
