"""The name that a TLS client asks for (RFC 8446 §4.1.2, RFC 6066 §3), out of its first bytes and before any handshake.

Only for choosing among routers: who makes a mess of it shakes hands where it is, and is told so by OpenSSL.
"""

from __future__ import annotations

MOST = 16 << 10
"""Bytes that are looked at: a hello is a few hundred, with keys against quantum computers two thousand."""
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


def server_name(data: bytes) -> str | None:
    """`data`: from the connection's first byte on. Empty if there is no name, or no sense; None: more is needed."""
    try:
        hello = _message(data)
        return hello if hello is None else _name(_Reader(hello))
    except (IndexError, UnicodeDecodeError):
        return ""


def _message(data: bytes) -> bytes | None:
    """The first handshake message, put together from the records that it is in. Raises IndexError if it is no hello."""
    message = b""
    at = 0
    while at + 5 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind != _HANDSHAKE or not length:
            raise IndexError
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
        if message and message[0] != _CLIENT_HELLO:
            raise IndexError
        if len(message) >= 4 and len(message) - 4 >= (size := int.from_bytes(message[1:4], "big")):
            return message[4 : 4 + size]
    if len(data) >= MOST or (data and data[0] != _HANDSHAKE):
        raise IndexError
    return None


def _name(hello: _Reader) -> str:
    hello.take(2 + 32)  # version, random
    hello.vector(1)  # session
    hello.vector(2)  # ciphers
    hello.vector(1)  # compression
    extensions = _Reader(hello.vector(2))
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            names = _Reader(_Reader(content).vector(2))
            while names.left:
                if names.number(1) == _HOST_NAME:
                    return names.vector(2).decode("ascii")
                names.vector(2)
    return ""


class _Reader:
    """Raises IndexError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise IndexError
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Preceded by its length, a number of `size` bytes."""
        return self.take(self.number(size))
