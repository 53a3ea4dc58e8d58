"""Giving connections to the router that owns their host: the socket itself, and what was read from it.

Each router listens on a Unix socket of its own for the connections that others accepted and that are its own. A
connection is one packet, or several when much was read; the first one carries the socket. What has been sent is the
owner's: if it dies before it reads it, the client sees its connection break, and nothing is ever sent twice. While the
owner is away its connections wait for it, each for a bounded time, then get 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from homerun.core.ownership import Share
from homerun.router import errors

if TYPE_CHECKING:
    from homerun.router.options import Options

CHUNK = 60 << 10
"""Bytes in one packet: a few of them fit into the buffer that the kernel gives a socket."""
LAST, MORE, UNREAD = b"\0", b"\1", b"\2"
"""The first byte of a packet: whether another one of the same connection follows; or that this one speaks TLS, and that
nothing was read from it."""
_RETRY = 0.02


def path_of(folder: Path, index: int) -> Path:
    """Where the router `index` takes connections."""
    return folder / f"peer-{index}.sock"


class Gift:
    """A connection on its way. The descriptor is ours until it is sent."""

    __slots__ = ("data", "fd", "sent", "unread", "until")

    def __init__(self, fd: int, data: bytes, until: float, *, unread: bool = False) -> None:
        self.fd, self.data, self.until, self.unread = fd, data, until, unread
        self.sent = -1
        """Bytes of the data; -1: not even the socket."""

    def send(self, channel: socket.socket) -> None:
        """All of it, or as much as there is room for: then it raises BlockingIOError."""
        while self.sent < len(self.data):
            start = max(self.sent, 0)
            piece = self.data[start : start + CHUNK]
            last = UNREAD if self.unread else LAST
            packet = (last if start + len(piece) == len(self.data) else MORE) + piece
            if self.sent < 0:
                socket.send_fds(channel, [packet], [self.fd])
            else:
                channel.send(packet)
            self.sent = start + len(piece)

    def refuse(self) -> None:
        """Its owner does not come. Whatever else the client sent is read, or the kernel would throw the answer away."""
        if self.unread:
            return  # nobody can say anything to it without its handshake
        with contextlib.suppress(OSError):
            while os.read(self.fd, 1 << 16):
                pass
        answer = errors.OWNER_AWAY.encode(head_only=self.data.startswith(b"HEAD "), keep_alive=False)
        with contextlib.suppress(OSError):
            os.write(self.fd, answer)

    def close(self) -> None:
        os.close(self.fd)


class Channel:
    """To one other router."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, mono: Callable[[], float], patience: float) -> None:
        self._path, self._loop, self._mono, self._patience = path, loop, mono, patience
        self._waiting: deque[Gift] = deque()
        self._socket: socket.socket | None = None
        self._blocked = False
        """It waits until there is room."""
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Channel {self._path.name} {'up' if self._socket else 'down'}, {len(self._waiting)} waiting>"

    def give(self, fd: int, data: bytes, *, unread: bool = False) -> None:
        self._waiting.append(Gift(fd, data, self._mono() + self._patience, unread=unread))
        if not self._blocked and self._timer is None:
            self._pump()

    def close(self) -> None:
        """Those that still wait are refused."""
        self._disconnect()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._refuse(self._waiting.popleft())

    def _pump(self) -> None:
        while self._waiting:
            if self._socket is None and not self._connect():
                self._try_later()
                return
            assert self._socket is not None
            gift = self._waiting[0]
            try:
                gift.send(self._socket)
            except BlockingIOError:
                self._blocked = True
                self._loop.add_writer(self._socket, self._on_room)
                self._try_later()
                return
            except OSError:
                self._disconnect()
                if gift.sent >= 0:
                    # A part of it is gone with the one who was to have it.
                    self._waiting.popleft().close()
                self._try_later()
                return
            self._waiting.popleft().close()

    def _connect(self) -> bool:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(self._path))
        except OSError:
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._unblock()
            self._socket.close()
            self._socket = None

    def _on_room(self) -> None:
        self._unblock()
        self._pump()

    def _unblock(self) -> None:
        if self._blocked and self._socket is not None:
            self._loop.remove_writer(self._socket)
        self._blocked = False

    def _try_later(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_RETRY, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._mono()
        while self._waiting and self._waiting[0].until <= now and self._waiting[0].sent < 0:
            self._refuse(self._waiting.popleft())
        if self._blocked and self._waiting:
            self._try_later()
        else:
            self._pump()

    def _refuse(self, gift: Gift) -> None:
        if gift.sent < 0:
            gift.refuse()
        gift.close()


class Peers:
    """The other routers, as this one reaches them."""

    def __init__(
        self, folder: Path, share: Share, options: Options, loop: asyncio.AbstractEventLoop, mono: Callable[[], float]
    ) -> None:
        self._channels = {
            index: Channel(path_of(folder, index), loop, mono, options.owner_patience)
            for index in range(share.count)
            if index != share.index
        }
        self.given = 0
        """Connections, since this process began."""

    def __repr__(self) -> str:
        return f"<Peers {list(self._channels.values())}>"

    def give(self, owner: int, transport: asyncio.Transport, data: bytes) -> None:
        """The connection of `transport`, from which `data` was read and nothing is unanswered. The transport ends
        without the connection: its protocol hears `connection_lost`, the client notices nothing."""
        fd = os.dup(transport.get_extra_info("socket").fileno())
        transport.abort()
        self.given += 1
        self._channels[owner].give(fd, data)

    def give_unread(self, owner: int, connection: socket.socket) -> None:
        """One that speaks TLS, before its handshake. The socket is not the caller's any more."""
        self.given += 1
        self._channels[owner].give(connection.detach(), b"", unread=True)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
