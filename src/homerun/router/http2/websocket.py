"""A WebSocket on a stream of HTTP/2 (RFC 8441). What the client asks for by extended CONNECT, the instance is asked for
by an upgrade of HTTP/1.1, whose key and proof are made and looked at here: the client knows of neither.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

from homerun.router.http2.message import Answer, answer_from_http1

if TYPE_CHECKING:
    from homerun.router.http2.message import Head
    from homerun.router.upstream import InstanceConnection

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""


class WebSocket:
    __slots__ = ("_early", "_ended", "_key", "_tunnel")

    def __init__(self, head: Head, ended: bool) -> None:
        """`head`: of this request only; it gets a key. `ended`: the client has no more to say."""
        self._key = base64.b64encode(os.urandom(16))
        head.lines = [*head.lines, b"sec-websocket-key", b": ", self._key, b"\r\n"]
        self._early: list[bytes] = []
        """What the client said before the instance agreed: until then it would be another request to it."""
        self._ended = ended
        self._tunnel: InstanceConnection | None = None

    @property
    def open(self) -> bool:
        return self._tunnel is not None

    def send(self, data: bytes, end: bool) -> None:
        """From the client."""
        self._ended = self._ended or end
        if self._tunnel is None:
            self._early.append(data)
            return
        if data:
            self._tunnel.send_body(data)
        if end:
            self._tunnel.end()

    def answer(self, head: bytes) -> Answer:
        """For the client, when the instance has switched protocols. Raises ValueError if it has not understood."""
        answer = answer_from_http1(200, head)
        lines, proof, kept = answer.lines, b"", list[bytes]()
        for at in range(0, len(lines), 4):
            if lines[at] == b"sec-websocket-accept":
                proof = lines[at + 2]
            else:
                kept += lines[at : at + 4]
        if proof != base64.b64encode(hashlib.sha1(self._key + _MAGIC).digest()):
            raise ValueError("it switched to a WebSocket without the right Sec-WebSocket-Accept")
        return Answer(200, kept, None)

    def start(self, tunnel: InstanceConnection) -> None:
        early, self._early, self._tunnel = self._early, [], tunnel
        self.send(b"".join(early), self._ended)
