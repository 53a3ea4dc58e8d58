"""A parser that goes on behind the head of a request that asks for another protocol, and has a body.

httptools takes such a request for one without a body. Java's client asks for h2c with its first request whatever that
is, so a second parser is shown a short head with the same framing, of which nobody hears anything.
"""

from __future__ import annotations

from typing import Protocol

import httptools

from homerun.router.headers import RequestHead


class Callbacks(Protocol):
    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


def at_body(to: Callbacks, head: RequestHead) -> httptools.HttpRequestParser:
    """The next bytes are those of the body of `head`; then other requests may follow."""
    parser = httptools.HttpRequestParser(_Muted(to))
    framing = b"Transfer-Encoding: chunked" if head.chunked else b"Content-Length: %d" % head.length
    parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
    return parser


class _Muted:
    """Passes on everything but the first head."""

    def __init__(self, to: Callbacks) -> None:
        self._to = to
        self._muted = True
        self.on_body = to.on_body
        self.on_message_complete = to.on_message_complete

    def on_message_begin(self) -> None:
        if not self._muted:
            self._to.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._muted:
            self._to.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._muted:
            self._to.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._muted:
            self._to.on_headers_complete()
        self._muted = False
