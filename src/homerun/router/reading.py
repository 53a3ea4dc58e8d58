"""A client's bytes to requests: what `protocol.ClientConnection` is derived from, which sees to the answers.

Most requests come in one piece with headers that came before, and need no parser (familiar.py). The others go through
one that the connection gets with the first of them, so it hears of a request piece by piece.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import httptools

from homerun.router import chunked, errors, resume
from homerun.router.exchange import Exchange
from homerun.router.familiar import first_line, memorable
from homerun.router.headers import SPECIAL, RequestHead, Trailers
from homerun.router.routes import Misdirected

if TYPE_CHECKING:
    from homerun.router.errors import Refusal
    from homerun.router.origin import Origin
    from homerun.router.server import Router

_log = logging.getLogger("homerun.router")

_HTTP2 = "Pause on PRI/Upgrade"
"""The parser has come to the end of the preface with which HTTP/2 begins."""
_FRAMING = 8
"""Bytes around each byte of a chunked body that are fine: a chunk of one byte has five. Then comes `head_limit`."""


class Reading(asyncio.Protocol):
    """What is derived from it is a `Client` (exchange.py)."""

    __slots__ = (
        "_block",
        "_deaf",
        "_head",
        "_head_size",
        "_parser",
        "_receiving",
        "_router",
        "_skipped",
        "_target",
    )

    protocol = "HTTP/1.1"
    transport: asyncio.Transport
    origin: Origin
    choked: bool

    def __init__(self, router: Router) -> None:
        self._router = router
        self._parser: httptools.HttpRequestParser | None = None
        """None: it has not been needed yet."""
        self._head: RequestHead | None = None
        """The one that the parser is filling."""
        self._target = b""
        """That of the same request."""
        self._block = b""
        """All the headers of the request that comes next, if they have come with its first line."""
        self._head_size = -1
        """Bytes of a head that comes in pieces; -1: there is at most one piece."""
        self._receiving: Exchange | None = None
        """The one whose body the parser is in."""
        self._skipped: Exchange | None = None
        """One whose body the parser did not see, because it asks for another protocol as well."""
        self._deaf = False
        """Nothing that the client sends from here on will be understood."""

    # What becomes of it

    def _begin(self, exchange: Exchange) -> None:
        """It is this request's turn. Raises Misdirected if it is another router's: nothing has been done then."""
        raise NotImplementedError

    def _take(self, exchange: Exchange) -> None:
        """A request whose head is complete: `_begin`, or later."""
        raise NotImplementedError

    def _send_body(self, exchange: Exchange, data: bytes) -> None:
        """A piece of its body as an instance gets it."""
        raise NotImplementedError

    def _body_ended(self, exchange: Exchange) -> None:
        """Its last byte has come."""
        raise NotImplementedError

    def _head_begun(self, data: bytes, *, first: bool) -> None:
        """`data` has a part of a head in it, maybe the first, and not its end."""
        raise NotImplementedError

    def _object(self, refusal: Refusal) -> None:
        """The bytes are no HTTP: answer so when those before have been answered."""
        raise NotImplementedError

    def _pass_on(self, owner: int, data: bytes) -> None:
        """The request whose head ends in `data` is for a host of another router."""
        raise NotImplementedError

    def _become_http2(self, data: bytes) -> bool:
        """`data` ends the preface, or goes on behind it. False: there are other requests before it."""
        raise NotImplementedError

    def _switch(self, rest: bytes) -> None:
        """The last request asks for another protocol; `rest` came behind it."""
        raise NotImplementedError

    # How it is read

    def _take_whole(self, data: bytes) -> bool:
        """A request in one piece with headers that came before, when there is no other one on the connection. False:
        the parser has to see it."""
        line = first_line(data)
        if line is None or self._deaf or self.choked:
            return False
        start = line.end()
        end = data.find(b"\r\n\r\n", start - 2) + 4
        block = data[start:end]
        head = self._router.familiar.known.get(block)
        if head is None or head.length != len(data) - end:
            self._block = block
            return False
        exchange = Exchange(self, line[1], line[2], head, False, not self._router.stopping)  # type: ignore[arg-type]
        exchange.body_done = True
        if head.length:
            exchange.received = head.length
            exchange.pending.append(data[end:])
        try:
            self._begin(exchange)
        except Misdirected as elsewhere:
            self._head_size = -1
            self._pass_on(elsewhere.owner, data)
        return True

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, Misdirected):
                self._pass_on(error.__context__.owner, data)
                return
            _log.exception("a request from %s could not be handled", self.origin.ip)
            self.transport.abort()
        except httptools.HttpParserError as error:
            if str(error) != _HTTP2 or not self._become_http2(data):
                self._object(errors.bad_request(str(error)))
        if self._head is not None:
            self._watch_head(data)

    def _watch_head(self, data: bytes) -> None:
        """A head, or a body in chunks, has begun and not ended in this piece of data."""
        limit, size = self._router.options.head_limit, len(data)
        self._head_begun(data, first=self._head_size < 0)
        if self._head_size < 0:
            # Where in this piece it has begun is not known, so that it does not count.
            self._head_size = size = 0
        self._head_size += size
        if self._receiving is not None:
            limit += self._receiving.received * _FRAMING
        if self._head_size > limit:
            self._object(errors.head_too_large(self._router.options.head_limit))

    def _after_upgrade(self, rest: bytes) -> None:
        """The parser has stopped behind a request to switch protocols."""
        skipped, self._skipped = self._skipped, None
        if skipped is not None and not self._deaf:
            # It may have a body, and may be answered in the protocol that it came in (RFC 9110 §7.8).
            self._receiving = skipped
            self._parser = resume.at_body(self, skipped.head)
            self.data_received(rest)
            return
        self._parser = httptools.HttpRequestParser(self)
        self._switch(rest)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self._head = RequestHead()
        self._target = b""
        self._head_size = -1

    def on_url(self, url: bytes) -> None:
        # It comes in pieces when the request does.
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        head, key = self._head, name.lower()
        if head is None:
            return
        if key in SPECIAL:
            head.add_special(key, name, value)
        else:
            head.lines += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        head, self._head = self._head, None
        if self._deaf or head is None:
            return
        parser, router = self._parser, self._router
        assert parser is not None
        keep = parser.should_keep_alive()
        method = parser.get_method()
        # Without a Connection header only HTTP/1.1 stays open; and asking the parser costs more than knowing it.
        version = "1.1" if keep and head.others is None else parser.get_http_version()
        keep = keep and not router.stopping
        exchange = Exchange(self, method, self._target, head, version == "1.0", keep)  # type: ignore[arg-type]
        refusal = head.check(version, router.options.request_limit) or _resolve(exchange)
        if version not in ("1.1", "1.0"):
            refusal = errors.VERSION
        elif method == b"CONNECT":
            refusal = errors.METHOD
        if refusal is not None:
            exchange.refusal, exchange.keep_alive, self._deaf = refusal, False, True
        elif keep and self._block and version == "1.1" and memorable(head):
            router.familiar.add(self._block, head)
        elif head.others is not None:
            head.settle_upgrade(parser.should_upgrade() and version == "1.1" and not head.length and not head.chunked)
            if head.chunked:
                self._head = Trailers()
        self._block = b""
        exchange.body_done = not head.length and not head.chunked
        if exchange.body_done or head.others is None or not parser.should_upgrade():
            self._receiving = exchange
        else:
            self._skipped = exchange
        self._take(exchange)

    def on_body(self, body: bytes) -> None:
        exchange = self._receiving
        if exchange is None or exchange.over or self._deaf:
            return
        exchange.received += len(body)
        if exchange.received > self._router.options.request_limit:
            self._object(errors.body_too_large(self._router.options.request_limit))
            return
        self._send_body(exchange, chunked.encode(body) if exchange.head.chunked else body)

    def on_message_complete(self) -> None:
        exchange, self._receiving = self._receiving, None
        if exchange is None or exchange.body_done or self._deaf:
            return
        exchange.body_done = True
        self._body_ended(exchange)
        if exchange.head.chunked:
            trailers, self._head = self._head, None
            if not exchange.over:
                self._send_body(exchange, chunked.end(trailers.lines if trailers is not None else ()))


def _resolve(exchange: Exchange) -> Refusal | None:
    """Its target becomes a path, if it can."""
    try:
        exchange.target = exchange.head.resolve(exchange.target)
    except ValueError as error:
        return errors.bad_request(str(error))
    return None
