"""Taking over connections that other routers accepted (router.handover is the other end)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from homerun.router.handover import CHUNK, MORE, UNREAD

if TYPE_CHECKING:
    from homerun.router.protocol import ClientConnection
    from homerun.router.server import Router

_BATCH = 64
"""Packets that are read in one turn of the event loop."""


class Arrivals:
    """Listens for them."""

    def __init__(
        self,
        router: Router,
        path: Path,
        client: Callable[[], ClientConnection],
        enter: Callable[[socket.socket], None] | None = None,
    ) -> None:
        """`client` makes what a connection becomes; `enter` gets those that speak TLS, before their handshake."""
        self._router, self._client, self._enter = router, client, enter
        self._begun: dict[socket.socket, tuple[int, bytearray]] = {}
        """By channel, the connection of which not everything has come yet."""
        self._channels: set[socket.socket] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(64)
        router.loop.add_reader(self._listener, self._accept)

    def __repr__(self) -> str:
        return f"<Arrivals from {len(self._channels)} routers>"

    def close(self) -> None:
        """What was sent already is still taken."""
        self._router.loop.remove_reader(self._listener)
        self._listener.close()
        for channel in list(self._channels):
            while channel in self._channels and self._read(channel):
                pass
            self._drop(channel)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            channel, _ = self._listener.accept()
            channel.setblocking(False)
            self._channels.add(channel)
            self._router.loop.add_reader(channel, self._read, channel)

    def _read(self, channel: socket.socket) -> bool:
        """A batch of what is there; whether there may be more."""
        for _ in range(_BATCH):
            try:
                packet, fds, _, _ = socket.recv_fds(channel, CHUNK + 1, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return False
            except OSError:
                packet, fds = b"", []
            if not packet:
                self._drop(channel)
                return False
            self._take(channel, packet, fds)
        return True

    def _take(self, channel: socket.socket, packet: bytes, fds: list[int]) -> None:
        if fds:
            self._begun[channel] = (fds[0], bytearray())
        fd, data = self._begun[channel]
        data += packet[1:]
        if packet[:1] != MORE:
            del self._begun[channel]
            if packet[:1] == UNREAD:
                self._let_in(fd)
                return
            self._router.tasks.spawn(self._adopt(fd, bytes(data)), name="arrival")

    def _let_in(self, fd: int) -> None:
        connection = socket.socket(fileno=fd)
        connection.setblocking(False)
        if self._enter is None:
            connection.close()
        else:
            self._enter(connection)

    async def _adopt(self, fd: int, data: bytes) -> None:
        connection = socket.socket(fileno=fd)
        try:
            await self._router.loop.connect_accepted_socket(
                lambda: Arrival(self._router, data, self._client), connection
            )
        except OSError:
            # The client left on the way.
            connection.close()

    def _drop(self, channel: socket.socket) -> None:
        self._channels.discard(channel)
        self._router.loop.remove_reader(channel)
        channel.close()
        fd, _ = self._begun.pop(channel, (-1, b""))
        if fd >= 0:
            os.close(fd)


class Arrival(asyncio.Protocol):
    """What a connection meets first: it sees to it that what was read before is read before what comes now."""

    def __init__(self, router: Router, data: bytes, client: Callable[[], ClientConnection]) -> None:
        self._router, self._data, self._client = router, data, client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        # Not at once: the event loop starts to read behind this call, whatever the protocol may want by then.
        self._router.loop.call_soon(self._begin)

    def data_received(self, data: bytes) -> None:
        self._data += data

    def _begin(self) -> None:
        if self._transport.is_closing():
            return
        client = self._client()
        self._transport.set_protocol(client)
        client.connection_made(self._transport)
        client.data_received(self._data)
