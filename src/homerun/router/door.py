"""The TLS port's door: takes connections, sees whether they speak TLS at all, and lets in those that shake hands.

What comes first is only looked at (MSG_PEEK), so what is behind gets the socket untouched: a handshake here, or the
router that owns the host, which is given it when several share the port. Nobody waits for anybody: a client that stops
in the middle of its hello has a timer of its own, and goes when that ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from homerun.router import errors
from homerun.router.client_hello import MOST, server_name
from homerun.router.routes import Elsewhere
from homerun.router.secure import SecureConnection
from homerun.router.tls import Buffers, TlsTransport

if TYPE_CHECKING:
    from homerun.router.server import Router

_log = logging.getLogger("homerun.router")

_HANDSHAKE = b"\x16"
"""The first byte of every TLS connection (RFC 8446 §5.1)."""
_AT_ONCE = 64
"""Connections that are taken before others are looked at again."""
_REST = 1.0
"""Seconds without accepting when there are no descriptors left."""


class Door:
    def __init__(self, router: Router, listener: socket.socket, enter: Callable[[socket.socket], None]) -> None:
        """`enter` gets each socket that speaks TLS and is this router's, with all its bytes unread."""
        self._router, self._listener, self._enter, self._loop = router, listener, enter, router.loop
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        """Those that have not said enough."""
        self._seen: dict[socket.socket, int] = {}
        """How many bytes each of these has said."""
        self._open = False

    def __repr__(self) -> str:
        return f"<Door {'open' if self._open else 'closed'}, {len(self._waiting)} silent>"

    def __len__(self) -> int:
        return len(self._waiting)

    def open(self) -> None:
        self._open = True
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Connections that were not accepted wait in the kernel for the next router."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listener.fileno())
        for connection in list(self._waiting):
            self._turn_away(connection)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("cannot take a connection: %s", error)
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(_REST, self._reopen)
                return
            connection.setblocking(False)
            if self._crowded():
                connection.close()
            else:
                self._look(connection)

    def _crowded(self) -> bool:
        """A handshake only to say that there is no room would cost more than the client is worth then."""
        limit = self._router.options.max_connections
        here = len(self._waiting) + len(self._router.shaking) + len(self._router.clients)
        return here > limit + (limit >> 3)

    def _reopen(self) -> None:
        if self._open:
            self.open()

    def _look(self, connection: socket.socket) -> None:
        peers = self._router.peers
        try:
            seen = connection.recv(1 if peers is None else MOST, socket.MSG_PEEK)
        except BlockingIOError:
            self._wait(connection)
            return
        except OSError:
            seen = b""
        if seen[:1] != _HANDSHAKE:
            self._forget(connection)
            if seen:
                self._explain(connection)
            else:
                connection.close()
        elif peers is None:
            self._forget(connection)
            self._enter(connection)
        elif (name := server_name(seen)) is None and len(seen) > self._seen.get(connection, 0):
            self._wait(connection, len(seen))
        else:
            # Or it was not woken by anything new: the client sends nothing more.
            self._forget(connection)
            self._share_out(connection, name or "")

    def _wait(self, connection: socket.socket, seen: int = 0) -> None:
        """Until there is more than `seen`, which stays unread: without this mark the kernel would wake us for it again
        and again."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
        self._seen[connection] = seen
        if connection not in self._waiting:
            self._loop.add_reader(connection.fileno(), self._look, connection)
            timeout = self._router.options.handshake_timeout
            self._waiting[connection] = self._loop.call_later(timeout, self._turn_away, connection)

    def _share_out(self, connection: socket.socket, name: str) -> None:
        """To the router that owns the host of that `name`."""
        route = self._router.routes.find(name.encode())
        if self._router.peers is not None and route is not None and isinstance(route.gate, Elsewhere):
            self._router.peers.give_unread(route.gate.owner, connection)
        else:
            self._enter(connection)

    def _turn_away(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: socket.socket) -> None:
        timer = self._waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()
            del self._seen[connection]
            self._loop.remove_reader(connection.fileno())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _explain(self, connection: socket.socket) -> None:
        """Somebody speaks plain HTTP, or nonsense."""
        try:
            # Unread bytes would make the kernel throw the answer away.
            connection.recv(64 << 10)
            connection.send(errors.PLAIN_ON_TLS.encode(head_only=False, keep_alive=False))
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        connection.close()


async def shake_hands(router: Router, connection: socket.socket, buffers: Buffers, context: ssl.SSLContext) -> None:
    """The accepted `connection`, unread so far, becomes a client's when it has agreed on how to encrypt."""
    try:
        await router.loop.connect_accepted_socket(
            lambda: TlsTransport(router, buffers, context, SecureConnection(router)), connection
        )
    except OSError as error:
        _log.debug("a connection could not be taken: %s", error)
        connection.close()
