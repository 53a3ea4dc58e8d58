"""Whether a connection whose other end sends no more has been reset since, without reading from it.

Event loops stop watching such a connection, so nobody would say; the kernel knows.
"""

from __future__ import annotations

import asyncio
import socket

_CLOSED = 7
"""TCP_CLOSE of <linux/tcp.h>: in TCP_INFO the first byte is the state."""


def is_reset(transport: asyncio.BaseTransport) -> bool:
    """False for what is no TCP connection."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED
    except OSError:
        return True
