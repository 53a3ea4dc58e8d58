from __future__ import annotations

from typing import Any

import pytest

from homerun.router.exchange import Exchange
from homerun.router.headers import RequestHead
from homerun.router.http2.downgrade import Http1Answer
from homerun.router.http2.message import Answer, Trailers


class Client:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def persistence(self, exchange: Exchange) -> bytes:
        return b"" if exchange.keep_alive else b"Connection: close\r\n"


LINES = [b"content-type", b": ", b"text/plain", b"\r\n"]


def answering(method: bytes = b"GET", http10: bool = False, te: bytes = b"") -> tuple[Client, Http1Answer]:
    client: Any = Client()
    head = RequestHead()
    if te:
        head.others = {b"te": te}
    return client, Http1Answer(Exchange(client, method, b"/", head, http10, True))


def test_an_answer_that_says_its_length_is_passed_on() -> None:
    client, answer = answering()
    answer.start(Answer(200, [*LINES, b"content-length", b": ", b"2", b"\r\n"], 2), False)
    answer.data(b"hi", True)
    assert client.written == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"


def test_one_that_does_not_comes_in_chunks() -> None:
    client, answer = answering()
    answer.start(Answer(200, LINES, None), False)
    answer.data(b"a", False)
    answer.data(b"", False)
    answer.data(b"b", True)
    head, _, body = client.written.partition(b"\r\n\r\n")
    assert head.endswith(b"Transfer-Encoding: chunked")
    assert body == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


@pytest.mark.parametrize(("te", "last"), [(b"trailers", b"0\r\nx-sum: 7\r\n\r\n"), (b"", b"0\r\n\r\n")])
def test_trailers_are_for_those_who_want_them(te: bytes, last: bytes) -> None:
    client, answer = answering(te=te)
    answer.start(Answer(200, LINES, None), False)
    answer.end(Trailers([b"x-sum", b": ", b"7", b"\r\n"]))
    assert client.written.endswith(last)


def test_for_http10_the_end_of_the_connection_is_the_end() -> None:
    client, answer = answering(http10=True)
    answer.interim(Answer(103, [], None))
    answer.start(Answer(200, LINES, None), False)
    answer.data(b"a", True)
    assert client.written == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nConnection: close\r\n\r\na"


@pytest.mark.parametrize(
    ("method", "status", "line"),
    [(b"HEAD", 200, b""), (b"GET", 204, b""), (b"GET", 304, b""), (b"GET", 200, b"Content-Length: 0\r\n")],
)
def test_an_answer_without_a_body(method: bytes, status: int, line: bytes) -> None:
    client, answer = answering(method)
    answer.start(Answer(status, [], None), True)
    assert client.written.partition(b"\r\n")[2] == line + b"\r\n"


def test_interim_answers_are_passed_on() -> None:
    client, answer = answering()
    answer.interim(Answer(103, LINES, None))
    assert client.written == b"HTTP/1.1 103 Early Hints\r\ncontent-type: text/plain\r\n\r\n"
