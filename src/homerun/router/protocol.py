"""A client's connection: its requests (reading.py) in the order in which they came, and answers back in the same order.

Reading goes on while a request is being answered, so that a client that leaves is noticed; it stops while requests
are in line behind it (pipelining), while the instance takes the body more slowly than the client sends it, and while
a body has to wait for an instance. So a connection holds a bounded number of bytes whatever the two ends do.

A client that ends its sending may have left, or may still wait for its answer, and nothing tells the two apart but
sending it something: who has left answers that with a reset. So whoever waits is sent an interim answer and served.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from homerun.router import crowd, errors
from homerun.router.admission import admit
from homerun.router.boundary import Boundary
from homerun.router.errors import Refusal
from homerun.router.exchange import CLIENT_LEFT, Exchange
from homerun.router.half_closed import look_after
from homerun.router.headers import RequestHead
from homerun.router.http2.client import take_over
from homerun.router.origin import Origin
from homerun.router.reading import Reading
from homerun.router.routes import Misdirected
from homerun.router.wheel import TICK

if TYPE_CHECKING:
    from homerun.router.front import Front
    from homerun.router.server import Router
    from homerun.router.upstream import InstanceConnection

_log = logging.getLogger("homerun.router")

_BODY_AHEAD = 64 << 10
"""Bytes of a body that are read before there is an instance to send them to."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientConnection(Reading):
    __slots__ = (
        "_boundary",
        "_current",
        "_deadline",
        "_early",
        "_held",
        "_line",
        "_paused",
        "_tunnel",
        "choked",
        "origin",
        "transport",
        "visit",
        "write",
    )

    protocol = "HTTP/1.1"
    _front: Front | None = None
    """What is answered before any service is asked (front.py)."""
    transport: asyncio.Transport
    origin: Origin
    write: Callable[[bytes], None]
    """Of its transport."""

    def __init__(self, router: Router) -> None:
        super().__init__(router)
        self._boundary = Boundary(router.loop) if router.peers is not None else None
        """None: no other router can want the connection."""
        self._current: Exchange | None = None
        """The one whose turn it is to be answered."""
        self._line: deque[Exchange] = deque()
        """Those that came before the current one was answered."""
        self._tunnel: InstanceConnection | None = None
        self._early: bytes | None = None
        """What came after a request to switch protocols: for the instance if it agrees, for the parser if not."""
        self._held = False
        """The instance cannot take more of the body now."""
        self._paused = False
        self.choked = False
        """The client does not take what is written to it."""
        self._deadline = 0.0
        self.visit = 0

    def __repr__(self) -> str:
        return f"<ClientConnection {self.origin.ip} {self._current or 'idle'}, {len(self._line)} in line>"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.write = self.transport.write
        peer = transport.get_extra_info("peername")
        self.origin = self._router.origin(peer[0] if peer else "")
        self._router.clients.add(self)
        if len(self._router.clients) > self._router.options.max_connections:
            self._deaf = True
            self._router.clients.discard(self)
            crowd.turn_away(
                self._router, self.transport, errors.TOO_MANY_CONNECTIONS.encode(head_only=False, keep_alive=False)
            )
            return
        self._set_deadline(self._router.mono() + self._router.options.header_timeout)

    def data_received(self, data: bytes) -> None:
        if self._current is None and self._head is None and self._receiving is None and self._take_whole(data):
            return
        if self._tunnel is not None:
            self._tunnel.send_body(data)
        elif self._early is not None:
            self._early += data
            self._steer_reading()
        elif not self._deaf:
            self._parse(data)

    def eof_received(self) -> bool:
        """It sends nothing more. True: it may be waiting for an answer all the same."""
        exchange = self._current
        if self._tunnel is not None:
            return self._tunnel.end()
        if exchange is None or exchange.over or self._receiving is not None or self._early is not None:
            return False
        if not self.transport.can_write_eof() or (exchange.answered and not exchange.bounded):
            # A stream may be silent for long, so the next piece of it is no way to find out.
            return False
        last = self._line[-1] if self._line else exchange
        last.keep_alive = False
        if not exchange.answered and not exchange.http10:
            self.transport.write(_CONTINUE)
            look_after(self._router.loop, self.transport, exchange)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._router.left(self)
        if self.visit:
            self._router.wheel.remove(self)
        self._deaf = True
        self._line.clear()
        self._receiving = None
        exchange, self._current = self._current, None
        if exchange is not None and not exchange.over:
            exchange.status = exchange.status or CLIENT_LEFT
            self._leave(exchange)
            self._router.stats.record(exchange, self._router.mono())
        self._tunnel = None

    def pause_writing(self) -> None:
        self.choked = True
        if self._current is not None and self._current.upstream is not None:
            self._current.upstream.pause()

    def resume_writing(self) -> None:
        self.choked = False
        if self._current is None:
            self._next()
        elif self._current.upstream is not None:
            self._current.upstream.resume()

    # Requests

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.started = self._router.mono()
        if exchange.refusal is not None:
            self.refuse(exchange, exchange.refusal)
        else:
            admit(self._router, exchange)

    def refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        if exchange.head.continues and not exchange.body_done:
            # Whether it will send the body nobody can know.
            exchange.keep_alive = False
        exchange.status, exchange.refusal = refusal.status, refusal
        answer = refusal.encode(head_only=exchange.method == b"HEAD", keep_alive=exchange.keep_alive)
        exchange.answered = True
        exchange.sent += len(answer)
        self.transport.write(answer)
        if self._boundary is not None:
            self._boundary.mix()
        self.finish(exchange, keep=True)

    def fail(self, exchange: Exchange, refusal: Refusal) -> None:
        if exchange.over:
            return
        if not exchange.answered:
            self.refuse(exchange, refusal)
            return
        exchange.refusal = refusal
        self.transport.abort()

    def finish(self, exchange: Exchange, *, keep: bool, now: float | None = None) -> None:
        router = self._router
        now = router.mono() if now is None else now
        exchange.over = True
        self._held = False
        router.stats.record(exchange, now)
        if not keep or not exchange.keep_alive:
            self._hang_up(exchange, now)
            return
        self._current = None
        if self._line:
            self._next()
            return
        self._set_deadline(now + router.options.idle_timeout)
        if self._early is not None and exchange.head.upgrade:
            # The instance does not switch protocols: it was an ordinary request.
            rest, self._early = self._early, None
            if rest:
                self.data_received(rest)

    def connected(self, exchange: Exchange) -> None:
        if exchange.head.continues and not exchange.body_done and not exchange.received:
            self.transport.write(_CONTINUE)
        if self.choked and exchange.upstream is not None:
            exchange.upstream.pause()
        self._steer_reading()

    def hold_body(self, held: bool) -> None:
        self._held = held
        self._steer_reading()

    def allow(self, exchange: Exchange, seconds: float) -> None:
        self._set_deadline(exchange.started + seconds)

    def persistence(self, exchange: Exchange) -> bytes:
        if not exchange.keep_alive:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if exchange.http10 else b""

    def open_tunnel(self, tunnel: InstanceConnection) -> None:
        self._tunnel = tunnel
        early, self._early = self._early, None
        if early:
            tunnel.send_body(early)
        self._steer_reading()

    def stop(self) -> None:
        """The router is stopping: no further request on this connection."""
        if self._current is None:
            self.transport.close()
            return
        self._current.keep_alive = False

    def check(self, now: float) -> float | None:
        """The wheel asks."""
        if now < self._deadline:
            return self._deadline
        exchange = self._current
        if self.transport.is_closing() or self._deaf:
            self.transport.abort()
        elif exchange is None:
            if self._head is not None and self._receiving is None:
                answer = errors.HEADER_TIMEOUT.encode(head_only=False, keep_alive=False)
                self.transport.write(answer)
            self.transport.close()
            # If it does not read what was written there will be no end of it.
            self._deadline = now + self._router.options.linger
            return self._deadline
        elif exchange.answered:
            exchange.refusal = errors.TIMEOUT
            self.transport.abort()
        else:
            self._leave(exchange)
            self.refuse(exchange, errors.TIMEOUT)
            return self._deadline
        return None

    # Inside

    def _next(self) -> None:
        if self._line and not self.choked:
            exchange = self._line.popleft()
            self._steer_reading()
            try:
                self._begin(exchange)
            except Misdirected:
                self._misdirected(exchange)

    def _pass_on(self, owner: int, data: bytes) -> None:
        """To the router that owns the host, if this request is all there is on this connection: nothing of another one
        in flight, unwritten, or in the same bytes. Otherwise the client has to open another connection."""
        exchange, peers, boundary, transport = self._current, self._router.peers, self._boundary, self.transport
        assert peers is not None and boundary is not None and exchange is not None
        self._deaf = True
        everything = boundary.cut(data, whole=self._head_size < 0)
        unwritten = self.choked or transport.get_write_buffer_size() or transport.is_closing()
        if everything is None or unwritten or transport.get_extra_info("sslcontext") is not None:
            self._misdirected(exchange)
            return
        self._current = self._receiving = None
        try:
            peers.give(owner, transport, everything)
        except OSError as error:
            _log.warning("a connection could not be passed on: %s", error)
            transport.abort()

    def _misdirected(self, exchange: Exchange) -> None:
        exchange.keep_alive = False
        self.refuse(exchange, errors.MISDIRECTED)

    def _object(self, refusal: Refusal) -> None:
        if self._deaf:
            return
        self._deaf = True
        exchange = self._receiving
        if exchange is not None and not exchange.body_done:
            # In the middle of a body.
            self._receiving = None
            exchange.keep_alive = False
            if exchange.over:
                self._hang_up(exchange, self._router.mono())
            elif exchange is not self._current:
                exchange.refusal = refusal
            elif exchange.answered:
                self.transport.abort()
            else:
                self._leave(exchange)
                self.refuse(exchange, refusal)
            return
        exchange = Exchange(self, b"GET", self._target, self._head or RequestHead(), False, False)
        self._head = None
        exchange.refusal, exchange.body_done = refusal, True
        if self._current is None and not self.choked:
            self._begin(exchange)
        else:
            self._line.append(exchange)

    def _become_http2(self, data: bytes) -> bool:
        if self._current is not None or self._line:
            return False
        self._deaf, self._head = True, None
        if self.visit:
            self._router.wheel.remove(self)
        self._router.clients.discard(self)
        take_over(self._router, self.transport, self.origin, data, self._front)
        return True

    def _switch(self, rest: bytes) -> None:
        asking = self._line[-1] if self._line else self._current
        if self._tunnel is not None:
            self._tunnel.send_body(rest)
        elif asking is not None and asking.head.upgrade:
            self._early = rest
        elif rest:
            self.data_received(rest)

    def _take(self, exchange: Exchange) -> None:
        if self._current is None and not self.choked:
            self._begin(exchange)
        else:
            self._line.append(exchange)
            self._steer_reading()

    def _head_begun(self, data: bytes, *, first: bool) -> None:
        if self._boundary is not None and self._receiving is None:
            self._boundary.keep(data, first=first, alone=self._current is None)
        if first and self._current is None:
            self._set_deadline(self._router.mono() + self._router.options.header_timeout)

    def _body_ended(self, exchange: Exchange) -> None:
        if exchange.over and self._boundary is not None:
            self._boundary.mix()

    def _send_body(self, exchange: Exchange, data: bytes) -> None:
        if exchange.upstream is not None:
            exchange.upstream.send_body(data)
        else:
            exchange.pending.append(data)
            self._steer_reading()

    def _steer_reading(self) -> None:
        """Read on, or not: the one place that decides it."""
        receiving = self._receiving
        ahead = receiving is not None and receiving.upstream is None and not receiving.over
        stop = not self._deaf and (
            self._held
            or bool(self._line)
            or (ahead and receiving is not None and receiving.received > _BODY_AHEAD)
            or (self._early is not None and len(self._early) > _BODY_AHEAD)
        )
        if stop is self._paused or self.transport.is_closing():
            return
        self._paused = stop
        if stop:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _leave(self, exchange: Exchange) -> None:
        """Nobody waits for the answer of the instance any more."""
        exchange.abandon()
        self._held = False

    def _hang_up(self, exchange: Exchange, now: float) -> None:
        """Close once everything is written. If the client may be sending still, closing at once would make its
        kernel throw away the answer: read on for a while."""
        self._current, self._tunnel = None, None
        self._line.clear()
        mid_body = not exchange.body_done or self._deaf
        self._deaf = True
        if not mid_body or not self.transport.can_write_eof():
            self._set_deadline(now + self._router.options.header_timeout)
            self.transport.close()
            return
        self._set_deadline(now + self._router.options.linger)
        self._steer_reading()
        self.transport.write_eof()

    def _set_deadline(self, deadline: float) -> None:
        self._deadline = deadline
        if self.visit * TICK > deadline or not self.visit:
            self._router.wheel.add(self, deadline)
