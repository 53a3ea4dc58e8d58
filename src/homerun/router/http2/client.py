"""A client's connection over HTTP/2: every stream is an exchange of its own, with its own instance or place in line.

What a stream's client is told, and what is done for it, is as in HTTP/1.1; only that it goes on beside others. A stream
whose exchange has ended lives on until its client has taken the rest of the answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code, ConnectionFault, StreamFault
from homerun.router import chunked, crowd, errors
from homerun.router.admission import admit
from homerun.router.exchange import CLIENT_LEFT, Exchange
from homerun.router.http2 import refusal
from homerun.router.http2.budget import Budget
from homerun.router.http2.connection import Connection
from homerun.router.http2.message import Answer, Head, Trailers, answer_from_http1, read_request, read_trailers
from homerun.router.http2.stream import Stream
from homerun.router.http2.websocket import WebSocket
from homerun.router.routes import Misdirected
from homerun.router.wheel import TICK

if TYPE_CHECKING:
    from homerun.router.errors import Refusal
    from homerun.router.front import Front
    from homerun.router.origin import Origin
    from homerun.router.server import Router
    from homerun.router.upstream import InstanceConnection

_log = logging.getLogger("homerun.router")

MAX_STREAMS = 100
"""Of one connection, at a time: as on the real platform."""
STREAM_WINDOW = 256 << 10
CONNECTION_WINDOW = 1 << 20
_STALLED = 60.0
"""Seconds that a client has to take the next part of an answer whose exchange has ended."""
_MOST_SAID = 64 << 10
"""Bytes that a client may have said with its first request, for its connection to be passed on to another router."""
_MARK = frames.frame(0xF7, 0, 0, b"homerun: acknowledged")
"""Between routers, behind the preface: the one who gives has acknowledged SETTINGS of the client, once for each."""


class ClientStream(Stream):
    """`client` of its exchange."""

    protocol = "HTTP/2"

    __slots__ = ("deadline", "exchange", "left", "trailers", "websocket", "whole")

    connection: ClientConnection

    def __init__(self, connection: ClientConnection, id: int) -> None:
        super().__init__(connection, id)
        self.exchange: Exchange | None = None
        """None: it has ended, but not all of the answer has been taken."""
        self.deadline = 0.0
        self.left = 0
        """Bytes of the answer that were left when it was last looked at, after the exchange."""
        self.whole = False
        """Nothing of the request is missing, though its end may be."""
        self.trailers: Trailers | None = None
        """Those of the request, when they came before there was an instance to send them to."""
        self.websocket: WebSocket | None = None
        """What it is, instead of a request with an answer."""

    @property
    def origin(self) -> Origin:
        return self.connection.origin

    @property
    def choked(self) -> bool:
        """The client does not take what is sent to it."""
        return self.queue is not None or self.connection.choked

    # The request

    def on_data(self, data: bytes, end: bool) -> None:
        exchange = self.exchange
        if exchange is None or exchange.over:
            return
        if self.websocket is not None:
            self.held = self.held or not self.websocket.open
            self.websocket.send(data, end)
            return
        exchange.received += len(data)
        head: Head = exchange.head  # type: ignore[assignment]
        if head.sized and (exchange.received > head.length or (end and exchange.received < head.length)):
            raise StreamFault(Code.PROTOCOL_ERROR, "the body is not as long as Content-Length says")
        if exchange.activator is None or not exchange.activator.h2c:
            # The end may come in a frame of its own, which an instance of HTTP/1.1 does not wait for.
            end = end or (head.sized and exchange.received == head.length)
            exchange.body_done = end
            if head.chunked:
                data = chunked.encode(data) + (chunked.LAST if end else b"")
        elif end:
            exchange.body_done = True
        upstream = exchange.upstream
        if upstream is None:
            exchange.pending.append(data)
            self.held = True
        elif end:
            upstream.send_last(data)
        elif data:
            upstream.send_body(data)

    def on_headers(self, block: bytes, end: bool) -> None:
        trailers = read_trailers(self.connection.reader, block)
        exchange = self.exchange
        if not end:
            raise StreamFault(Code.PROTOCOL_ERROR, "trailers do not end the stream")
        if exchange is None or exchange.over:
            return
        if self.websocket is not None:
            self.websocket.send(b"", True)
            return
        head: Head = exchange.head  # type: ignore[assignment]
        if head.sized and exchange.received < head.length:
            raise StreamFault(Code.PROTOCOL_ERROR, "the body is not as long as Content-Length says")
        exchange.body_done = True
        h2c = exchange.activator is not None and exchange.activator.h2c
        if not h2c and not head.chunked:
            return
        if exchange.upstream is not None:
            exchange.upstream.send_trailers(trailers)
        elif h2c:
            self.trailers = trailers
        else:
            exchange.pending.append(chunked.end(trailers.lines))

    def on_reset(self, code: int) -> None:
        """The client has lost interest, or is lost."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None and not exchange.over:
            exchange.status = exchange.status or CLIENT_LEFT
            exchange.abandon()
            self.connection.router.stats.record(exchange, self.connection.router.mono())

    def on_room(self) -> None:
        exchange = self.exchange
        if exchange is None:
            self._finish_stream()
        elif exchange.upstream is not None and not self.connection.choked:
            exchange.upstream.resume()

    # The answer

    def interim(self, answer: Answer) -> None:
        self.connection.send_headers(self, answer.block)

    def start(self, answer: Answer, end: bool) -> None:
        self.connection.send_headers(self, answer.block, end)

    def start_http1(self, status: int, head: bytes, end: bool) -> None:
        """From an instance that speaks HTTP/1.1: the head as a client of HTTP/1.1 would get it."""
        if status == 101 and self.websocket is not None:
            answer = self.websocket.answer(head)
        else:
            answer = answer_from_http1(status, head)
        self.connection.send_headers(self, answer.block, end)

    def data(self, data: bytes, end: bool) -> None:
        self.connection.send_data(self, data, end)
        if self.queue is not None and self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.pause()

    def write(self, data: bytes) -> None:
        if data:
            self.data(data, False)

    def end_http1(self, lines: list[bytes]) -> None:
        """With trailers from an instance that speaks HTTP/1.1."""
        if kept := chunked.timely(lines):
            self.end(Trailers(kept))

    def end(self, trailers: Trailers) -> None:
        self.connection.send_headers(self, trailers.block, True)

    # The exchange

    def connected(self, exchange: Exchange) -> None:
        if exchange.head.continues and not exchange.body_done and not exchange.received:
            self.connection.send_headers(self, _CONTINUE)
        if self.choked and exchange.upstream is not None:
            exchange.upstream.pause()
        if self.held and self.websocket is None:
            self.hold(False)

    def hold_body(self, held: bool) -> None:
        self.hold(held)

    def allow(self, exchange: Exchange, seconds: float) -> None:
        self.deadline = exchange.started + seconds
        self.connection.visit_by(self.deadline)

    def persistence(self, exchange: Exchange) -> bytes:
        return b""

    def open_tunnel(self, tunnel: InstanceConnection) -> None:
        assert self.websocket is not None, "nobody asks for another protocol within HTTP/2"
        self.websocket.start(tunnel)
        self.hold(False)

    def refuse(self, exchange: Exchange, refused: Refusal) -> None:
        exchange.status, exchange.refusal = refused.status, refused
        exchange.answered = True
        head: Head = exchange.head  # type: ignore[assignment]
        if head.grpc:
            block, body = refusal.as_grpc(refused), b""
        else:
            block, body = refusal.as_http(refused)
            if head.method == b"HEAD":
                body = b""
        exchange.sent += len(block) + len(body)
        self.connection.send_headers(self, block, not body)
        if body:
            self.connection.send_data(self, body, True)
        self.finish(exchange, keep=True)

    def fail(self, exchange: Exchange, refused: Refusal, code: int = Code.INTERNAL_ERROR) -> None:
        """The instance has let it down, in the middle of the answer: `code` is how it has said so."""
        if exchange.over:
            return
        if not exchange.answered:
            self.refuse(exchange, refused)
            return
        exchange.refusal = refused
        self.connection.reset(self, code)
        self.finish(exchange, keep=True)

    def finish(self, exchange: Exchange, *, keep: bool, now: float | None = None) -> None:
        """Its answer is complete."""
        now = self.connection.router.mono() if now is None else now
        exchange.over = True
        self.connection.router.stats.record(exchange, now)
        self.exchange = None
        self.whole = exchange.body_done and self.websocket is None
        if not self.sent_end and self.last_block is None:
            self.connection.send_data(self, b"", True)
        if self.queue is not None:
            self.left = sum(map(len, self.queue))
            self.deadline = now + _STALLED
            self.connection.visit_by(self.deadline)
            return
        self._finish_stream()

    def expire(self, now: float) -> None:
        """Its time is up."""
        exchange = self.exchange
        if exchange is None:
            queued = sum(map(len, self.queue or ()))
            if queued < self.left:
                self.left, self.deadline = queued, now + _STALLED
                return
            self.connection.reset(self, Code.CANCEL)
            return
        exchange.abandon()
        if exchange.answered:
            exchange.refusal = errors.TIMEOUT
            self.connection.reset(self, Code.INTERNAL_ERROR)
            self.finish(exchange, keep=True, now=now)
        else:
            self.refuse(exchange, errors.TIMEOUT)

    def _finish_stream(self) -> None:
        """All of the answer has been sent."""
        if self.whole and not self.ended:
            self.deadline = self.connection.router.mono() + _STALLED
            self.connection.visit_by(self.deadline)
        elif not self.ended:
            # What it still sends of the request nobody wants (§8.1).
            self.connection.reset(self, Code.NO_ERROR)


