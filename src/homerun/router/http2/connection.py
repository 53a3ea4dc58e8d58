"""An HTTP/2 connection, as either end of it (RFC 9113): bytes in by `feed`, bytes out in `out`, no socket.

What is wrong with one stream resets that stream, what is wrong with the connection ends it with GOAWAY; what costs the
other end little and us much, repeated without end, is such a wrong too (`budget`). Room on the connection is given back
as soon as bytes arrive, so that no slow stream stops the others; each stream's own window bounds what is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code, ConnectionFault, StreamFault
from homerun.lib.http2.frames import ACK, END_HEADERS, END_STREAM, HEAD_SIZE, MAX_SIZE, MAX_WINDOW, PADDED
from homerun.router.http2.budget import Budget
from homerun.router.http2.hpack import NO_TABLE, BlockReader
from homerun.router.http2.stream import Stream

_unpack = frames.HEAD.unpack_from
_pack = frames.HEAD.pack
_REMEMBERED = 256
"""Closed streams of which we know how they ended: frames for them may be on their way."""
_MAX_CONTINUATIONS = 32
_DEFAULT_TABLE = 4096


class Connection:
    """Derived classes say what happens on it. Their streams are of classes derived from Stream."""

    def __init__(
        self, *, stream_window: int, connection_window: int, block_limit: int, now: Callable[[], float]
    ) -> None:
        """Windows, and the size of one block of headers, in bytes; `now` in seconds, asked by the budgets."""
        self.out: list[bytes] = []
        self.streams: dict[int, Stream] = {}
        self.stream_window = stream_window
        self.window = frames.DEFAULT_WINDOW
        """Bytes that the other end has room for."""
        self.initial_window = frames.DEFAULT_WINDOW
        self.peer_frame = MAX_SIZE
        self.peer_streams = MAX_WINDOW
        """How many streams the other end lets us open at a time."""
        self.reader = BlockReader()
        self.last = 0
        """The highest stream that the other end has opened."""
        self.over = False
        """GOAWAY has been sent for a fault, or the connection is lost: nothing more is understood."""
        self._connection_window = connection_window
        self._room = connection_window
        self._block_limit = block_limit
        self._rest = b""
        self.acknowledged = 0
        """SETTINGS of the other end. Below zero: so many of them somebody else has acknowledged before."""
        self._settled = False
        """The other end's SETTINGS have come."""
        self._table_told = True
        """The other end knows that the table of our encoder is as large as it allows: we never use it."""
        self._begun: tuple[int, int, list[bytes]] | None = None
        """Headers whose CONTINUATION is awaited: stream, flags, pieces."""
        self._begun_size = 0
        self._closed: dict[int, bool] = {}
        """Streams that are over; True: we reset them, so that the other end may not know yet."""
        self._blocked: dict[Stream, None] = {}
        """Those with something queued, in the order in which they are served."""
        self.chatter = Budget(1000, 100, now)
        """Frames that carry nothing of a request. Each one that does, either way, makes up for one: gRPC measures its
        connections by PING while messages flow."""
        self._handlers = (
            self._take_data,
            self._take_headers,
            self._take_priority,
            self._take_reset,
            self._take_settings,
            self._take_push,
            self._take_ping,
            self._take_goaway,
            self._take_window,
            self._take_continuation,
        )

    # What happens on it

    def wake(self) -> None:
        """There is something in `out`, where there was nothing before."""

    def on_new_stream(self, id: int, block: bytes, end: bool) -> None:
        """Headers on a stream that is not known. Raises StreamFault, ConnectionFault."""
        raise NotImplementedError

    def on_settings_ack(self) -> None:
        """The other end has read everything up to SETTINGS of ours."""

    def on_settings(self) -> None:
        """The other end's settings have changed."""

    def on_goaway(self, last: int, code: int) -> None:
        """The other end takes no streams above `last`."""

    def on_reset(self, stream: Stream) -> None:
        """The other end has reset a stream. Raises ConnectionFault when it does so too often."""

    def on_over(self, code: int, text: str) -> None:
        """A fault has ended the connection: what is in `out` is to be sent, then it is to be closed."""

    # In

    def feed(self, data: bytes) -> None:
        if self.over:
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, size = 0, len(data)
        try:
            while size - at >= HEAD_SIZE:
                word, flags, id = _unpack(data, at)
                length, kind = word >> 8, word & 0xFF
                if length > MAX_SIZE:
                    raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
                start = at + HEAD_SIZE
                at = start + length
                if at > size:
                    at = start - HEAD_SIZE
                    break
                self._take(kind, flags, id & MAX_WINDOW, data[start:at])
        except ConnectionFault as fault:
            self.give_up(fault.code, str(fault))
            return
        if at < size:
            self._rest = data[at:]

    def _take(self, kind: int, flags: int, id: int, payload: bytes) -> None:
        if not self._settled and (kind != frames.SETTINGS or flags & ACK):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if self._begun is not None and (kind != frames.CONTINUATION or id != self._begun[0]):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame between HEADERS and their CONTINUATION")
        if kind > frames.CONTINUATION:
            # Frames of kinds that nobody knows are passed over (§5.5).
            self.chatter.spend("unknown frames")
            return
        try:
            self._handlers[kind](flags, id, payload)
        except StreamFault as fault:
            self.fault(id, fault)

    def fault(self, id: int, fault: StreamFault) -> None:
        """Reset a stream of which the other end has done something wrong."""
        stream = self.streams.get(id)
        if stream is None:
            self.write(frames.rst_stream(id, fault.code))
            self._note_closed(id, True)
            return
        self.reset(stream, fault.code)
        stream.on_fault(fault)

    def _take_data(self, flags: int, id: int, payload: bytes) -> None:
        length = len(payload)
        room = self._room = self._room - length
        if room < self._connection_window >> 1:
            if room < 0:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "more than the window of the connection")
            self.write(frames.window_update(0, self._connection_window - room))
            self._room = self._connection_window
        stream = self.streams.get(id)
        if stream is None or stream.ended:
            self._take_stray_data(id)
            return
        stream.room -= length
        if stream.room < 0:
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "more than the window of the stream")
        if flags & PADDED:
            payload = frames.unpad(payload)
        if flags & END_STREAM:
            stream.ended = True
            stream.on_data(payload, True)
            if stream.sent_end:
                self.close(stream)
            return
        if payload:
            self.chatter.earn()
        else:
            self.chatter.spend("empty DATA")
        stream.on_data(payload, False)
        stream.taken += length
        if not stream.held:
            stream.give_room()

    def _take_stray_data(self, id: int) -> None:
        if self._is_idle(id):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"DATA on stream {id}, which is not open")
        if id in self.streams or not self._closed.get(id):
            raise StreamFault(Code.STREAM_CLOSED, "DATA after the end of the stream")

    def _take_headers(self, flags: int, id: int, payload: bytes) -> None:
        if not id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on stream 0")
        if flags & (PADDED | frames.PRIORITISED):
            block = frames.strip(flags, id, payload)
            if flags & frames.PRIORITISED and frames.depends_on(payload[flags & PADDED and 1 :]) == id:
                self.reader.read(block) if flags & END_HEADERS else None
                raise StreamFault(Code.PROTOCOL_ERROR, "a stream depends on itself")
            payload = block
        if flags & END_HEADERS:
            self._take_block(id, payload, flags & END_STREAM != 0)
            return
        self._begun = (id, flags, [payload])
        self._begun_size = len(payload)

    def _take_continuation(self, flags: int, id: int, payload: bytes) -> None:
        if self._begun is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first, pieces = self._begun
        pieces.append(payload)
        self._begun_size += len(payload)
        if self._begun_size > self._block_limit or len(pieces) > _MAX_CONTINUATIONS:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"headers of more than {self._block_limit} bytes")
        if flags & END_HEADERS:
            self._begun = None
            self._take_block(id, b"".join(pieces), first & END_STREAM != 0)

    def _take_block(self, id: int, block: bytes, end: bool) -> None:
        self.chatter.earn()
        stream = self.streams.get(id)
        if stream is None:
            if id in self._closed:
                self.reader.read(block)
                if self._closed[id]:
                    return
                raise ConnectionFault(Code.STREAM_CLOSED, f"HEADERS on stream {id}, which is closed")
            self.on_new_stream(id, block, end)
            return
        if stream.ended:
            self.reader.read(block)
            raise StreamFault(Code.STREAM_CLOSED, "HEADERS after the end of the stream")
        if end:
            stream.ended = True
        stream.on_headers(block, end)
        if end and stream.sent_end:
            self.close(stream)

    def _take_priority(self, flags: int, id: int, payload: bytes) -> None:
        """Deprecated (§5.3.2): checked, and passed over."""
        if not id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY on stream 0")
        self.chatter.spend("PRIORITY")
        if len(payload) != 5:
            raise StreamFault(Code.FRAME_SIZE_ERROR, "PRIORITY without 5 bytes")
        if frames.depends_on(payload) == id:
            raise StreamFault(Code.PROTOCOL_ERROR, "a stream depends on itself")

    def _take_reset(self, flags: int, id: int, payload: bytes) -> None:
        code = frames.word(payload)
        if self._is_idle(id):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"RST_STREAM for stream {id}, which is not open")
        stream = self.streams.get(id)
        if stream is None:
            self.chatter.spend("RST_STREAM")
            return
        self.close(stream)
        stream.on_reset(code)
        self.on_reset(stream)

    def _take_settings(self, flags: int, id: int, payload: bytes) -> None:
        if id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS with a payload")
            self.on_settings_ack()
            return
        self.chatter.spend("SETTINGS")
        values = frames.read_settings(payload)
        self._settled = True
        if values.get(frames.HEADER_TABLE_SIZE, _DEFAULT_TABLE) < _DEFAULT_TABLE:
            self._table_told = False
        self.peer_frame = values.get(frames.MAX_FRAME_SIZE, self.peer_frame)
        self.peer_streams = values.get(frames.MAX_CONCURRENT_STREAMS, self.peer_streams)
        self.acknowledged += 1
        if self.acknowledged > 0:
            self.write(frames.SETTINGS_ACK)
        if frames.INITIAL_WINDOW_SIZE in values:
            self._resize(values[frames.INITIAL_WINDOW_SIZE])
        self.on_settings()

    def _resize(self, window: int) -> None:
        more = window - self.initial_window
        self.initial_window = window
        for stream in self.streams.values():
            stream.window += more
            if stream.window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window above 2^31-1")
        if more > 0 and self._blocked:
            self._send_queued()

    def _take_push(self, flags: int, id: int, payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE, which is not enabled")

    def _take_ping(self, flags: int, id: int, payload: bytes) -> None:
        if id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING without 8 bytes")
        self.chatter.spend("PING")
        if not flags & ACK:
            self.write(frames.frame(frames.PING, ACK, 0, payload))

    def _take_goaway(self, flags: int, id: int, payload: bytes) -> None:
        if id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY without 8 bytes")
        self.on_goaway(int.from_bytes(payload[:4], "big") & MAX_WINDOW, int.from_bytes(payload[4:8], "big"))

    def _take_window(self, flags: int, id: int, payload: bytes) -> None:
        more = frames.word(payload)
        if not id:
            if not more:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            self.window += more
            if self.window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window above 2^31-1")
            if self._blocked:
                self._send_queued()
            return
        stream = self.streams.get(id)
        if stream is None:
            if self._is_idle(id):
                raise ConnectionFault(Code.PROTOCOL_ERROR, f"WINDOW_UPDATE for stream {id}, which is not open")
            return
        if not more:
            raise StreamFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        stream.window += more
        if stream.window > MAX_WINDOW:
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "a window above 2^31-1")
        if stream.queue is not None:
            self._send_queued()

    def _is_idle(self, id: int) -> bool:
        """The stream has not been opened by anybody yet."""
        return id > self.last or not id & 1

    # Out

    def write(self, data: bytes) -> None:
        if not self.out:
            self.wake()
        self.out.append(data)

    def take_out(self) -> bytes:
        out, self.out = self.out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def send_headers(self, stream: Stream, block: bytes, end: bool = False) -> None:
        if not self._table_told:
            self._table_told = True
            block = NO_TABLE + block
        if end and stream.queue is not None:
            stream.last_block = block
            return
        self.write(frames.header_frames(stream.id, block, end, self.peer_frame))
        if end:
            self._finish_sending(stream)

    def send_data(self, stream: Stream, data: bytes, end: bool = False) -> None:
        """Now, or when the other end has room for it."""
        length = len(data)
        if stream.queue is None and length <= stream.window and length <= self.window and length <= self.peer_frame:
            stream.window -= length
            self.window -= length
            if not self.out:
                self.wake()
            self.out.append(_pack(length << 8, end, stream.id) + data)
            self.chatter.earn()
            if end:
                self._finish_sending(stream)
            return
        if stream.queue is None:
            stream.queue = deque()
            self._blocked[stream] = None
        if data:
            stream.queue.append(data)
        if end:
            stream.last_block = b""
        self._send_queued()

    def reset(self, stream: Stream, code: int) -> None:
        """It is over, for us: `on_reset` is not called."""
        if stream.id in self.streams:
            self.write(frames.rst_stream(stream.id, code))
            self.close(stream, reset=True)

    def close(self, stream: Stream, reset: bool = False) -> None:
        """Forget it."""
        if self.streams.pop(stream.id, None) is not None:
            stream.sent_end = stream.ended = True
            if stream.queue is not None:
                stream.queue = None
                self._blocked.pop(stream, None)
            self._note_closed(stream.id, reset)

    def give_up(self, code: int, text: str) -> None:
        """End the connection for a fault of the other end."""
        self.write(frames.goaway(self.last, code, text))
        self.over = True
        self._rest = b""
        self.on_over(code, text)

    def _note_closed(self, id: int, reset: bool) -> None:
        closed = self._closed
        closed[id] = reset
        if len(closed) > _REMEMBERED:
            del closed[next(iter(closed))]

    def _finish_sending(self, stream: Stream) -> None:
        stream.sent_end = True
        if stream.ended:
            self.close(stream)

    def _send_queued(self) -> None:
        """One frame of each stream in turn, as long as there is room."""
        idle = 0
        while self._blocked and idle < len(self._blocked):
            stream = next(iter(self._blocked))
            del self._blocked[stream]
            self._blocked[stream] = None
            idle = 0 if self._send_one(stream) else idle + 1

    def _send_one(self, stream: Stream) -> bool:
        """False: there is no room."""
        queue = stream.queue
        assert queue is not None
        if queue:
            size = min(self.window, stream.window, self.peer_frame, len(queue[0]))
            if size <= 0:
                return False
            piece = queue[0]
            if size < len(piece):
                queue[0] = piece[size:]
                piece = piece[:size]
            else:
                queue.popleft()
            stream.window -= size
            self.window -= size
            end = not queue and stream.last_block == b""
            self.chatter.earn()
            self.write(_pack(size << 8, end, stream.id) + piece)
        elif stream.last_block == b"":
            end = True
            self.write(frames.frame(frames.DATA, END_STREAM, stream.id))
        else:
            end = False
        if queue:
            return True
        stream.queue = None
        del self._blocked[stream]
        if stream.last_block:
            end = True
            self.write(frames.header_frames(stream.id, stream.last_block, True, self.peer_frame))
        if end:
            self._finish_sending(stream)
        stream.on_room()
        return True
