"""Ports for programs that are started a moment later, and started again on the same ones."""

from __future__ import annotations

import random
import socket

_POSSIBLE = range(12_000, 32_000)
"""Below those that the kernel hands out by itself (from 32,768 on): any connection that anybody opens could get the
port before the program has bound it, or while it is dead."""


def free_port() -> int:
    """One of 127.0.0.1. Drawn, so that what runs beside each other meets seldom."""
    while True:
        port = random.SystemRandom().choice(_POSSIBLE)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
