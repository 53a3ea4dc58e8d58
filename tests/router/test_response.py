from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.router.response import ResponseHead, read_plain


def raw(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *lines]) + b"\r\n\r\n"


def test_most_heads_are_read_without_being_taken_apart() -> None:
    assert read_plain(raw(b"Content-Type: text/plain", b"content-LENGTH:   12", b"X-A:")) == (200, 12)
    assert read_plain(raw(b"Content-Length: 0", status=b"HTTP/1.1 404")) == (404, 0)


@pytest.mark.parametrize(
    "head",
    [
        raw(),
        raw(b"Content-Length: 1", b"Set-Cookie: a=b"),
        raw(b"Content-Length: 1", b"Connection: close"),
        raw(b"Transfer-Encoding: chunked"),
        raw(b"Content-Length: 1", status=b"HTTP/1.0 200 OK"),
        raw(b"Content-Length: 1", status=b"HTTP/1.1 204 No Content"),
        raw(b"Content-Length: 1", status=b"HTTP/1.1 304 Not Modified"),
        raw(b"Content-Length: 1", status=b"HTTP/1.1 101 Switching Protocols"),
        raw(b"Content-Length: 1", b"Content-Length: 1"),
        raw(b"Content-Length: 1x"),
        raw(b"Content-Length: 12345678901234567890"),
        raw(b"Content-Length: 1", b"bad name: x"),
    ],
)
def test_all_others_are_looked_at_closely(head: bytes) -> None:
    assert read_plain(head) is None


@given(st.integers(200, 599), st.integers(0, 10**12), st.lists(st.sampled_from([b"A: b", b"X-Y: ", b"Date: now"])))
def test_both_ways_of_reading_agree(status: int, length: int, lines: list[bytes]) -> None:
    head = raw(*lines, b"Content-Length: %d" % length, status=b"HTTP/1.1 %d Fine" % status)
    read = ResponseHead(head, head_only=False)
    plain = read_plain(head)
    assert plain == ((status, length) if status not in (204, 304) else None)
    assert (read.status, read.length) == (status, length if status not in (204, 304) else 0)
    assert not read.close


def test_a_length_is_a_length() -> None:
    head = ResponseHead(raw(b"Content-Length: 7 "), head_only=False)
    assert (head.length, head.chunked, head.close) == (7, False, False)


def test_neither_length_nor_chunks_means_up_to_the_end() -> None:
    head = ResponseHead(raw(), head_only=False)
    assert (head.length, head.chunked, head.close) == (None, False, True)


def test_chunks_keep_the_connection() -> None:
    head = ResponseHead(raw(b"Transfer-Encoding: Chunked"), head_only=False)
    assert (head.length, head.chunked, head.close) == (None, True, False)


@pytest.mark.parametrize(
    "status", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 103 Early Hints"]
)
def test_some_answers_have_no_body(status: bytes) -> None:
    assert ResponseHead(raw(b"Content-Length: 7", status=status), head_only=False).length == 0


def test_the_answer_to_head_has_no_body() -> None:
    head = ResponseHead(raw(b"Transfer-Encoding: chunked"), head_only=True)
    assert (head.length, head.chunked) == (0, False)


def test_who_closes_the_connection() -> None:
    length = b"Content-Length: 0"
    assert ResponseHead(raw(length, b"Connection: Close"), False).close
    assert ResponseHead(raw(length, b"Connection: x, close"), False).close
    assert not ResponseHead(raw(length, b"Connection: keep-alive"), False).close
    assert ResponseHead(raw(length, status=b"HTTP/1.0 200 OK"), False).close
    assert not ResponseHead(raw(length, b"Connection: keep-alive", status=b"HTTP/1.0 200 OK"), False).close


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (raw(status=b"HTTP/2 200 OK"), "not HTTP/1.1"),
        (raw(status=b"ICY 200 OK"), "not HTTP/1.1"),
        (raw(b"a b: c"), "not HTTP/1.1"),
        (raw(b" folded"), "not HTTP/1.1"),
        (raw(b"A: b\rc"), "not HTTP/1.1"),
        (raw(b"A: b\0"), "not HTTP/1.1"),
        (raw(b"A"), "not HTTP/1.1"),
        (raw(b"Content-Length: 1", b"Content-Length: 1"), "Content-Length"),
        (raw(b"Content-Length: "), "Content-Length"),
        (raw(b"Content-Length: 1", b"Transfer-Encoding: chunked"), "both"),
        (raw(b"Transfer-Encoding: gzip, chunked"), "Transfer-Encoding"),
        (raw(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), "Transfer-Encoding"),
        (raw(b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK"), "Transfer-Encoding"),
    ],
)
def test_what_is_wrong_is_named(head: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ResponseHead(head, head_only=False)


def rewritten(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", extra: bytes = b"") -> bytes:
    head = raw(*lines, status=status)
    return ResponseHead(head, head_only=False).rewrite(head, extra)


def test_headers_for_one_connection_are_taken_out_and_the_rest_stays_as_it_is() -> None:
    assert rewritten(
        b"a: 1",
        b"Connection: keep-alive, X-Hop",
        b"KEEP-ALIVE: timeout=5",
        b"x-hop: y",
        b"Te-st: z",
        b"Content-Length: 0",
    ) == raw(b"a: 1", b"Te-st: z", b"Content-Length: 0")


def test_the_answer_is_ours_in_version_and_in_what_it_adds() -> None:
    assert rewritten(b"A: b", status=b"HTTP/1.0 200 Fine", extra=b"X: y\r\n") == raw(
        b"A: b", b"X: y", status=b"HTTP/1.1 200 Fine"
    )
    assert rewritten(status=b"HTTP/1.1 200") == raw(status=b"HTTP/1.1 200")


def test_a_cookie_makes_it_private() -> None:
    assert rewritten(b"cache-control: public", b"Set-Cookie: a=b") == raw(b"Set-Cookie: a=b", b"Cache-Control: private")


def test_an_answer_that_can_have_no_body_has_no_length() -> None:
    assert b"Content-Length" not in rewritten(b"Content-Length: 7", status=b"HTTP/1.1 204 No Content")
    assert b"Content-Length" in rewritten(b"Content-Length: 7", status=b"HTTP/1.1 304 Not Modified")


def test_the_length_is_not_for_a_connection_header_to_take_away() -> None:
    assert b"Content-Length: 7" in rewritten(b"Content-Length: 7", b"Connection: Content-Length")


def test_a_switch_of_protocols_is_told() -> None:
    assert ResponseHead(raw(b"Upgrade: websocket", status=b"HTTP/1.1 101 Go"), False).upgrade == b"websocket"