class ClientConnection(Connection, asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, router: Router, origin: Origin, front: Front | None = None) -> None:
        """`front`: what is answered before any service is asked."""
        super().__init__(
            stream_window=STREAM_WINDOW,
            connection_window=CONNECTION_WINDOW,
            block_limit=router.options.head_limit,
            now=router.mono,
        )
        self.router = router
        self.origin = origin
        self._front = front
        self.choked = False
        """The client does not take what is written to it."""
        self.visit = 0
        self._said: bytearray | None = None
        """All that the client has said, as long as the connection may turn out to be another router's."""
        self._idle_since = 0.0
        self._stopping = False
        self._resets = Budget(1000, 100, router.mono)

    def __repr__(self) -> str:
        return f"<http2.ClientConnection {self.origin.ip}, {len(self.streams)} streams>"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """To be called with an open connection whose client has sent the preface, or is about to (ALPN)."""
        self.transport = transport  # type: ignore[assignment]
        if len(self.router.clients) >= self.router.options.max_connections:
            self.over = True
            words = frames.settings({}) + frames.goaway(0, Code.ENHANCE_YOUR_CALM, "too many connections")
            crowd.turn_away(self.router, self.transport, words)
            return
        self.router.clients.add(self)
        if self.router.peers is not None and transport.get_extra_info("sslcontext") is None:
            self._said = bytearray()
        self._idle_since = self.router.mono()
        self.visit_by(self._idle_since + self.router.options.header_timeout)
        ours = {
            frames.HEADER_TABLE_SIZE: 0,
            frames.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            frames.MAX_HEADER_LIST_SIZE: self.router.options.head_limit,
            frames.ENABLE_CONNECT_PROTOCOL: 1,
        }
        self.write(frames.settings(ours))
        self.write(frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW))
        if self.router.stopping:
            self.stop()

    def data_received(self, data: bytes) -> None:
        if self._said is not None:
            self._said += data
            if len(self._said) > _MOST_SAID:
                self._said = None
        try:
            self.feed(data)
        except Misdirected as elsewhere:
            self._give(elsewhere.owner)
        except Exception:
            _log.exception("a frame from %s could not be handled", self.origin.ip)
            self.transport.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True
        self.router.left(self)
        if self.visit:
            self.router.wheel.remove(self)
        self._leave()

    def pause_writing(self) -> None:
        self.choked = True
        for exchange in self._answered():
            if exchange.upstream is not None:
                exchange.upstream.pause()

    def resume_writing(self) -> None:
        self.choked = False
        for exchange in self._answered():
            if exchange.upstream is not None and not exchange.client.choked:
                exchange.upstream.resume()

    # Connection

    def wake(self) -> None:
        self.router.loop.call_soon(self._flush)

    def on_new_stream(self, id: int, block: bytes, end: bool) -> None:
        if not id & 1 or id <= self.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"stream {id} cannot be opened any more")
        self.last = id
        head = read_request(self.reader, block, end)
        if len(self.streams) >= MAX_STREAMS or self._stopping:
            raise StreamFault(Code.REFUSED_STREAM, f"more than {MAX_STREAMS} streams at a time")
        stream = self.streams[id] = ClientStream(self, id)
        stream.ended = end
        if head.websocket:
            stream.websocket = WebSocket(head, end)
        exchange = stream.exchange = Exchange(stream, head.method, head.target, head, False, True)
        exchange.stream, exchange.plain, exchange.body_done = stream, False, end or head.websocket
        self._begin(stream, exchange, head)
        self._said = None

    def on_settings_ack(self) -> None:
        self.chatter.spend("acknowledgements of SETTINGS")

    def on_reset(self, stream: Stream) -> None:
        self._resets.spend("streams opened and reset")

    def on_over(self, code: int, text: str) -> None:
        """Read on for a while, so that the client gets to see why."""
        _log.debug("%r: %s", self, text)
        self._flush()
        self._leave()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._idle_since = self.router.mono()
            self.visit_by(self._idle_since + self.router.options.linger)
        else:
            self.transport.close()

    # What the router does with it

    def stop(self) -> None:
        """The router is stopping: no further request on this connection."""
        self._stopping = True
        self.write(frames.goaway(self.last, Code.NO_ERROR))
        self._settle()

    def visit_by(self, deadline: float) -> None:
        if self.visit * TICK > deadline or not self.visit:
            self.router.wheel.add(self, deadline)

    def check(self, now: float) -> float | None:
        """The wheel asks."""
        options = self.router.options
        if self.over or self.transport.is_closing():
            self.transport.abort()
            return None
        if not self.streams:
            expires = self._idle_since + (options.idle_timeout if self._settled else options.header_timeout)
            if now < expires:
                return expires
            self.write(frames.goaway(self.last, Code.NO_ERROR))
            self._close()
            return now + options.linger
        again = now + options.idle_timeout
        for stream in list(self.streams.values()):
            assert isinstance(stream, ClientStream)
            if stream.deadline <= now:
                if self.choked:
                    self.transport.abort()
                    return None
                stream.expire(now)
            if now < stream.deadline < again:
                again = stream.deadline
        return again

    def close(self, stream: Stream, reset: bool = False) -> None:
        super().close(stream, reset)
        if not self.streams:
            self._settle()

    # Inside

    def _begin(self, stream: ClientStream, exchange: Exchange, head: Head) -> None:
        router = self.router
        exchange.started = router.mono()
        stream.deadline = exchange.started + router.options.header_timeout
        refused = self._object(head)
        if refused is None and self._front is not None:
            refused = self._front.answer(exchange, router.routes)
        if refused is not None:
            stream.refuse(exchange, refused)
            return
        try:
            admit(router, exchange)
        except Misdirected:
            if self._may_be_given():
                raise
            stream.refuse(exchange, errors.MISDIRECTED)

    def _may_be_given(self) -> bool:
        """The request in hand is the first one, and all is there of what was said before it."""
        transport = self.transport
        unwritten = self.choked or transport.get_write_buffer_size() or transport.is_closing()
        return self._said is not None and not unwritten

    def _give(self, owner: int) -> None:
        """To the router that owns the host of the first request. It begins anew, but for what clients take amiss."""
        assert self._said is not None and self.router.peers is not None
        acknowledged = self.acknowledged - self.out.count(frames.SETTINGS_ACK)
        self.over = True
        self.streams.clear()
        self.out.clear()
        try:
            self.router.peers.give(owner, self.transport, frames.PREFACE + _MARK * acknowledged + bytes(self._said))
        except OSError as error:
            _log.warning("a connection could not be passed on: %s", error)
            self.transport.abort()

    def _object(self, head: Head) -> Refusal | None:
        if head.method == b"CONNECT":
            return errors.METHOD
        if head.others is not None and not head.continues and head.other(b"expect"):
            return errors.EXPECTATION
        return None

    def _settle(self) -> None:
        """Maybe there is no stream now."""
        if not self.streams:
            self._idle_since = self.router.mono()
            if self._stopping and not self.over:
                self._close()

    def _answered(self) -> list[Exchange]:
        streams = [stream for stream in self.streams.values() if isinstance(stream, ClientStream)]
        return [stream.exchange for stream in streams if stream.exchange is not None]

    def _leave(self) -> None:
        for stream in list(self.streams.values()):
            self.close(stream)
            stream.on_reset(Code.CANCEL)

    def _close(self) -> None:
        self._flush()
        self.transport.close()

    def _flush(self) -> None:
        if self.out and not self.transport.is_closing():
            self.transport.write(self.take_out())


_CONTINUE = Answer(100, [], None).block


def take_over(
    router: Router, transport: asyncio.Transport, origin: Origin, data: bytes, front: Front | None = None
) -> None:
    """A connection whose client has sent the preface: `data` begins somewhere in it."""
    begun = frames.PREFACE
    while not data.startswith(begun):
        begun = begun[1:]
    connection = ClientConnection(router, origin, front)
    transport.set_protocol(connection)
    connection.connection_made(transport)
    rest = data[len(begun) :]
    while rest.startswith(_MARK):
        connection.acknowledged -= 1
        rest = rest[len(_MARK) :]
    connection.data_received(rest)
