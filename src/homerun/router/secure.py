"""A client's connection over TLS: it is what it is without, but where requests come from says https."""

from __future__ import annotations

import asyncio

from homerun.router.protocol import ClientConnection


class SecureConnection(ClientConnection):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.origin = self._router.secure_origin(self.origin.ip)

    def eof_received(self) -> bool:
        super().eof_received()
        return False  # TLS as it is spoken here ends in both directions at once
