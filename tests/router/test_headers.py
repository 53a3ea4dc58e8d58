from __future__ import annotations

import re

import pytest

from homerun.router.headers import SPECIAL, RequestHead, Trailers
from homerun.router.origin import Origin
from homerun.router.trace import Trace
from tests.support.router import Request

ORIGIN = b'X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nForwarded: for="192.0.2.7";proto=http\r\n'


def head(*headers: tuple[bytes, bytes], version: str = "1.1", limit: int = 1000) -> RequestHead:
    made = RequestHead()
    for name, value in ((b"Host", b"a.example"), *headers):
        if name.lower() in SPECIAL:
            made.add_special(name.lower(), name, value)
        else:
            made.lines += (name, b": ", value, b"\r\n")
    assert made.check(version, limit) is None
    return made


def encode(*headers: tuple[bytes, bytes], method: bytes = b"GET") -> bytes:
    encoded = head(*headers).encode(Request(method), Origin("192.0.2.7", "http"), Trace(1))
    assert encoded.endswith(b"\r\n\r\n")
    return re.sub(rb"(?m)^(X-Cloud-Trace-Context|traceparent): .*\r\n", b"", encoded)[:-2]


def refusal(*headers: tuple[bytes, bytes], version: str = "1.1", limit: int = 1000) -> int:
    made = RequestHead()
    for name, value in headers:
        made.add_special(name.lower(), name, value)
    refused = made.check(version, limit)
    return refused.status if refused else 0


