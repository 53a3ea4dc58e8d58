"""A client that sends no more: whether it has left altogether since, without reading from it.

If it has, the last thing that it was sent has reset the connection. Event loops stop watching one whose other end has
ended, so nobody would say; the kernel knows.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homerun.router.exchange import Exchange

_FIRST_LOOK, _LAST_LOOK = 0.01, 5.0
"""Seconds between looks: each time twice as long."""
_CLOSED = 7
"""TCP_CLOSE of <linux/tcp.h>: in TCP_INFO the first byte is the state."""


def look_after(
    loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, exchange: Exchange, delay: float = _FIRST_LOOK
) -> None:
    """End the connection when it turns out that nobody waits for the answer any more."""
    if exchange.over or exchange.answered:
        return
    if is_reset(transport):
        transport.abort()
        return
    loop.call_later(delay, look_after, loop, transport, exchange, min(2 * delay, _LAST_LOOK))


def is_reset(transport: asyncio.BaseTransport) -> bool:
    """False for what is no TCP connection."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED
    except OSError:
        return True
