"""One connection to an instance: sends one request at a time and streams its answer to the client.

It owns the slot of its request. When nobody waits for the answer any more (the client left, the time is up) it hangs
up, which is how an application learns of it, and how the slot becomes free: if nothing has been answered yet it
first closes only its own direction, and keeps the slot until the instance answers, hangs up, or has had once more the
request's time; so an instance that works on, deaf, is not given more requests than its concurrency.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

from homerun.core.dispatcher import State as InstanceState
from homerun.router import affinity, chunked, errors
from homerun.router.chunked import ChunkedDecoder
from homerun.router.response import ResponseHead, read_plain

if TYPE_CHECKING:
    from homerun.router.errors import Refusal
    from homerun.router.exchange import Exchange
    from homerun.router.http2.message import Trailers
    from homerun.router.instance import RemoteInstance

MAX_INTERIM = 64
"""Answers before the answer (1xx) that an instance may give to one request."""
FRESH = 1.0
"""Seconds without use after which a connection is no longer trusted with a request that must not be sent twice: the
container may be about to close it."""


class At(enum.Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    """A body of known length."""
    CHUNKS = "chunks"
    REST = "rest"
    """A body that ends with the connection."""
    TUNNEL = "tunnel"
    ABANDONED = "abandoned"


# Used with every request: Python 3.11 takes longer to look up a member of an enumeration than to call a function.
_IDLE, _HEAD, _BODY = At.IDLE, At.HEAD, At.BODY
_ACTIVE = InstanceState.ACTIVE


class InstanceConnection(asyncio.Protocol):
    __slots__ = (
        "_at",
        "_begun",
        "_close",
        "_decoder",
        "_exchange",
        "_instance",
        "_interim",
        "_interim_of",
        "_left",
        "_paused",
        "_rechunk",
        "_router",
        "_until",
        "_used",
        "transport",
        "visit",
    )

    transport: asyncio.Transport

    def __init__(self, instance: RemoteInstance) -> None:
        self._instance = instance
        self._router = instance.activator.router
        self._exchange: Exchange | None = None
        self._at = At.IDLE
        self._begun = b""
        """The beginning of a head whose end has not come yet."""
        self._left = 0
        self._interim = 0
        """Interim answers to `_interim_of`."""
        self._interim_of: Exchange | None = None
        self._close = False
        self._rechunk = False
        self._decoder: ChunkedDecoder | None = None
        self._paused = False
        self._used = 0
        """Requests it has carried before."""
        self._until = 0.0
        """Idle: since when. Abandoned: until when."""
        self.visit = 0

    def __repr__(self) -> str:
        return f"<InstanceConnection {self._instance.id} {self._at.value}>"

    # Requests

    def usable(self, exchange: Exchange, now: float) -> bool:
        return (now - self._until < FRESH or exchange.idempotent) and not self.transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """The request, and as much of its body as is there; the rest comes over `send_body`."""
        self._exchange = exchange
        self._at = _HEAD
        exchange.upstream = self
        if exchange.pending:
            exchange.pending.insert(0, exchange.encoded)
            self.transport.write(b"".join(exchange.pending))
            exchange.pending.clear()
        else:
            self.transport.write(exchange.encoded)
        if not exchange.body_done or exchange.client.choked:
            exchange.client.connected(exchange)

    def send_body(self, data: bytes) -> None:
        self.transport.write(data)

    def send_last(self, data: bytes) -> None:
        """The last piece of a body, from a client of HTTP/2."""
        self.transport.write(data)

    def send_trailers(self, trailers: Trailers) -> None:
        """Behind a body in chunks, from a client of HTTP/2."""
        self.transport.write(chunked.end(trailers.lines))

    def end(self) -> bool:
        """The client sends nothing more through the tunnel. False: it is of no use to wait then."""
        if not self.transport.can_write_eof():
            return False
        self.transport.write_eof()
        return True

    @property
    def bounded(self) -> bool:
        """In an answer of known length."""
        return self._at is At.BODY

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._exchange = None
        if self._at is not At.HEAD or self._begun or not self.transport.can_write_eof():
            self.abort()
            return
        self._at = At.ABANDONED
        self.resume()
        self.transport.write_eof()
        self._until = self._router.mono() + self._instance.activator.timeout
        self._router.wheel.add(self, self._until)

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def pause(self) -> None:
        """The client reads more slowly than the instance writes."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def check(self, now: float) -> float | None:
        """The wheel asks."""
        if self._at is At.ABANDONED and now >= self._until:
            self.abort()
        elif self._at is At.IDLE:
            expires = self._until + self._router.options.instance_idle_timeout
            if now < expires:
                return expires
            self.close()
        else:
            return now + self._router.options.instance_idle_timeout
        return None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._instance.connections.add(self)

    def data_received(self, data: bytes) -> None:
        at = self._at
        try:
            if at is _HEAD:
                self._take_head(data)
            elif at is _BODY:
                self._take_body(data)
            elif at is At.CHUNKS:
                self._take_chunks(b"", data)
            elif at is At.REST:
                self._forward(chunked.encode(data) if self._rechunk else data)
            elif at is At.TUNNEL:
                self._forward(data)
            else:
                # Nobody asked, or nobody waits any more.
                self.abort()
        except ValueError as error:
            self._break(errors.instance_error(str(error)))

    def eof_received(self) -> bool | None:
        return None

    def connection_lost(self, error: Exception | None) -> None:
        instance, exchange, at = self._instance, self._exchange, self._at
        instance.connections.discard(self)
        if self.visit:
            self._router.wheel.remove(self)
        if at is At.IDLE:
            if self in instance.idle:
                instance.idle.remove(self)
            return
        self._at, self._exchange = At.IDLE, None
        if exchange is not None and at is At.HEAD and self._used and not self._begun and exchange.repeatable:
            if instance.state is not InstanceState.GONE:
                # The container closed the connection just when we used it again: not the request's fault.
                instance.connect(exchange)
                return
        if exchange is not None:
            exchange.upstream = None
        instance.activator.release(instance)
        if exchange is None:
            return
        if at is At.REST and error is None:
            self._forward_end(exchange)
        elif at is At.TUNNEL:
            exchange.client.finish(exchange, keep=False)
        else:
            instance.let_down(exchange, _cause(error, exchange.answered))

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.client.hold_body(True)

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.client.hold_body(False)

    # The answer

    def _take_head(self, data: bytes) -> None:
        if self._begun:
            data, self._begun = self._begun + data, b""
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(data) > self._router.options.head_limit:
                raise ValueError(f"the head of its answer is larger than {self._router.options.head_limit} bytes")
            self._begun = data
            return
        exchange = self._exchange
        assert exchange is not None
        raw = data if end == len(data) else data[:end]
        plain = read_plain(raw)
        if plain is None or not exchange.plain or not exchange.keep_alive:
            self._take_uncommon_head(exchange, raw, data[end:])
            return
        exchange.status, length = plain
        self._close = False
        if len(data) == end + length:
            # The way of most answers: all of it is here, and passed on in one piece.
            exchange.answered = True
            exchange.sent = len(data)
            exchange.client.write(data)
            self._complete()
            return
        if length > self._router.options.response_limit:
            self._break(errors.answer_too_large(length, self._router.options.response_limit))
            return
        self._left = end + length
        self._at = _BODY
        self._take_body(data)

    def _take_uncommon_head(self, exchange: Exchange, raw: bytes, rest: bytes) -> None:
        head = ResponseHead(raw, exchange.method == b"HEAD")
        if head.status < 200:
            self._take_interim(exchange, head, raw, rest)
            return
        exchange.status = head.status
        self._close = head.close
        if head.length is None:
            self._start_streaming(exchange, head, raw, rest)
            return
        if head.length > self._router.options.response_limit:
            self._break(errors.answer_too_large(head.length, self._router.options.response_limit))
            return
        rewritten = self._head_for(exchange, head, head.rewrite(raw, _own_lines(exchange, head)))
        self._left = head.length + len(rewritten)
        self._at = At.BODY
        self._take_body(rewritten + rest)

    def _take_body(self, data: bytes) -> None:
        left = self._left = self._left - len(data)
        if left > 0:
            self._forward(data)
        elif left == 0:
            self._forward(data)
            self._complete()
        else:
            # More than it announced: what follows cannot be trusted.
            self._forward(data[:left])
            self._close = True
            self._complete()

    def _take_interim(self, exchange: Exchange, head: ResponseHead, raw: bytes, rest: bytes) -> None:
        if head.status == 101:
            if not head.upgrade or not exchange.head.asked_for(head.upgrade):
                raise ValueError(f"it switched to a protocol that it was not asked for: {head.upgrade[:40]!r}")
            exchange.status = 101
            self._at = At.TUNNEL
            own = b"Connection: upgrade\r\nUpgrade: %b\r\n" % head.upgrade + _session_lines(exchange, head)
            self._forward(self._head_for(exchange, head, head.rewrite(raw, own)) + rest)
            exchange.client.open_tunnel(self)
            return
        if self._interim_of is not exchange:
            self._interim_of, self._interim = exchange, 0
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise ValueError(f"it gave more than {MAX_INTERIM} interim answers")
        # 100 was answered by us when the client asked for it; the others are for the client.
        if head.status != 100 and not exchange.http10:
            exchange.client.write(self._head_for(exchange, head, head.rewrite(raw, b"")))
        if rest:
            self._take_head(rest)

    def _start_streaming(self, exchange: Exchange, head: ResponseHead, raw: bytes, rest: bytes) -> None:
        """No length: chunks for those who know them; for HTTP/1.0 the end of the connection is the end."""
        self._rechunk = not exchange.http10 and exchange.stream is None
        if exchange.http10:
            exchange.keep_alive = False
        extra = _own_lines(exchange, head)
        if self._rechunk:
            extra += b"Transfer-Encoding: chunked\r\n"
            if head.trailer and exchange.head.takes_trailers:
                extra += b"Trailer: %b\r\n" % head.trailer
        rewritten = self._head_for(exchange, head, head.rewrite(raw, extra))
        if head.chunked:
            self._decoder = ChunkedDecoder()
            self._at = At.CHUNKS
            self._take_chunks(rewritten, rest)
        else:
            self._at = At.REST
            self._forward(rewritten + (chunked.encode(rest) if self._rechunk else rest))

    def _take_chunks(self, before: bytes, data: bytes) -> None:
        decoder = self._decoder
        assert decoder is not None
        payload = decoder.feed(data)
        if self._rechunk:
            payload = chunked.encode(payload)
            if decoder.done:
                payload += self._last_chunk(decoder.trailers)
        if before or payload:
            self._forward(before + payload)
        if decoder.done:
            if decoder.trailers and self._exchange is not None and self._exchange.stream is not None:
                self._exchange.stream.end_http1(decoder.trailers)
            self._close = self._close or bool(decoder.rest)
            self._decoder = None
            self._complete()

    def _head_for(self, exchange: Exchange, head: ResponseHead, rewritten: bytes) -> bytes:
        """What goes before the body: nothing for clients of HTTP/2, who get the head apart."""
        if exchange.stream is None:
            return rewritten
        if head.status >= 200:
            exchange.answered = True
        exchange.stream.start_http1(head.status, rewritten, head.length == 0 and head.status >= 200)
        return b""

    def _last_chunk(self, trailers: Sequence[bytes]) -> bytes:
        """With those trailers that its client is interested in."""
        wanted = trailers and self._exchange is not None and self._exchange.head.takes_trailers
        return chunked.end(trailers) if wanted else chunked.LAST

    def _forward(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        exchange.answered = True
        exchange.sent += len(data)
        exchange.client.write(data)

    def _forward_end(self, exchange: Exchange) -> None:
        if self._rechunk:
            exchange.client.write(chunked.LAST)
        exchange.client.finish(exchange, keep=True)

    def _complete(self) -> None:
        """The whole answer is there: the slot is free, and the connection too unless it must be closed."""
        exchange, instance = self._exchange, self._instance
        assert exchange is not None
        self._exchange = exchange.upstream = None
        self._at = _IDLE
        now = self._router.mono()
        self._used += 1
        if self._paused:
            self.resume()
        if self._close or not exchange.body_done or instance.state is not _ACTIVE:
            self.transport.close()
        else:
            self._until = now
            instance.idle.append(self)
            if not self.visit:
                self._router.wheel.add(self, now + self._router.options.instance_idle_timeout)
        instance.activator.release(instance, now)
        exchange.client.finish(exchange, keep=True, now=now)

    def _break(self, refusal: Refusal) -> None:
        """What it says is not HTTP, or too much."""
        exchange, self._exchange = self._exchange, None
        self._at = At.ABANDONED
        self.abort()
        if exchange is not None:
            exchange.upstream = None
            exchange.client.fail(exchange, refusal)


def _own_lines(exchange: Exchange, head: ResponseHead) -> bytes:
    """What is added to the answer."""
    return exchange.client.persistence(exchange) + _session_lines(exchange, head)


def _session_lines(exchange: Exchange, head: ResponseHead) -> bytes:
    if exchange.session is None:
        return b""
    lines = affinity.renewal(exchange)
    head.cookies = head.cookies or bool(lines)
    return lines


def _cause(error: Exception | None, answered: bool) -> str:
    if error is None:
        return (
            f"the instance closed the connection {'in the middle of its answer' if answered else 'without an answer'}"
        )
    return f"the connection to the instance broke: {getattr(error, 'strerror', None) or error}"
