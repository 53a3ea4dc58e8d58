"""What the API port speaks: HTTP/1.1 is uvicorn's, HTTP/2 and TLS go to whoever speaks gRPC. The first bytes decide.

Browsers speak HTTP/2 over TLS only, so what the guard of the HTTP side is for cannot come this way.
A CONNECT to a name of the API's own begins the connection anew: gcloud takes that way for gRPC. To any other name it is
refused, before it could reach the application: its target is no path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from homerun.model.environment import API_DOMAIN

TLS = b"\x16\x03"
"""How a connection begins that speaks TLS: a handshake record."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a connection begins that speaks HTTP/2 without asking first (RFC 9113, 3.4)."""
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_CONNECT = b"CONNECT "
_CONNECT_LIMIT = 8192
NO_TUNNELS = (
    "homerun's API port is an HTTP proxy for its own names only: it opens no tunnels (CONNECT). "
    "Unset https_proxy, or list the other hosts in no_proxy."
)

Take = Callable[[asyncio.Transport, bytes], None]
"""Takes over a connection, not being read from, and what it has said."""


class ApiProtocol(HttpToolsProtocol):
    """`http2` takes the connections that speak it, or TLS."""

    def __init__(self, *args: Any, http2: Take, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http2 = http2
        self._said: bytes | None = b""
        """While it is open what this connection speaks."""

    def data_received(self, data: bytes) -> None:
        if self._said is not None:
            data = self._said + data
            if any(_begins(data, start) for start in (PREFACE, TLS)):
                self._said = data
                if len(data) >= len(TLS if data[:1] == TLS[:1] else PREFACE):
                    self.connections.discard(self)
                    self.transport.pause_reading()
                    self._http2(self.transport, data)
                return
            if _begins(data, _CONNECT) and b"\r\n\r\n" not in data and len(data) < _CONNECT_LIMIT:
                self._said = data
                return
            if b"\r\n\r\n" in data and _is_our_tunnel(data):
                self._said = b""
                self.transport.write(CONNECTED)
                if rest := data.partition(b"\r\n\r\n")[2]:
                    self.data_received(rest)
                return
            self._said = None
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(NO_TUNNELS if self.parser.get_method() == b"CONNECT" else msg)


def _begins(data: bytes, start: bytes) -> bool:
    """As far as it has come."""
    return start.startswith(data[: len(start)])


def _is_our_tunnel(data: bytes) -> bool:
    """A CONNECT to a name that stands for this API."""
    if not data.startswith(_CONNECT):
        return False
    target = data[len(_CONNECT) :].partition(b" ")[0].decode("latin-1")
    return f".{target.rpartition(':')[0]}".endswith(f".{API_DOMAIN}")
