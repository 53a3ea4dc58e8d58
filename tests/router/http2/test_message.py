from __future__ import annotations

import pytest
from hpack.hpack import Decoder, Encoder

from homerun.lib.http2.codes import Code, StreamFault
from homerun.router.http2 import message
from homerun.router.http2.hpack import BlockReader
from homerun.router.origin import Origin
from homerun.router.trace import Trace
from tests.support.router import Request

Pairs = list[tuple[str, str]]
GOOD: Pairs = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x?y")]
WEBSOCKET: Pairs = [(":method", "CONNECT"), *GOOD[1:], (":protocol", "websocket")]


def block(*fields: tuple[str, str]) -> bytes:
    return bytes(Encoder().encode(fields))


def request(*fields: tuple[str, str], bodiless: bool = True) -> message.Head:
    return message.read_request(BlockReader(), block(*fields), bodiless)


def decode(encoded: bytes) -> Pairs:
    return [(name.decode(), value.decode()) for name, value in Decoder().decode(encoded, raw=True)]


BAD: list[tuple[str, Pairs]] = [
    ("no method", GOOD[1:]),
    ("no scheme", [GOOD[0], *GOOD[2:]]),
    ("no path", GOOD[:3]),
    ("an empty path", [*GOOD[:3], (":path", "")]),
    ("a path that is none", [*GOOD[:3], (":path", "x")]),
    ("a path with a space", [*GOOD[:3], (":path", "/a b")]),
    ("a path with a fragment", [*GOOD[:3], (":path", "/a#b")]),
    ("a scheme of its own", [GOOD[0], (":scheme", "ftp"), *GOOD[2:]]),
    ("a method twice", [*GOOD, (":method", "GET")]),
    ("a method with a space", [(":method", "GET /"), *GOOD[1:]]),
    ("an unknown pseudo-header", [*GOOD, (":test", "x")]),
    ("one of answers", [*GOOD, (":status", "200")]),
    ("one behind a header", [GOOD[0], ("accept", "x"), *GOOD[1:]]),
    ("CONNECT with a path", [(":method", "CONNECT"), *GOOD[1:]]),
    ("a protocol without CONNECT", [*GOOD, (":protocol", "websocket")]),
    ("a WebSocket for nobody", [*WEBSOCKET[:2], *WEBSOCKET[3:]]),
    ("a WebSocket without a path", [*WEBSOCKET[:3], *WEBSOCKET[4:]]),
    ("a WebSocket with a body", [*WEBSOCKET, ("content-length", "0")]),
    ("a header in upper case", [*GOOD, ("Accept", "x")]),
    ("a header without a name", [*GOOD, ("", "x")]),
    ("a name with a colon", [*GOOD, ("a:b", "x")]),
    ("a value with a line feed", [*GOOD, ("a", "x\ny")]),
    ("a value with a zero", [*GOOD, ("a", "x\0y")]),
    ("a value that begins with a space", [*GOOD, ("a", " x")]),
    ("a value that ends with a tab", [*GOOD, ("a", "x\t")]),
    ("connection", [*GOOD, ("connection", "close")]),
    ("transfer-encoding", [*GOOD, ("transfer-encoding", "chunked")]),
    ("keep-alive", [*GOOD, ("keep-alive", "1")]),
    ("upgrade", [*GOOD, ("upgrade", "websocket")]),
    ("te", [*GOOD, ("te", "gzip")]),
    ("another host", [*GOOD, ("host", "b.example")]),
    ("two hosts", [GOOD[0], GOOD[1], GOOD[3], ("host", "a"), ("host", "b")]),
    ("a length that is none", [*GOOD, ("content-length", "+1")]),
    ("two lengths", [*GOOD, ("content-length", "0"), ("content-length", "1")]),
    ("a length without a body", [*GOOD, ("content-length", "1")]),
]


@pytest.mark.parametrize(("what", "fields"), BAD)
def test_malformed_requests_are_faults_of_their_stream(what: str, fields: Pairs) -> None:
    with pytest.raises(StreamFault) as caught:
        request(*fields)
    assert caught.value.code is Code.PROTOCOL_ERROR


