"""A connection without a network: the test is the other end. Bytes in by `feed`, bytes out in `written`."""

from __future__ import annotations

import asyncio
from typing import Any


class MockTransport(asyncio.Transport):
    def __init__(self, protocol: asyncio.Protocol, peer: str = "192.0.2.7") -> None:
        super().__init__()
        self.protocol = protocol
        self.peer = peer
        self.written = bytearray()
        self.reading = True
        self.closing = False
        self.lost = False
        self.aborted = False
        self.eof = False
        self.untaken = 0
        """Bytes that wait in the write buffer, as far as anybody asks."""
        self._unread: list[bytes] = []
        protocol.connection_made(self)

    # The test's side

    def feed(self, data: bytes) -> None:
        """The other end sends. While reading is paused the kernel keeps it."""
        if self.closing:
            return
        if self.reading:
            self.protocol.data_received(data)
        else:
            self._unread.append(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.written)
        self.written.clear()
        return data

    def hang_up(self, error: Exception | None = None) -> None:
        """The other end closes, or breaks."""
        if not self.closing:
            self.closing = True
            self._lose(error)

    def end(self) -> None:
        """The other end sends no more; it may be listening still."""
        if not self.closing and not self.protocol.eof_received():
            self.close()

    def choke(self) -> None:
        """The other end does not read: the write buffer is full."""
        self.protocol.pause_writing()

    def relieve(self) -> None:
        self.protocol.resume_writing()

    @property
    def unread(self) -> int:
        return sum(map(len, self._unread))

    # asyncio.Transport

    def write(self, data: Any) -> None:
        assert not self.eof, "written after the end"
        if not self.lost:
            self.written += data

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading and not self.closing

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True
        while self._unread and self.reading and not self.closing:
            self.protocol.data_received(self._unread.pop(0))

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.peer, 40000) if name == "peername" else default

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)
