"""TLS between a client's connection and what answers it, which reads and writes as if it were not there.

OpenSSL is handed what came, and hands over what is to be sent, in two buffers in memory. Each connection could have two
of its own, which would stay as large as the largest answer that it ever had; but as both are empty whenever nobody is
at work, all connections of a process share one pair. What is left of an idle connection is OpenSSL's own state: its
keys, and the part of a record that has come.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homerun.router.server import Router

_log = logging.getLogger("homerun.router")

_RECORD = 16 << 10
"""The most that one record holds (RFC 8446 §5.1)."""
_MOST_UNTAKEN = 4 << 20
"""Bytes that wait for a client which makes OpenSSL answer still more (by asking for new keys): it is an attack."""


class Buffers:
    """Between OpenSSL and the sockets: what came (`incoming`), and what is to be sent, both encrypted."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def wrap(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """For one connection, whose server we are."""
        return context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def read(self, connection: ssl.SSLObject) -> tuple[bytes, bool]:
        """What `incoming` means on this connection; and whether the client sends nothing more. `incoming` is empty
        afterwards, whatever happens. Raises SSLError."""
        incoming = self.incoming
        pieces: list[bytes] = []
        try:
            while incoming.pending:
                piece = connection.read(_RECORD)
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass  # OpenSSL has taken the first part of a record
        finally:
            if incoming.pending:
                incoming.read()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), False


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """To the transport of the socket it is the protocol, to the client's protocol the transport."""

    __slots__ = ("_above", "_below", "_buffers", "_closing", "_router", "_shaking", "_timer", "_tls")

    _below: asyncio.Transport

    def __init__(self, router: Router, buffers: Buffers, context: ssl.SSLContext, above: asyncio.Protocol) -> None:
        """`above` hears of the connection when the client has shaken hands."""
        self._router, self._buffers, self._above = router, buffers, above
        self._tls = buffers.wrap(context)
        self._shaking, self._closing = True, False
        self._timer: asyncio.TimerHandle | None = None
        """Of what ends in time: shaking hands, and taking leave."""

    def __repr__(self) -> str:
        state = "shaking hands" if self._shaking else "closing" if self._closing else self._tls.version()
        return f"<TlsTransport {state}>"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = transport  # type: ignore[assignment]
        self._router.shaking.add(self)
        self._timer = self._router.loop.call_later(self._router.options.handshake_timeout, self.abort)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return  # it is only heard out
        buffers, shaking = self._buffers, self._shaking
        buffers.incoming.write(data)
        try:
            if shaking:
                self._tls.do_handshake()
            said, ended = buffers.read(self._tls)
        except ssl.SSLWantReadError:
            self._answer()
            return
        except ssl.SSLError as error:
            _log.debug("TLS with a client failed: %s", error)
            buffers.incoming.read()
            self.close()
            return
        if buffers.outgoing.pending:
            self._answer()
        if shaking:
            self._shaken()
            self._above.connection_made(self)
        if said and not self._closing:
            self._above.data_received(said)
        if ended and not self._closing:
            self._above.eof_received()
            self.close()

    def eof_received(self) -> None:
        if not self._closing and not self._shaking:
            self._above.eof_received()
        self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        if self._shaking:
            self._shaken()
        else:
            self._forget_timer()
            self._above.connection_lost(error)
        self._above = asyncio.Protocol()  # or the two would keep each other

    def pause_writing(self) -> None:
        if not self._shaking:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        if not self._shaking:
            self._above.resume_writing()

    # asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing or not data:
            return
        try:
            sent = self._tls.write(data)
            while sent < len(data):
                sent += self._tls.write(memoryview(data)[sent:])
        except ssl.SSLError as error:
            _log.debug("TLS with a client failed: %s", error)
            self._buffers.outgoing.read()
            self.abort()
            return
        self._below.write(self._buffers.outgoing.read())

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        """Say so when all is written, and hear the client out for a while: to close at once would make its kernel throw
        away what it has not read."""
        if self._closing:
            return
        self._closing = True
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the client has not said so yet
        self._answer()
        if not self._below.is_closing():
            self._below.write_eof()
            if not self._below.is_reading():
                self._below.resume_reading()
            self._forget_timer()
            self._timer = self._router.loop.call_later(self._router.options.linger, self._leave)

    def abort(self) -> None:
        self._closing = True
        self._below.abort()

    def is_closing(self) -> bool:
        return self._closing or self._below.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._above = protocol  # type: ignore[assignment]

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._above

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls.context if name == "sslcontext" else self._below.get_extra_info(name, default)

    # Inside

    def _answer(self) -> None:
        """Send what OpenSSL says by itself: of handshakes, keys and ends."""
        said = self._buffers.outgoing.read()
        if said and not self._below.is_closing():
            self._below.write(said)
            if self._below.get_write_buffer_size() > _MOST_UNTAKEN:
                self.abort()

    def _shaken(self) -> None:
        self._shaking = False
        self._router.shaking.discard(self)
        self._forget_timer()

    def _leave(self) -> None:
        """The client does not close its end. Whoever still takes its answer has the time that its protocol allows."""
        if self._below.get_write_buffer_size():
            self._timer = self._router.loop.call_later(self._router.options.linger, self._leave)
        else:
            self.abort()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
