"""Session affinity (contract §2.3): a cookie leads a client back to the instance that it was with.

Best effort, as on the real platform: when the instance is gone or full another one gets the request, and the cookie is
set anew. Among revisions that share the traffic and have affinity the session comes before the split. The cookie is a
digest of the instance's id, which nobody can guess: so it says nothing about what runs here, and every router process,
also one that has just started, knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from homerun.router.activator import Activator

if TYPE_CHECKING:
    from homerun.router.exchange import Exchange
    from homerun.router.instance import RemoteInstance

NAME = b"GAESA"
_COOKIE = re.compile(rb"(?:^|;)[ \t]*%b=([0-9a-f]{32})[ \t]*(?:;|$)" % NAME)
_DAYS_30 = 30 * 24 * 3600


class StickyActivator(Activator):
    """Of a revision with affinity."""

    __slots__ = ()

    sticky = True

    def submit(self, exchange: Exchange, now: float) -> None:
        session = exchange.session = _session(exchange.head.lines)
        exchange.plain = False
        instance = self.router.sessions.get(session)
        if instance is None or not self._resume(exchange, instance, now):
            super().submit(exchange, now)

    def _resume(self, exchange: Exchange, instance: RemoteInstance, now: float) -> bool:
        """The request goes to `instance`, if that may be and has a slot for it."""
        activator = instance.activator
        if activator is not self:
            route = self.router.routes.find(exchange.head.host)
            if route is None or activator.name not in route.seats:
                # Of another service, or without traffic now.
                return False
        if not activator.dispatcher.claim(instance, now):
            return False
        activator.wake(now)
        if activator is not self:
            exchange.activator = activator
            exchange.client.allow(exchange, activator.timeout)
        instance.send(exchange, now)
        return True


def token(instance: str) -> bytes:
    return blake2b(instance.encode(), digest_size=16, person=NAME).hexdigest().encode()


def renewal(exchange: Exchange) -> bytes:
    """The line to add to the answer; empty when the client knows where it belongs."""
    instance = exchange.instance
    if instance is None or instance.token == exchange.session:
        return b""
    return b"Set-Cookie: %b=%b; Max-Age=%d; Path=/; HttpOnly\r\n" % (NAME, instance.token, _DAYS_30)


def _session(lines: Sequence[bytes]) -> bytes:
    """From a head's lines (name, ": ", value, CRLF, …)."""
    for at in range(0, len(lines), 4):
        if lines[at].lower() == b"cookie" and (match := _COOKIE.search(lines[at + 2])):
            return match[1]
    return b""