def test_headers_are_passed_on_as_they_came_and_ours_follow() -> None:
    assert encode((b"x-MINE", b"1"), (b"Accept", b"*/*"), (b"x-MINE", b"2")) == (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nx-MINE: 1\r\nAccept: */*\r\nx-MINE: 2\r\n" + ORIGIN
    )


def test_what_is_for_one_connection_only_is_dropped() -> None:
    assert encode(
        (b"Connection", b"keep-alive, X-Hop"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Proxy-Connection", b"keep-alive"),
        (b"TE", b"gzip"),
        (b"Trailer", b"X"),
        (b"X-Hop", b"1"),
        (b"X-Mine", b"1"),
    ) == (b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Mine: 1\r\n" + ORIGIN)


def test_a_connection_header_cannot_take_away_what_is_not_the_clients_to_take() -> None:
    encoded = encode(
        (b"Connection", b"Host, X-Forwarded-For, Forwarded, Content-Length"), (b"Content-Length", b"3"), method=b"PUT"
    )
    assert encoded == b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n" + ORIGIN


def test_the_client_is_appended_to_what_earlier_proxies_said() -> None:
    encoded = encode(
        (b"X-Forwarded-For", b"198.51.100.1"), (b"x-forwarded-for", b"198.51.100.2 "), (b"Forwarded", b"for=x")
    )
    assert b"X-Forwarded-For: 198.51.100.1, 198.51.100.2, 192.0.2.7\r\n" in encoded
    assert b'Forwarded: for=x, for="192.0.2.7";proto=http\r\n' in encoded
    assert encoded.count(b"orwarded-For") == 1


def test_the_scheme_is_ours_to_say() -> None:
    encoded = encode((b"X-Forwarded-Proto", b"https"))
    assert b"X-Forwarded-Proto: http\r\n" in encoded and b"https" not in encoded


def test_chunks_are_announced_anew() -> None:
    assert encode((b"Transfer-Encoding", b"Chunked")).endswith(ORIGIN + b"Transfer-Encoding: chunked\r\n")


def test_trailers_are_announced_where_there_may_be_some_and_asked_for_where_they_are_wanted() -> None:
    chunked = encode((b"Transfer-Encoding", b"chunked"), (b"Trailer", b"Digest"), method=b"PUT")
    assert chunked.endswith(b"Transfer-Encoding: chunked\r\nTrailer: Digest\r\n")
    assert encode((b"TE", b"gzip;q=0.5, Trailers"), (b"Connection", b"TE")).endswith(
        b"TE: trailers\r\nConnection: TE\r\n"
    )


def test_trailers_are_no_headers() -> None:
    trailers = Trailers()
    trailers.add_special(b"content-length", b"Content-Length", b"no number")
    assert not trailers.lines and not trailers.length


def test_an_upgrade_is_asked_for_anew() -> None:
    encoded = encode((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
    assert encoded.endswith(ORIGIN + b"Connection: upgrade\r\nUpgrade: websocket\r\n")


def test_an_ignored_upgrade_is_not() -> None:
    made = head((b"Upgrade", b"h2c"), (b"Connection", b"Upgrade, HTTP2-Settings"), (b"HTTP2-Settings", b"AAA"))
    made.settle_upgrade(True)
    encoded = made.encode(Request(), Origin("::1", "http"), Trace(1))
    assert b"pgrade" not in encoded and b"HTTP2" not in encoded
    RequestHead().settle_upgrade(True)


def test_of_several_protocols_h2c_is_none() -> None:
    made = head((b"Upgrade", b"h2c, websocket ,H2C"), (b"Upgrade", b"tcp"))
    made.settle_upgrade(True)
    assert made.upgrade == b"websocket, tcp"
    assert made.asked_for(b"WebSocket") and not made.asked_for(b"h2c")
    made.settle_upgrade(False)
    assert not made.upgrade and not made.asked_for(b"websocket")


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://b.example/x?y", b"b.example", b"/x?y"),
        (b"HTTP://B.example:80", b"B.example:80", b"/"),
        (b"https://b.example?q", b"b.example", b"/?q"),
        (b"*", b"a.example", b"*"),
        (b"//b.example/x", b"a.example", b"//b.example/x"),
    ],
)
def test_an_absolute_target_says_the_host(target: bytes, host: bytes, path: bytes) -> None:
    made = head()
    assert made.resolve(target) == path
    assert made.host == host


@pytest.mark.parametrize("target", [b"ftp://b/", b"http://", b"http://user@b/", b"x"])
def test_other_targets_are_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match="neither a path nor an http URL"):
        head().resolve(target)


def test_another_piece_makes_another_head() -> None:
    """Requests that say the same share their head."""
    made = head((b"Authorization", b"Bearer secret"), (b"Connection", b"keep-alive"))
    before = made.encode(Request(), Origin("::1", "http"), Trace(1))
    other = made.replaced(2, b"Bearer removed")
    assert b"Authorization: Bearer removed\r\n" in other.encode(Request(), Origin("::1", "http"), Trace(1))
    assert made.encode(Request(), Origin("::1", "http"), Trace(1)) == before
    assert other.others == made.others


def test_what_is_refused() -> None:
    host = (b"Host", b"a")
    assert refusal() == 400
    assert refusal(version="1.0") == 0
    assert refusal(host, host) == 400
    assert refusal(host, host, version="1.0") == 400
    assert refusal(host, (b"Content-Length", b"1001")) == 413
    assert refusal(host, (b"Content-Length", b"1000")) == 0
    assert refusal(host, (b"Transfer-Encoding", b"gzip, chunked")) == 501
    assert refusal(host, (b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")) == 501
    assert refusal(host, (b"Transfer-Encoding", b"chunked"), version="1.0") == 400
    assert refusal(host, (b"Expect", b"100-Continue")) == 0
    assert refusal(host, (b"Expect", b"200-ok")) == 417


def test_only_a_body_is_waited_for_with_100_continue() -> None:
    expect = (b"Expect", b"100-continue")
    assert head(expect, (b"Content-Length", b"5")).continues
    assert head(expect, (b"Transfer-Encoding", b"chunked")).continues
    assert not head(expect).continues
    assert not head(expect, (b"Content-Length", b"5"), version="1.0").continues


@pytest.mark.parametrize(
    ("host", "fine"),
    [(b"a.example", True), (b"a:80", True), (b"[::1]:80", True), (b"", False), (b"a b", False), (b"a/b", False)],
)
def test_host_names_are_recognized(host: bytes, fine: bool) -> None:
    made = RequestHead()
    made.host = host
    assert made.well_formed_host() is fine


def test_a_trace_of_the_client_is_continued() -> None:
    trace = b"105445aa7843bc8bf206b12000100000"
    made = head((b"X-Cloud-Trace-Context", trace + b"/1;o=1"))
    encoded = made.encode(request := Request(), Origin("::1", "http"), Trace(1))
    assert b"X-Cloud-Trace-Context: " + trace + b"/1;o=1\r\n" in encoded
    assert b"traceparent: 00-" + trace + b"-0000000000000001-01\r\n" in encoded
    assert request.trace == trace + b"/0000000000000001;o=1"


def test_a_trace_that_is_none_is_replaced() -> None:
    made = head((b"X-Cloud-Trace-Context", b"nonsense"))
    encoded = made.encode(request := Request(), Origin("::1", "http"), Trace(1))
    assert b"nonsense" not in encoded
    assert len(request.trace) == 32


def test_a_request_without_a_trace_begins_one() -> None:
    made = head()
    encoded = made.encode(request := Request(), Origin("::1", "http"), Trace(1))
    assert re.search(
        rb"\r\nX-Cloud-Trace-Context: %b/\d+;o=0\r\ntraceparent: 00-%b-" % (request.trace, request.trace), encoded
    )
