"""The protocol itself: what an end must do when the other does wrong (RFC 9113; most cases are those of h2spec)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import h2.config
import h2.connection
import h2.events
import pytest
from hpack.hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code, ConnectionFault, StreamFault
from homerun.lib.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITISED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)
from homerun.router.http2.connection import Connection
from homerun.router.http2.stream import Stream

BLOCK = Encoder().encode([(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")])
WINDOW = 100_000


class Kept(Stream):
    """Keeps what happens on it."""

    __slots__ = ("data", "happened")

    def __init__(self, connection: Connection, id: int) -> None:
        super().__init__(connection, id)
        self.data = b""
        self.happened: list[str] = []

    def on_headers(self, block: bytes, end: bool) -> None:
        if not end:
            raise StreamFault(Code.PROTOCOL_ERROR, "trailers do not end the stream")
        self.connection.reader.read(block)
        self.happened.append("trailers")

    def on_data(self, data: bytes, end: bool) -> None:
        self.data += data
        if end:
            self.happened.append("end")

    def on_reset(self, code: int) -> None:
        self.happened.append(f"reset {code}")

    def on_room(self) -> None:
        self.happened.append("room")


class Server(Connection):
    """Takes what comes, answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(stream_window=WINDOW, connection_window=4 * WINDOW, block_limit=40_000, now=lambda: 0.0)
        self.opened: dict[int, Kept] = {}
        self.ended_with: tuple[int, str] | None = None
        self.left_at = -1

    def on_new_stream(self, id: int, block: bytes, end: bool) -> None:
        if not id & 1 or id <= self.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "no new stream")
        self.last = id
        self.reader.read(block)
        stream = Kept(self, id)
        stream.ended = end
        self.streams[id] = self.opened[id] = stream

    def on_goaway(self, last: int, code: int) -> None:
        self.left_at = last

    def on_over(self, code: int, text: str) -> None:
        self.ended_with = (code, text)


def settled() -> Server:
    server = Server()
    server.feed(frames.settings({}))
    assert server.take_out() == frames.SETTINGS_ACK
    return server