def test_a_request_for_an_instance_of_http1() -> None:
    head = request(
        *GOOD,
        ("cookie", "a=1"),
        ("user-agent", "test"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("forwarded", "for=x"),
        bodiless=False,
    )
    asked = Request(head.method, head.target)
    lines = head.encode(asked, Origin("192.0.2.1", "http"), Trace(1)).decode().split("\r\n")
    assert lines[:4] == ["GET /x?y HTTP/1.1", "Host: a.example", "user-agent: test", "cookie: a=1; b=2"]
    assert "Transfer-Encoding: chunked" in lines
    assert 'Forwarded: for=x, for="192.0.2.1";proto=http' in lines


@pytest.mark.parametrize("more", [[], [("x-forwarded-for", "10.9.8.7"), ("traceparent", "rubbish")]])
def test_a_request_for_an_instance_of_http2_says_the_same(more: Pairs) -> None:
    fields = [*GOOD, ("accept", "x"), ("te", "trailers"), ("user-agent", "test"), *more]
    head = request(*fields)
    origin = Origin("192.0.2.1", "http")
    asked = Request(head.method, head.target)
    found = decode(head.encode(asked, origin, Trace(1), h2c=True))
    assert found[:4] == GOOD
    assert ("te", "trailers") in found
    text = request(*fields).encode(Request(), origin, Trace(1)).decode()
    expected = {line.lower() for line in text.split("\r\n")[2:-2]}
    assert {f"{name}: {value}".lower() for name, value in found[4:]} - {"te: trailers"} <= expected
    assert len({name for name, _ in found} & {"x-cloud-trace-context", "traceparent", "x-forwarded-for"}) == 3
    assert asked.trace.decode() in dict(found)["traceparent"]


def test_host_stands_in_for_authority() -> None:
    head = request(GOOD[0], GOOD[1], GOOD[3], ("host", "b.example"))
    assert head.host == b"b.example"
    assert ("host", "b.example") not in decode(head.block)


def test_what_one_request_changes_is_its_own() -> None:
    """Blocks are remembered: the second request is read from memory."""
    reader, encoder = BlockReader(), Encoder()
    encoder.header_table_size = 0
    reader.read(encoder.encode(GOOD))
    said = encoder.encode([*GOOD, ("authorization", "Bearer secret")])
    first = message.read_request(reader, said, True)
    again = message.read_request(reader, said, True)
    changed = again.replaced(again.lines.index(b"Bearer secret"), b"Bearer removed")
    third = message.read_request(reader, said, True)
    assert ("authorization", "Bearer removed") in decode(changed.block)
    for head in (first, again, third):
        assert ("authorization", "Bearer secret") in decode(head.block)


def test_blocks_of_connections_with_a_table_are_neither_remembered_nor_taken_from_memory() -> None:
    known = dict(message._requests.known)
    said = block(*GOOD, ("x-table", "yes"))
    reader = BlockReader()
    assert message.read_request(reader, said, True).lines
    assert message._requests.known == known
    # The same bytes mean something else there: the table has grown.
    message._requests.known[said] = message.Head()
    assert message.read_request(BlockReader(), said, True).lines
    del message._requests.known[said]


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(":status", "20")],
        [(":status", "101")],
        [(":status", "200"), (":status", "200")],
        [("a", "b")],
        [(":status", "200"), ("Content-Type", "x")],
        [(":status", "200"), ("connection", "close")],
        [(":status", "200"), ("content-length", "x")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        [(":path", "/"), (":status", "200")],
    ],
)
def test_malformed_answers_are_faults(fields: Pairs) -> None:
    with pytest.raises(StreamFault):
        message.read_answer(BlockReader(), block(*fields))


def test_an_answer_that_sets_a_cookie_is_private() -> None:
    said = block((":status", "200"), ("set-cookie", "a=1"), ("cache-control", "public"), ("set-cookie", "b=2"))
    answer = message.read_answer(BlockReader(), said)
    assert decode(answer.block) == [
        (":status", "200"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("cache-control", "private"),
    ]


def test_trailers_have_no_pseudo_headers() -> None:
    assert message.read_trailers(BlockReader(), block(("grpc-status", "0"))).lines == [
        b"grpc-status",
        b": ",
        b"0",
        b"\r\n",
    ]
    with pytest.raises(StreamFault):
        message.read_trailers(BlockReader(), block(("grpc-status", "0"), (":status", "200")))


def test_an_answer_of_http1() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type:  text/plain \r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n"
    answer = message.answer_from_http1(200, head)
    assert decode(answer.block) == [(":status", "200"), ("content-type", "text/plain"), ("content-length", "5")]
    assert answer.length == 5


def test_a_request_of_http1() -> None:
    lines = ["POST /a?b HTTP/1.1", "Host: H", "X-Mine: 1", "TE: trailers", "Connection: TE"]
    lines.append("Transfer-Encoding: chunked")
    assert decode(message.block_from_http1("\r\n".join([*lines, "", ""]).encode())) == [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "H"),
        (":path", "/a?b"),
        ("x-mine", "1"),
        ("te", "trailers"),
    ]
