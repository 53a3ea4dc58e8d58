"""What an answer to a GET says, byte by byte."""

import pytest

from homerun.engine.oci.http_health import Get


def get(answer: bytes, **how: object) -> Get:
    made = Get("10.0.0.1:8080", "/up?x=1", "probe/1", **how)  # type: ignore[arg-type]
    for at in range(len(answer)):
        assert made.feed(answer[at : at + 1]) == b""
    return made


def test_the_request() -> None:
    assert Get("10.0.0.1:8080", "/up?x=1", "probe/1").request == (
        b"GET /up?x=1 HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: probe/1\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_headers_of_the_user_are_added_and_replace_ours() -> None:
    lines = Get("h", "/", "p", [("host", "me"), ("X-A", "1"), ("X-A", "2")]).request.split(b"\r\n")
    assert lines[1:-2] == [b"User-Agent: p", b"Accept: */*", b"host: me", b"X-A: 1", b"X-A: 2", b"Connection: close"]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "The answer had status 404."),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "The answer had status 503."),
        (b"SSH-2.0-OpenSSH\r\n", "The answer is not one of HTTP/1."),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "The answer is not one of HTTP/1."),
    ],
)
def test_answers(answer: bytes, wrong: str) -> None:
    assert get(answer).wrong == wrong


def test_what_does_not_end_is_known_by_its_status() -> None:
    endless = get(b"HTTP/1.1 200 OK\r\n\r\nso much ")
    assert (endless.wrong, endless.said) == (None, "")
    endless.feed(b"x" * 65536)
    assert endless.wrong == ""
    assert get(b"HTTP/1.1 200").said is None


def test_a_head_without_end_is_none() -> None:
    made = get(b"HTTP/1.1 200 OK\r\n")
    made.feed(b"X: " + b"x" * 65536)
    assert made.wrong
