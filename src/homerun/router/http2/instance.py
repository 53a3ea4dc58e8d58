"""Instances that speak HTTP/2: the exchanges that they have slots for share a connection, or a few.

A stream holds the slot of its exchange. When nobody waits for the answer any more it is reset, and the slot is free
when the instance has shown that it has read that: by acknowledging SETTINGS sent behind, which every end must do.
What the instance says that it has not begun (REFUSED_STREAM, GOAWAY) is sent once more, to whichever instance is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from homerun.core.dispatcher import State
from homerun.lib.http2 import codes, frames
from homerun.lib.http2.codes import Code, ConnectionFault, StreamFault
from homerun.router import affinity, errors
from homerun.router.chunked import ChunkedDecoder
from homerun.router.http2.connection import Connection
from homerun.router.http2.downgrade import Http1Answer
from homerun.router.http2.message import (
    Answer,
    Trailers,
    block_from_http1,
    encode_lines,
    private,
    read_answer,
    read_trailers,
)
from homerun.router.http2.stream import Stream
from homerun.router.instance import RemoteInstance
from homerun.router.upstream import MAX_INTERIM

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.exchange import Exchange

STREAM_WINDOW = 256 << 10
CONNECTION_WINDOW = 16 << 20
_KEPT = 64 << 10
"""Bytes of a body that are kept until the answer begins, in case it has to be sent again."""
_TRIES = 3
"""Instances may decline a request so many times."""
_BODILESS = frozenset((204, 304))


class InstanceStream(Stream):
    """`upstream` of its exchange."""

    __slots__ = ("_answer", "_decoder", "_interim", "_kept", "_kept_size", "_left", "exchange")

    connection: InstanceConnection

    def __init__(self, connection: InstanceConnection, id: int, exchange: Exchange) -> None:
        super().__init__(connection, id)
        self.exchange: Exchange | None = exchange
        self._answer = exchange.stream or Http1Answer(exchange)
        self._interim = 0
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        self._left: int | None = None
        """Bytes that are missing of the answer's body; None: it did not say."""
        self._decoder: ChunkedDecoder | None = None
        """For a client of HTTP/1.1 whose body comes in chunks."""

    # The request

    def begin(self, exchange: Exchange) -> None:
        """The head, and what is there of the body."""
        body, exchange.pending = exchange.pending, []
        connection = self.connection
        client = exchange.stream
        if client is not None:
            trailers = client.trailers
            connection.send_headers(self, exchange.encoded, exchange.body_done and not body and trailers is None)
            last = body.pop() if body and exchange.body_done and trailers is None else None
            for piece in body:
                self.send_body(piece)
            if last is not None:
                self.send_last(last)
            elif trailers is not None:
                client.trailers = None
                self.send_trailers(trailers)
        else:
            if exchange.head.chunked:
                self._decoder = ChunkedDecoder()
            bodiless = not exchange.head.chunked and not exchange.head.length
            connection.send_headers(self, block_from_http1(exchange.encoded), bodiless)
            for piece in body:
                self.send_body(piece)
        if not exchange.body_done or exchange.client.choked:
            exchange.client.connected(exchange)

    def send_body(self, data: bytes) -> None:
        """From a client of HTTP/1.1 as the instance would get it in HTTP/1.1."""
        exchange = self.exchange
        if exchange is None or self.sent_end:
            return
        self._keep(data)
        end = False
        if self._decoder is not None:
            data = self._decoder.feed(data)
            if self._decoder.done:
                if self._decoder.trailers:
                    self.connection.send_data(self, data)
                    self.connection.send_headers(self, encode_lines(self._decoder.trailers), True)
                    return
                end = True
        elif exchange.stream is None:
            end = exchange.received >= exchange.head.length
        self._send(data, end)

    def send_last(self, data: bytes) -> None:
        """The last piece of a body, from a client of HTTP/2."""
        self._keep(data)
        self._send(data, True)

    def send_trailers(self, trailers: Trailers) -> None:
        self._kept = None
        self.connection.send_headers(self, trailers.block, True)

    def _send(self, data: bytes, end: bool) -> None:
        self.connection.send_data(self, data, end)
        if self.queue is not None and self.exchange is not None:
            self.exchange.client.hold_body(True)

    def _keep(self, data: bytes) -> None:
        kept = self._kept
        if kept is not None:
            self._kept_size += len(data)
            if self._kept_size > _KEPT:
                self._kept = None
            else:
                kept.append(data)

    # The answer

    @property
    def bounded(self) -> bool:
        """In an answer of known length."""
        return self._left is not None

    def on_headers(self, block: bytes, end: bool) -> None:
        exchange = self.exchange
        if exchange is None:
            self.connection.reader.read(block)
            return
        if exchange.answered:
            trailers = read_trailers(self.connection.reader, block)
            if not end:
                raise StreamFault(Code.PROTOCOL_ERROR, "its trailers do not end the stream")
            self._check_length()
            exchange.sent += len(block)
            self._answer.end(trailers)
            self._complete(exchange)
            return
        answer = read_answer(self.connection.reader, block)
        if answer.status < 200:
            self._take_interim(answer, end)
            return
        self._kept = None
        exchange.status = answer.status
        exchange.answered = True
        exchange.sent += len(block)
        if answer.length is not None:
            empty = exchange.method == b"HEAD" or answer.status in _BODILESS
            self._left = 0 if empty else answer.length
            if end:
                self._check_length()
        if exchange.session is not None:
            answer = _with_session(exchange, answer)
        self._answer.start(answer, end)
        if end:
            self._complete(exchange)

    def on_data(self, data: bytes, end: bool) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        if not exchange.answered:
            raise StreamFault(Code.PROTOCOL_ERROR, "its answer begins with DATA")
        exchange.sent += len(data)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise StreamFault(Code.PROTOCOL_ERROR, "its answer is longer than its content-length says")
            if end:
                self._check_length()
        self._answer.data(data, end)
        if end:
            self._complete(exchange)

    def on_reset(self, code: int) -> None:
        if code == Code.REFUSED_STREAM and self.decline():
            return
        self._fail(f"the instance reset the stream: {codes.name(code)}", code)

    def on_fault(self, fault: StreamFault) -> None:
        self._fail(str(fault), fault.code)

    def on_room(self) -> None:
        if self.exchange is not None and not self.connection.choked:
            self.exchange.client.hold_body(False)

    # The exchange

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self.exchange = None
        self.connection.reset(self, Code.CANCEL)
        self.connection.release_when_read()

    def pause(self) -> None:
        """The client takes the answer more slowly than it comes."""
        self.hold(True)

    def resume(self) -> None:
        if self.held:
            self.hold(False)

    def decline(self) -> bool:
        """The instance has not begun it. False: it cannot be sent again."""
        exchange = self.exchange
        if exchange is None:
            return False
        exchange.declined += 1
        if self._kept is None or exchange.answered or exchange.declined > _TRIES:
            return False
        exchange.pending = self._kept
        exchange.upstream = self.exchange = None
        instance = self.connection.instance
        instance.activator.release(instance)
        if not exchange.over:
            instance.activator.retry(exchange)
        return True

    def lost(self, cause: str) -> None:
        """With its connection."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.upstream = None
            instance = self.connection.instance
            instance.activator.release(instance)
            instance.let_down(exchange, cause)

    def _take_interim(self, answer: Answer, end: bool) -> None:
        self._interim += 1
        if end or self._interim > MAX_INTERIM:
            raise StreamFault(Code.PROTOCOL_ERROR, "its answer ends before it begins")
        # 100 was answered by us when the client asked for it; the others are for the client.
        if answer.status != 100:
            self._answer.interim(answer)

    def _check_length(self) -> None:
        if self._left:
            raise StreamFault(Code.PROTOCOL_ERROR, "its answer is shorter than its content-length says")

    def _complete(self, exchange: Exchange) -> None:
        """The whole answer is there: the slot is free."""
        exchange.upstream = self.exchange = None
        connection = self.connection
        instance = connection.instance
        now = connection.router.mono()
        if self.sent_end:
            connection.close(self)
        else:
            connection.reset(self, Code.NO_ERROR)
        instance.activator.release(instance, now)
        exchange.client.finish(exchange, keep=True, now=now)
        connection.settle(now)

    def _fail(self, cause: str, code: int) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        exchange.upstream = None
        instance = self.connection.instance
        instance.activator.release(instance)
        refusal = errors.instance_error(cause)
        if exchange.stream is not None:
            exchange.stream.fail(exchange, refusal, code)
        else:
            exchange.client.fail(exchange, refusal)
        self.connection.settle(self.connection.router.mono())


class InstanceConnection(Connection, asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, instance: Http2Instance) -> None:
        self.router = instance.activator.router
        super().__init__(
            stream_window=STREAM_WINDOW,
            connection_window=CONNECTION_WINDOW,
            block_limit=self.router.options.head_limit,
            now=self.router.mono,
        )
        self.instance = instance
        self.choked = False
        self.visit = 0
        self._next = 1
        self._leaving = False
        """The instance takes no more streams on it."""
        self._idle_since = 0.0
        self._acks: deque[float] = deque()
        """For each SETTINGS of ours that is not acknowledged: until when a slot waits for that; 0: none does."""

    def __repr__(self) -> str:
        return f"<http2.InstanceConnection {self.instance.id}, {len(self.streams)} streams>"

    @property
    def free(self) -> bool:
        """It can take another exchange."""
        return (
            len(self.streams) < self.peer_streams
            and not self._leaving
            and not self.over
            and self._next < frames.MAX_WINDOW
            and not self.transport.is_closing()
        )

    def open(self, exchange: Exchange) -> None:
        id = self._next
        self._next = id + 2
        stream = InstanceStream(self, id, exchange)
        self.streams[id] = exchange.upstream = stream
        stream.begin(exchange)

    def release_when_read(self) -> None:
        """A slot is free once the instance has read what was sent to it so far."""
        if self.over:
            self.instance.activator.release(self.instance)
            return
        until = self.router.mono() + self.instance.activator.timeout
        self._acks.append(until)
        self.write(frames.settings({}))
        if not self.visit:
            self.router.wheel.add(self, until)

    def settle(self, now: float) -> None:
        """A stream is over."""
        if not self.streams:
            self._idle_since = now
            if self._leaving or self.instance.state is not State.ACTIVE:
                self.close_when_sent()
            elif not self.visit:
                self.router.wheel.add(self, now + self.router.options.instance_idle_timeout)

    def close_when_sent(self) -> None:
        self._flush()
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def check(self, now: float) -> float | None:
        """The wheel asks."""
        for at, until in enumerate(self._acks):
            if 0 < until <= now:
                # Deaf, or dead.
                self._acks[at] = 0
                self.instance.activator.release(self.instance, now)
        if not self.streams and not any(self._acks):
            expires = self._idle_since + self.router.options.instance_idle_timeout
            if now < expires:
                return expires
            self.write(frames.goaway(0, Code.NO_ERROR))
            self.close_when_sent()
            return None
        return now + self.router.options.instance_idle_timeout

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.instance.connections.add(self)
        ours = {
            frames.HEADER_TABLE_SIZE: 0,
            frames.ENABLE_PUSH: 0,
            frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            frames.MAX_HEADER_LIST_SIZE: self.router.options.head_limit,
        }
        self.write(frames.PREFACE + frames.settings(ours))
        self.write(frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW))
        self._acks.append(0)

    def data_received(self, data: bytes) -> None:
        if not self._settled and data[:7] == b"HTTP/1.":
            self.give_up(Code.HTTP_1_1_REQUIRED, "it speaks HTTP/1.1 on its port, which is named h2c")
            return
        self.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True
        if self.visit:
            self.router.wheel.remove(self)
        instance = self.instance
        instance.forget(self)
        how = "was closed by it" if error is None else f"broke: {error}"
        self._lose(f"the connection to the instance {how}")
        for until in self._acks:
            if until:
                instance.activator.release(instance)
        self._acks.clear()

    def pause_writing(self) -> None:
        self.choked = True
        for exchange in self._exchanges():
            exchange.client.hold_body(True)

    def resume_writing(self) -> None:
        self.choked = False
        for exchange in self._exchanges():
            if isinstance(exchange.upstream, InstanceStream) and exchange.upstream.queue is None:
                exchange.client.hold_body(False)

    # Connection

    def wake(self) -> None:
        self.router.loop.call_soon(self._flush)

    def on_new_stream(self, id: int, block: bytes, end: bool) -> None:
        if self._is_idle(id):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"HEADERS on stream {id}, which nobody opened")
        self.reader.read(block)

    def on_settings_ack(self) -> None:
        if not self._acks:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "an acknowledgement of SETTINGS that were not sent")
        if self._acks.popleft():
            self.instance.activator.release(self.instance)

    def on_settings(self) -> None:
        self.instance.welcome(self)

    def on_goaway(self, last: int, code: int) -> None:
        self._leaving = True
        for stream in [stream for stream in self._streams() if stream.id > last]:
            self.close(stream)
            if not stream.decline():
                stream.lost(f"the instance closed the connection: {codes.name(code)}")
        self.settle(self.router.mono())

    def on_over(self, code: int, text: str) -> None:
        self._flush()
        self._lose(text)
        self.transport.close()

    def _is_idle(self, id: int) -> bool:
        return id >= self._next or not id & 1

    # Inside

    def _streams(self) -> list[InstanceStream]:
        return [stream for stream in self.streams.values() if isinstance(stream, InstanceStream)]

    def _exchanges(self) -> list[Exchange]:
        return [stream.exchange for stream in self._streams() if stream.exchange is not None]

    def _lose(self, cause: str) -> None:
        for stream in self._streams():
            self.close(stream)
            stream.lost(cause)

    def _flush(self) -> None:
        if self.out and not self.transport.is_closing():
            self.transport.write(self.take_out())


class Http2Instance(RemoteInstance):
    __slots__ = ("_awaiting", "_open", "_opening")

    def __init__(self, id: str, host: str, port: int, activator: Activator) -> None:
        super().__init__(id, host, port, activator)
        self._open: list[InstanceConnection] = []
        self._awaiting: dict[Exchange, None] = {}
        """Those that have a slot and wait for a connection."""
        self._opening: asyncio.Task[None] | None = None

    def send(self, exchange: Exchange, now: float) -> None:
        exchange.instance = self
        self.wake()
        for connection in self._open:
            if connection.free:
                connection.open(exchange)
                return
        self._awaiting[exchange] = None
        self._connect_once()

    def abandon(self, exchange: Exchange) -> None:
        self._let_down.pop(exchange, None)
        if exchange in self._awaiting:
            del self._awaiting[exchange]
            self.activator.release(self)

    def close(self) -> None:
        for connection in self._open:
            if not connection.streams:
                connection.close_when_sent()
        if self._opening is not None:
            self._opening.cancel()
        super().close()

    def forget(self, connection: InstanceConnection) -> None:
        self.connections.discard(connection)
        if connection in self._open:
            self._open.remove(connection)

    def welcome(self, connection: InstanceConnection) -> None:
        """It may take more streams than before."""
        self._serve()

    def _connect_once(self) -> None:
        if self._opening is None:
            self._opening = self.activator.router.tasks.spawn(self._establish(), name=f"connect to {self.id}")

    async def _establish(self) -> None:
        router = self.activator.router
        reason = ""
        try:
            async with asyncio.timeout(router.options.connect_timeout):
                _, connection = await router.loop.create_connection(
                    lambda: InstanceConnection(self), self.host, self.port
                )
            self._open.append(connection)
        except TimeoutError:
            reason = f"no connection to {self.host}:{self.port} in {router.options.connect_timeout} s"
        except OSError as error:
            reason = f"connecting to {self.host}:{self.port} failed: {error.strerror or error}"
        except asyncio.CancelledError:
            reason = "it is gone"
        self._opening = None
        if reason:
            self._give_back(reason)
        else:
            self._serve()

    def _serve(self) -> None:
        for connection in self._open:
            while self._awaiting and connection.free:
                exchange = next(iter(self._awaiting))
                del self._awaiting[exchange]
                connection.open(exchange)
        if self._awaiting:
            self._connect_once()

    def _give_back(self, reason: str) -> None:
        awaiting, self._awaiting = self._awaiting, {}
        if self.state is State.ACTIVE:
            self.activator.failed(self, reason)
        for exchange in awaiting:
            self.activator.release(self)
            if not exchange.over:
                self.activator.retry(exchange)


def _with_session(exchange: Exchange, answer: Answer) -> Answer:
    renewal = affinity.renewal(exchange)
    if not renewal:
        return answer
    value = renewal.partition(b":")[2].strip()
    return Answer(answer.status, [*private(answer.lines), b"set-cookie", b": ", value, b"\r\n"], answer.length)
