"""What the API port speaks. The first bytes of a connection decide:

- HTTP/2's preface, or TLS: somebody who speaks gRPC. Browsers speak HTTP/2 over TLS only, and do not trust a
  certificate that we made ourselves; so what the guard of the HTTP side is for cannot come this way.
- CONNECT to a name of the API's own: a tunnel to this very port, in which the same is decided anew. gcloud takes that
  way for gRPC. A tunnel to any other name is refused.
- Anything else is HTTP/1.1, which is uvicorn's.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from homerun.model.environment import API_DOMAIN

TLS = b"\x16\x03"
"""How a connection begins that speaks TLS: a handshake record."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a connection begins that speaks HTTP/2 without asking first (RFC 9113, 3.4)."""
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
NO_TUNNELS = (
    "homerun's API port is an HTTP proxy for its own names only: it opens no tunnels (CONNECT). "
    "Unset https_proxy, or list the other hosts in no_proxy."
)
_CONNECT, _END = b"CONNECT ", b"\r\n\r\n"
_CONNECT_LIMIT = 8192

Take = Callable[[asyncio.Transport, bytes], None]
"""Takes over a connection, not being read from, and what it has said."""


class Speaks(enum.Enum):
    HTTP1 = "HTTP/1.1"
    GRPC = "gRPC"
    CONNECT = "CONNECT"


def speaks(said: bytes) -> Speaks | None:
    """None: these bytes do not tell yet."""
    if said.startswith((PREFACE, TLS)):
        return Speaks.GRPC
    if said.startswith(_CONNECT):
        return Speaks.CONNECT if _END in said or len(said) > _CONNECT_LIMIT else None
    return None if any(start.startswith(said) for start in (PREFACE, TLS, _CONNECT)) else Speaks.HTTP1


class ApiProtocol(HttpToolsProtocol):
    """`http2` takes the connections that speak it, or TLS."""

    def __init__(self, *args: Any, http2: Take, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http2 = http2
        self._said: bytes | None = b""
        """While it is open what this connection speaks."""
        self._tunnel = False

    def data_received(self, data: bytes) -> None:
        if self._said is None:
            super().data_received(data)
            return
        said = self._said + data
        match speaks(said):
            case None:
                self._said = said
            case Speaks.GRPC:
                self.connections.discard(self)
                self.transport.pause_reading()
                self._http2(self.transport, said)
            case Speaks.CONNECT:
                self._said = None
                self._open_tunnel(said)
            case Speaks.HTTP1:
                self._said = None
                super().data_received(said)

    def _open_tunnel(self, connect: bytes) -> None:
        """To this port itself, and not inside another one."""
        head, end, rest = connect.partition(_END)
        if self._tunnel or not end or not _is_ours(head.split(b" ", 2)[1].decode("latin-1")):
            self.send_400_response(NO_TUNNELS)
            return
        self._tunnel, self._said = True, b""
        self.transport.write(CONNECTED)
        if rest:
            self.data_received(rest)

    def send_400_response(self, msg: str) -> None:
        """A CONNECT in the middle of HTTP/1.1 never reaches the application: its target is no path."""
        super().send_400_response(NO_TUNNELS if self.parser.get_method() == b"CONNECT" else msg)


def _is_ours(target: str) -> bool:
    """`HOST:PORT`, a name that stands for this API."""
    return f".{target.rpartition(':')[0]}".endswith(f".{API_DOMAIN}")