def read(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """kind, flags, stream, payload"""
    found = []
    while data:
        word, flags, id = frames.HEAD.unpack_from(data)
        found.append((word & 255, flags, id, data[9 : 9 + (word >> 8)]))
        data = data[9 + (word >> 8) :]
    return found


def headers(id: int = 1, flags: int = END_HEADERS, block: bytes = BLOCK) -> bytes:
    return frame(HEADERS, flags, id, block)


OPEN = headers()
CLOSED_BY_END = headers(flags=END_HEADERS | END_STREAM)

CONNECTION_FAULTS: list[tuple[str, bytes, Code]] = [
    ("DATA on stream 0", frame(DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
    ("DATA on an idle stream", frame(DATA, 0, 1, b"x"), Code.PROTOCOL_ERROR),
    ("DATA with too much padding", OPEN + frame(DATA, PADDED, 1, b"\x05ab"), Code.PROTOCOL_ERROR),
    ("HEADERS on stream 0", headers(0), Code.PROTOCOL_ERROR),
    ("HEADERS on an even stream", headers(2), Code.PROTOCOL_ERROR),
    ("HEADERS on a lower stream", headers(5) + headers(3), Code.PROTOCOL_ERROR),
    ("HEADERS with too much padding", headers(1, END_HEADERS | PADDED, b"\xff" + BLOCK), Code.PROTOCOL_ERROR),
    ("HEADERS too short for priority", headers(1, END_HEADERS | PRIORITISED, b"\0\0"), Code.FRAME_SIZE_ERROR),
    ("HEADERS that are no HPACK", headers(1, END_HEADERS, b"\xff\xff\xff\xff\xff"), Code.COMPRESSION_ERROR),
    ("another frame before CONTINUATION", headers(1, 0) + frame(PING, 0, 0, bytes(8)), Code.PROTOCOL_ERROR),
    ("HEADERS before CONTINUATION", headers(1, 0) + headers(3), Code.PROTOCOL_ERROR),
    ("CONTINUATION of another stream", headers(1, 0) + frame(CONTINUATION, END_HEADERS, 3), Code.PROTOCOL_ERROR),
    ("an unknown frame before CONTINUATION", headers(1, 0) + frame(0x50, 0, 1), Code.PROTOCOL_ERROR),
    ("CONTINUATION after the end of headers", OPEN + frame(CONTINUATION, END_HEADERS, 1), Code.PROTOCOL_ERROR),
    ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, BLOCK), Code.PROTOCOL_ERROR),
    ("CONTINUATION without end", headers(1, 0) + frame(CONTINUATION, 0, 1) * 40, Code.ENHANCE_YOUR_CALM),
    ("headers that are too long", headers(1, 0) + frame(CONTINUATION, 0, 1, bytes(16_000)) * 3, Code.ENHANCE_YOUR_CALM),
    ("PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), Code.PROTOCOL_ERROR),
    ("RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, bytes(4)), Code.PROTOCOL_ERROR),
    ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, bytes(4)), Code.PROTOCOL_ERROR),
    ("RST_STREAM of 3 bytes", OPEN + frame(RST_STREAM, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR),
    ("SETTINGS on a stream", frame(SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    ("SETTINGS of 7 bytes", frame(SETTINGS, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
    ("SETTINGS acknowledged with a payload", frame(SETTINGS, ACK, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
    ("ENABLE_PUSH 2", frames.settings({2: 2}), Code.PROTOCOL_ERROR),
    ("INITIAL_WINDOW_SIZE of 2^31", frames.settings({4: 1 << 31}), Code.FLOW_CONTROL_ERROR),
    ("MAX_FRAME_SIZE of 100", frames.settings({5: 100}), Code.PROTOCOL_ERROR),
    ("PUSH_PROMISE", OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), Code.PROTOCOL_ERROR),
    ("PING on a stream", frame(PING, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    ("PING of 6 bytes", frame(PING, 0, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
    ("GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    ("GOAWAY of 4 bytes", frame(GOAWAY, 0, 0, bytes(4)), Code.FRAME_SIZE_ERROR),
    ("WINDOW_UPDATE by 0", frame(WINDOW_UPDATE, 0, 0, bytes(4)), Code.PROTOCOL_ERROR),
    ("WINDOW_UPDATE on an idle stream", frames.window_update(1, 1), Code.PROTOCOL_ERROR),
    ("WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, 0, 0, bytes(3)), Code.FRAME_SIZE_ERROR),
    ("a window above 2^31-1", frames.window_update(0, (1 << 31) - 1) * 2, Code.FLOW_CONTROL_ERROR),
    ("a frame above 2^14 bytes", OPEN + frame(DATA, 0, 1, bytes(16385)), Code.FRAME_SIZE_ERROR),
    ("a frame above 2^14 bytes of an unknown kind", frame(0x50, 0, 0, bytes(16385)), Code.FRAME_SIZE_ERROR),
    ("PING again and again", frame(PING, 0, 0, bytes(8)) * 1100, Code.ENHANCE_YOUR_CALM),
    ("SETTINGS again and again", frames.settings({}) * 1100, Code.ENHANCE_YOUR_CALM),
    ("empty DATA again and again", OPEN + frame(DATA, 0, 1) * 1100, Code.ENHANCE_YOUR_CALM),
    ("PRIORITY again and again", frame(PRIORITY, 0, 1, bytes(5)) * 1100, Code.ENHANCE_YOUR_CALM),
    ("unknown frames again and again", frame(0x50, 0, 0) * 1100, Code.ENHANCE_YOUR_CALM),
]


@pytest.mark.parametrize(
    ("data", "code"), [row[1:] for row in CONNECTION_FAULTS], ids=[r[0] for r in CONNECTION_FAULTS]
)
def test_what_is_wrong_with_the_connection_ends_it(data: bytes, code: Code) -> None:
    server = settled()
    server.feed(data)
    assert server.ended_with is not None
    assert server.ended_with[0] == code, server.ended_with
    kind, _, id, payload = read(server.take_out())[-1]
    assert (kind, id) == (GOAWAY, 0)
    assert int.from_bytes(payload[4:8], "big") == code
    server.feed(OPEN)
    assert server.take_out() == b"", "nothing more is understood"


def test_headers_on_a_stream_that_has_ended_on_both_sides_end_the_connection() -> None:
    server = settled()
    server.feed(CLOSED_BY_END)
    server.send_headers(server.opened[1], b"\x88", True)
    server.feed(headers())
    assert server.ended_with is not None
    assert server.ended_with[0] == Code.STREAM_CLOSED


STREAM_FAULTS: list[tuple[str, bytes, Code]] = [
    ("DATA after the end", CLOSED_BY_END + frame(DATA, 0, 1, b"x"), Code.STREAM_CLOSED),
    ("HEADERS after the end", CLOSED_BY_END + CLOSED_BY_END, Code.STREAM_CLOSED),
    ("trailers without end", OPEN + OPEN, Code.PROTOCOL_ERROR),
    ("DATA after RST_STREAM", OPEN + frame(RST_STREAM, 0, 1, bytes(4)) + frame(DATA, 0, 1, b"x"), Code.STREAM_CLOSED),
    ("WINDOW_UPDATE by 0", OPEN + frame(WINDOW_UPDATE, 0, 1, bytes(4)), Code.PROTOCOL_ERROR),
    ("a window above 2^31-1", OPEN + frames.window_update(1, (1 << 31) - 1) * 2, Code.FLOW_CONTROL_ERROR),
    ("PRIORITY of 4 bytes", OPEN + frame(PRIORITY, 0, 1, bytes(4)), Code.FRAME_SIZE_ERROR),
    ("PRIORITY on itself", OPEN + frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), Code.PROTOCOL_ERROR),
    (
        "HEADERS that depend on themselves",
        headers(1, END_HEADERS | PRIORITISED, b"\0\0\0\1\0" + BLOCK),
        Code.PROTOCOL_ERROR,
    ),
    ("more than its window", OPEN + frame(DATA, 0, 1, bytes(16_000)) * 7, Code.FLOW_CONTROL_ERROR),
]


@pytest.mark.parametrize(("what", "data", "code"), STREAM_FAULTS)
def test_what_is_wrong_with_a_stream_ends_that_stream_only(what: str, data: bytes, code: Code) -> None:
    server = settled()
    # Whoever passes the data on cannot: so no room is given back.
    for piece in (data[: len(OPEN)], data[len(OPEN) :]):
        server.feed(piece)
        for stream in server.streams.values():
            stream.hold(True)
    resets = [
        (id, int.from_bytes(payload, "big")) for kind, _, id, payload in read(server.take_out()) if kind == RST_STREAM
    ]
    assert resets == [(1, code)]
    assert server.ended_with is None
    server.feed(headers(7))
    assert 7 in server.streams, "the others go on"


def test_the_first_frame_must_be_settings() -> None:
    server = Server()
    server.feed(frame(PING, 0, 0, bytes(8)))
    assert server.ended_with is not None
    assert server.ended_with[0] == Code.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "data",
    [
        frame(0x50, 0xFF, 77, b"whatever"),
        frames.settings({0x99: 1}),
        frame(PRIORITY, 0, 9, bytes(5)),
        frame(PING, ACK, 0, bytes(8)),
        OPEN + frame(DATA, PADDED, 1, b"\x03abc___"),
        headers(1, END_HEADERS | PADDED | PRIORITISED, b"\x04" + bytes(5) + BLOCK + bytes(4)),
        headers(1, 0, BLOCK[:3]) + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, END_HEADERS, 1, BLOCK[3:]),
        headers(1 | 1 << 31),
    ],
)
def test_what_is_unusual_but_allowed_is_taken(data: bytes) -> None:
    server = settled()
    server.feed(data)
    assert server.ended_with is None
    assert all(kind == SETTINGS for kind, *_ in read(server.take_out()))


@pytest.mark.parametrize("sending", [True, False])
def test_a_ping_with_each_message_is_no_chatter(sending: bool) -> None:
    """As Go's gRPC does it, on both ends."""
    server = settled()
    server.feed(frames.settings({4: 1 << 20}) + frames.window_update(0, 1 << 20) + OPEN)
    for _ in range(5000):
        if sending:
            server.send_data(server.opened[1], b"message")
        server.feed((b"" if sending else frame(DATA, 0, 1, b"message")) + frame(PING, 0, 0, bytes(8)))
    assert server.ended_with is None


def test_acknowledgements_that_were_asked_for_are_no_chatter() -> None:
    server = settled()
    server.feed(frames.SETTINGS_ACK * 5000)
    assert server.ended_with is None


def test_a_ping_is_answered_with_the_same_bytes() -> None:
    server = settled()
    server.feed(frame(PING, 0, 0, b"12345678"))
    assert server.take_out() == frame(PING, ACK, 0, b"12345678")


def test_what_a_reset_stream_still_gets_is_passed_over_and_keeps_the_table_in_step() -> None:
    encoder = Encoder()
    server = settled()
    server.feed(headers(1, END_HEADERS, encoder.encode([("x-one", "1")])))
    server.reset(server.opened[1], Code.CANCEL)
    server.take_out()
    server.feed(frame(DATA, 0, 1, b"late") + headers(1, END_HEADERS | END_STREAM, encoder.encode([("x-two", "2")])))
    assert server.take_out() == b""
    server.feed(headers(3, END_HEADERS, encoder.encode([("x-one", "1"), ("x-two", "2")])))
    assert server.ended_with is None


def test_a_smaller_table_is_acknowledged_before_the_next_headers() -> None:
    server = settled()
    server.feed(frames.settings({1: 100}) + OPEN)
    server.take_out()
    server.send_headers(server.opened[1], b"\x88")
    server.send_headers(server.opened[1], b"\x88", True)
    assert [payload for *_, payload in read(server.take_out())] == [b"\x20\x88", b"\x88"]


# Flow control


def test_nothing_is_sent_beyond_the_windows() -> None:
    server = settled()
    server.feed(frames.settings({4: 10}) + OPEN)
    stream = server.opened[1]
    server.take_out()
    server.send_data(stream, b"0123456789abcdef")
    assert [payload for *_, payload in read(server.take_out())] == [b"0123456789"]
    server.send_data(stream, b"", True)
    server.feed(frames.window_update(1, 4))
    assert [payload for *_, payload in read(server.take_out())] == [b"abcd"]
    assert stream.happened == []
    server.feed(frames.window_update(1, 100))
    assert read(server.take_out()) == [(DATA, END_STREAM, 1, b"ef")]
    assert stream.happened == ["room"]


def test_a_window_may_shrink_below_nothing() -> None:
    server = settled()
    server.feed(frames.settings({4: 10}) + OPEN)
    server.send_data(server.opened[1], b"0123456789ab")
    server.feed(frames.settings({4: 3}))
    assert server.opened[1].window == -7
    server.take_out()
    server.feed(frames.window_update(1, 7))
    assert server.take_out() == b""
    server.feed(frames.settings({4: 4}))
    assert read(server.take_out())[-1] == (DATA, 0, 1, b"a")


def test_streams_take_turns_when_the_connection_has_no_room() -> None:
    server = settled()
    server.feed(frames.settings({4: 1 << 20}) + headers(1) + headers(3) + headers(5))
    server.send_data(server.opened[1], bytes(65535))
    server.take_out()
    for id in (1, 3, 5):
        server.send_data(server.opened[id], bytes(40_000))
    server.feed(frames.window_update(0, 16384 * 6))
    assert [id for _, _, id, _ in read(server.take_out())] == [1, 3, 5, 1, 3, 5]


def test_trailers_wait_for_the_data_before_them() -> None:
    server = settled()
    server.feed(frames.settings({4: 2}) + CLOSED_BY_END)
    server.take_out()
    server.send_data(server.opened[1], b"abc")
    server.send_headers(server.opened[1], b"\x88", True)
    assert [kind for kind, *_ in read(server.take_out())] == [DATA]
    server.feed(frames.window_update(1, 1))
    assert read(server.take_out()) == [(DATA, 0, 1, b"c"), (HEADERS, END_HEADERS | END_STREAM, 1, b"\x88")]
    assert server.streams == {}


def test_empty_data_that_ends_a_stream_needs_no_room() -> None:
    server = settled()
    server.feed(frames.settings({4: 0}) + OPEN)
    server.take_out()
    server.send_data(server.opened[1], b"", True)
    assert read(server.take_out()) == [(DATA, END_STREAM, 1, b"")]


def test_room_on_the_connection_comes_back_even_for_streams_that_are_held() -> None:
    server = settled()
    for id in (1, 3, 5, 7, 9, 11):
        server.feed(headers(id))
        server.opened[id].hold(True)
        server.feed(frame(DATA, 0, id, bytes(16_000)) * 6)
    given = sum(
        int.from_bytes(payload, "big")
        for kind, _, id, payload in read(server.take_out())
        if kind == WINDOW_UPDATE and id == 0
    )
    assert server.ended_with is None
    assert given >= 6 * 6 * 16_000 - 2 * WINDOW


# Against the `h2` library


def conversation() -> tuple[bytes, list[bytes]]:
    """What a client that speaks well says to a server that it never hears, and the bodies of its requests."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    bodies = [b"", b"one", bytes(40_000), b"x" * 17]
    for index, body in enumerate(bodies):
        id = 2 * index + 1
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("x-long", "y" * 200)]
        client.send_headers(id, fields)
        for at in range(0, len(body), 16_000):
            client.send_data(id, body[at : at + 16_000], pad_length=3)
        client.ping(b"12345678")
        client.send_headers(id, [("x-sum", str(len(body)))], end_stream=True)
    return client.data_to_send()[len(frames.PREFACE) :], bodies


SAID, BODIES = conversation()


@given(st.lists(st.integers(0, len(SAID)), max_size=12))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    server = Server()
    marks = [0, *sorted(cuts), len(SAID)]
    for start, stop in pairwise(marks):
        server.feed(SAID[start:stop])
    assert server.ended_with is None
    assert [stream.data for stream in server.opened.values()] == BODIES
    assert all(stream.happened == ["trailers"] for stream in server.opened.values())


def test_every_single_byte_may_come_alone() -> None:
    server = Server()
    for at in range(2000):
        server.feed(SAID[at : at + 1])
    server.feed(SAID[2000:])
    assert [stream.data for stream in server.opened.values()] == BODIES


@given(st.data())
def test_bytes_changed_anywhere_end_in_order(data: st.DataObject) -> None:
    said = bytearray(SAID[:3000])
    for at in data.draw(st.lists(st.integers(0, len(said) - 1), min_size=1, max_size=8)):
        said[at] = data.draw(st.integers(0, 255))
    server = Server()
    server.feed(bytes(said))
    out = read(server.take_out())
    if server.ended_with is not None:
        assert out[-1][0] == GOAWAY
        assert server.ended_with[0] in Code._value2member_map_


@given(st.binary(max_size=400))
def test_rubbish_ends_in_order(data: bytes) -> None:
    server = settled()
    server.feed(data)
    read(server.take_out())


Made = Callable[[int], bytes]
FRAMES: list[Made] = [
    lambda id: headers(id),
    lambda id: headers(id, END_HEADERS | END_STREAM),
    lambda id: headers(id, 0),
    lambda id: frame(CONTINUATION, END_HEADERS, id),
    lambda id: frame(DATA, 0, id, b"data"),
    lambda id: frame(DATA, END_STREAM, id, b"data"),
    lambda id: frame(RST_STREAM, 0, id, bytes(4)),
    lambda id: frames.window_update(id, 1000),
    lambda id: frame(PRIORITY, 0, id, bytes(5)),
    lambda id: frames.settings({4: 1000 * id}),
    lambda id: frame(PING, 0, 0, bytes(8)),
]


@given(st.lists(st.tuples(st.sampled_from(FRAMES), st.sampled_from([1, 1, 3, 3, 5, 7])), max_size=30), st.data())
def test_any_order_of_frames_leaves_it_consistent(
    said: list[tuple[Callable[[int], bytes], int]], data: st.DataObject
) -> None:
    """Whatever comes, and whatever is answered between: nothing breaks, and no window is overdrawn."""
    server = settled()
    for make, id in said:
        server.feed(make(id))
        if server.over:
            break
        if server.streams and data.draw(st.booleans()):
            stream = server.streams[data.draw(st.sampled_from(sorted(server.streams)))]
            if not stream.sent_end and stream.last_block is None:
                server.send_data(stream, bytes(700), data.draw(st.booleans()))
        assert server.window >= 0
        for stream in server.streams.values():
            assert stream.room >= 0
            assert (stream.queue is not None) == (stream in server._blocked)
            assert not (stream.ended and stream.sent_end)
