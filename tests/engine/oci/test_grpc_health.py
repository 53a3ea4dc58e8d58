"""The client of grpc.health.v1, against a server's bytes written by hand. Real servers: test_probes.py."""

import pytest
from hpack import Decoder, Encoder

from homerun.engine.oci.grpc_health import Call
from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code
from homerun.lib.http2.frames import ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, frame

SERVING, NOT_SERVING = b"\0\0\0\0\x02\x08\x01", b"\0\0\0\0\x02\x08\x02"


def call(service: str = "", timeout: float = 1) -> Call:
    return Call("10.0.0.1:8080", service, "probe/1", timeout)


def headers(end: bool, *pairs: tuple[str, str]) -> bytes:
    return frames.header_frames(1, Encoder().encode(pairs), end)


START = headers(False, (":status", "200"), ("content-type", "application/grpc"))


def answer(message: bytes, *trailers: tuple[str, str]) -> bytes:
    return START + frame(DATA, 0, 1, message) + headers(True, *(trailers or (("grpc-status", "0"),)))


def test_the_request() -> None:
    request = call("my.Service", timeout=2.5).request
    assert request.startswith(frames.PREFACE)
    rest = request[len(frames.PREFACE) :]
    found = []
    while rest:
        word, flags, stream = frames.HEAD.unpack_from(rest)
        found.append((word & 0xFF, flags, stream, rest[9 : 9 + (word >> 8)]))
        rest = rest[9 + (word >> 8) :]
    assert [each[:3] for each in found] == [(frames.SETTINGS, 0, 0), (HEADERS, END_HEADERS, 1), (DATA, END_STREAM, 1)]
    said = dict(Decoder().decode(found[1][3]))
    assert (said[":method"], said[":path"], said[":scheme"]) == ("POST", "/grpc.health.v1.Health/Check", "http")
    assert (said[":authority"], said["user-agent"], said["grpc-timeout"]) == ("10.0.0.1:8080", "probe/1", "2500m")
    assert found[2][3] == b"\0\0\0\0\x0c\x0a\x0amy.Service"
    assert call().request.endswith(b"\0\0\0\0\0")
    assert b"\x0a\xac\x02" in call("x" * 300).request


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (answer(SERVING), ""),
        (START + frame(DATA, PADDED, 1, b"\x03" + SERVING + b"\0\0\0") + headers(True, ("grpc-status", "0")), ""),
        (frames.settings({1: 0}) + frames.goaway(1, Code.NO_ERROR) + answer(SERVING), ""),
        (answer(NOT_SERVING), "The answer was NOT_SERVING."),
        (answer(b"\0\0\0\0\0"), "The answer was UNKNOWN."),
        (answer(b"\0\0\0\0\x02\x08\x09"), "The answer was UNKNOWN."),
        (headers(True, (":status", "200"), ("grpc-status", "12")), "The server does not serve grpc.health.v1.Health."),
        (headers(True, (":status", "200"), ("grpc-status", "5")), 'The server knows no service "s".'),
        (answer(b"", ("grpc-status", "13"), ("grpc-message", "oops")), "The call ended with gRPC status 13: oops."),
        (answer(b"", ("grpc-status", "14")), "The call ended with gRPC status 14."),
        (headers(True, (":status", "404")), "The answer is not one of gRPC (HTTP status 404)."),
        (START + frame(DATA, END_STREAM, 1, SERVING), "The answer is not one of gRPC (HTTP status 200)."),
        (frames.rst_stream(1, Code.REFUSED_STREAM), "The server refused the call with REFUSED_STREAM."),
        (frames.goaway(0, Code.ENHANCE_YOUR_CALM), "The server ended the connection with ENHANCE_YOUR_CALM."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "The server does not speak HTTP/2: it sent a frame of 4740180 bytes."),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff"), None),
        (5 * frame(DATA, 0, 1, b"x" * 16384), "The answer is too long for a health check."),
    ],
)
def test_answers(said: bytes, wrong: str | None) -> None:
    made = call("s")
    for at in range(0, len(said), 7):
        made.feed(said[at : at + 7])
    if wrong is None:
        assert made.wrong is not None and made.wrong.startswith("The server does not speak HTTP/2")
    else:
        assert made.wrong == wrong


def test_it_says_goodbye() -> None:
    made = call()
    assert made.feed(answer(SERVING)) == frames.goaway(0, Code.NO_ERROR)


def test_headers_come_in_pieces_too() -> None:
    block = Encoder().encode([(":status", "200"), ("grpc-status", "12")])
    made = call()
    made.feed(frame(HEADERS, END_STREAM, 1, block[:3]))
    assert made.wrong is None and made.said is None
    made.feed(frame(frames.CONTINUATION, END_HEADERS, 1, block[3:]))
    assert made.wrong == "The server does not serve grpc.health.v1.Health."


def test_the_server_is_answered_as_http2_wants() -> None:
    made = call()
    said = frames.settings({}) + frames.SETTINGS_ACK + frame(frames.PING, 0, 0, b"12345678")
    said += frame(frames.PING, ACK, 0, b"12345678") + frames.window_update(0, 5) + frame(DATA, 0, 3, b"not ours")
    assert made.feed(said) == frames.SETTINGS_ACK + frame(frames.PING, ACK, 0, b"12345678")
    assert made.wrong is None
