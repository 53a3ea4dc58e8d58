"""The answer of an instance that speaks HTTP/2, for a client that speaks HTTP/1.1."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from homerun.router import chunked
from homerun.router.http2.message import Answer, Trailers

if TYPE_CHECKING:
    from homerun.router.exchange import Exchange

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_BODILESS = frozenset((204, 304))


class Http1Answer:
    __slots__ = ("_chunks", "_exchange")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chunks = False

    def interim(self, answer: Answer) -> None:
        if not self._exchange.http10:
            self._write(_head(answer, b""))

    def start(self, answer: Answer, end: bool) -> None:
        exchange = self._exchange
        extra = b""
        bodiless = exchange.method == b"HEAD" or answer.status in _BODILESS
        if answer.length is None and not bodiless:
            if end:
                extra = b"Content-Length: 0\r\n"
            elif exchange.http10:
                exchange.keep_alive = False
            else:
                self._chunks = True
                extra = b"Transfer-Encoding: chunked\r\n"
        self._write(_head(answer, exchange.client.persistence(exchange) + extra))

    def data(self, data: bytes, end: bool) -> None:
        if self._chunks:
            data = chunked.encode(data) + (chunked.LAST if end else b"")
        if data:
            self._write(data)

    def end(self, trailers: Trailers) -> None:
        if self._chunks:
            self._write(chunked.end(trailers.lines if self._exchange.head.takes_trailers else ()))

    def _write(self, data: bytes) -> None:
        self._exchange.client.write(data)


def _head(answer: Answer, extra: bytes) -> bytes:
    reason = _REASONS.get(answer.status, b"")
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (answer.status, reason, b"".join(answer.lines), extra)
