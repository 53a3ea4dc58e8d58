"""What the API port speaks: HTTP/1.1 is uvicorn's, HTTP/2 goes to whoever speaks gRPC. The first bytes decide.

Browsers speak HTTP/2 over TLS only, so what the guard of the HTTP side is for cannot come this way.
A CONNECT never reaches the application: its target is no path, so uvicorn refuses it with a bare 400.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a connection begins that speaks HTTP/2 without asking first (RFC 9113, 3.4)."""
NO_TUNNELS = (
    "homerun's API port is an HTTP proxy for its own names only: it opens no tunnels (CONNECT). "
    "Unset https_proxy, or list the other hosts in no_proxy."
)

Take = Callable[[asyncio.Transport, bytes], None]
"""Takes over a connection, not being read from, and what it has said."""


class ApiProtocol(HttpToolsProtocol):
    """`http2` takes the connections that speak it."""

    def __init__(self, *args: Any, http2: Take, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http2 = http2
        self._said: bytes | None = b""
        """While it is open what this connection speaks."""

    def data_received(self, data: bytes) -> None:
        if self._said is not None:
            data = self._said + data
            if PREFACE.startswith(data[: len(PREFACE)]):
                self._said = data
                if len(data) >= len(PREFACE):
                    self.connections.discard(self)
                    self.transport.pause_reading()
                    self._http2(self.transport, data)
                return
            self._said = None
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(NO_TUNNELS if self.parser.get_method() == b"CONNECT" else msg)
