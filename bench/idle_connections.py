"""Memory of a proxy for each connection that is open and idle after a request, with TLS or without."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time

from bench import stand_in
from bench.proxies import HTTP1, HTTPS, Proxy

_REQUEST = f"GET /0 HTTP/1.1\r\nHost: {stand_in.host(HTTP1)}\r\nUser-Agent: bench\r\n\r\n".encode()
_RESET = struct.pack("ii", 1, 0)
_WARM = 100
"""Connections that are opened first and not counted: what a proxy takes once is no connection's."""
_TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It takes any certificate, and does not ask for an older session."""
_TRUSTING.check_hostname, _TRUSTING.verify_mode = False, ssl.CERT_NONE


def idle_memory(proxy: Proxy, number: int, protocol: str = HTTP1) -> float:
    """kB (1,000 bytes) of each of `number` connections; the kernel's part is not in it. Raises OSError."""
    with contextlib.ExitStack() as connections:
        _open(connections, proxy, protocol, _WARM)
        before = _settled(proxy)
        _open(connections, proxy, protocol, number)
        after = _settled(proxy)
    return (after - before) * 2**20 / 1000 / number


def open_connection(proxy: Proxy, protocol: str) -> socket.socket:
    """Raises OSError, as all of TLS does."""
    connection = socket.create_connection(("127.0.0.1", proxy.ports[protocol]), timeout=30)
    # Closed by a reset: ten thousand ports in TIME_WAIT would be missing to the next proxy.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if protocol == HTTPS:
        return _TRUSTING.wrap_socket(connection, server_hostname=stand_in.host(HTTP1))
    return connection


def ask(connection: socket.socket) -> None:
    """One request, answered. Raises OSError."""
    connection.sendall(_REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(4096)
        if not more:
            raise ConnectionError(f"it closed a connection instead of answering: {answer[:60]!r}")
        answer += more
    if not answer.startswith(b"HTTP/1.1 200") or b"connection: close" in answer.lower():
        raise ConnectionError(f"it answered {answer[:60]!r}")


def _open(connections: contextlib.ExitStack, proxy: Proxy, protocol: str, number: int) -> None:
    """One after the other, each with an answered request, so that the backend needs no connection for each."""
    for _ in range(number):
        ask(connections.enter_context(open_connection(proxy, protocol)))


def _settled(proxy: Proxy) -> float:
    time.sleep(1)
    return proxy.memory()
