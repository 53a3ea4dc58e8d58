from __future__ import annotations

import pytest

from homerun.router.headers import RequestHead
from homerun.router.resume import at_body


class Heard:
    def __init__(self) -> None:
        self.events: list[object] = []

    def on_message_begin(self) -> None:
        self.events.append("begin")

    def on_url(self, url: bytes) -> None:
        self.events.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.events.append((name, value))

    def on_headers_complete(self) -> None:
        self.events.append("head")

    def on_body(self, body: bytes) -> None:
        self.events.append(body)

    def on_message_complete(self) -> None:
        self.events.append("end")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_is_heard_and_the_next_request_but_not_the_head_that_was_known(chunked: bool) -> None:
    heard, head = Heard(), RequestHead()
    head.chunked, head.length = chunked, 0 if chunked else 5
    parser = at_body(heard, head)
    assert heard.events == []
    body = b"5\r\nhello\r\n0\r\nT: t\r\n\r\n" if chunked else b"hello"
    parser.feed_data(body + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    trailers = [(b"T", b"t")] if chunked else []
    assert heard.events == [b"hello", *trailers, "end", "begin", b"/next", (b"Host", b"a"), "head", "end"]
