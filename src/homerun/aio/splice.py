"""Two connections made one: what one side sends, the other gets, unread. A slow reader slows down who writes to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast


class _Side(asyncio.Protocol):
    """What waits for a slow reader is at most what the transports take above their high-water marks."""

    transport: asyncio.Transport
    other: _Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()


async def splice(front: asyncio.Transport, said: bytes, path: Path) -> None:
    """Join `front`, which has `said` something already and is not being read from, with the Unix socket at `path`.

    Returns once they are joined; from then on they end together. Raises OSError if nobody listens there.
    """
    near, far = _Side(), _Side()
    near.transport, near.other, far.other = front, far, near
    await asyncio.get_running_loop().create_unix_connection(lambda: far, str(path))
    if front.is_closing():
        far.transport.abort()
        return
    front.set_protocol(near)
    far.transport.write(said)
    front.resume_reading()
