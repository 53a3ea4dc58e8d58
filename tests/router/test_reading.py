"""Bytes to requests, without anybody to answer them. Whole conversations are in test_protocol.py."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.router.errors import Refusal
from homerun.router.exchange import Exchange
from homerun.router.options import Options
from homerun.router.reading import Reading
from homerun.router.routes import Misdirected
from tests.support.router import GET, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime

POST = b"POST /form HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: t\r\n\r\n"
)
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: hello.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


class Heard(Reading):
    """Takes every request at once, and forgets it."""

    def __init__(self, router: Any, elsewhere: bool = False) -> None:
        super().__init__(router)
        self.choked = False
        self.requests: list[Exchange] = []
        self.bodies = b""
        self.ended = 0
        self.objections: list[int] = []
        self.passed_on: list[tuple[int, bytes]] = []
        self.http2 = self.rest = b""
        self._elsewhere = elsewhere

    def data_received(self, data: bytes) -> None:
        if self._head is not None or self._receiving is not None or not self._take_whole(data):
            self._parse(data)

    def _begin(self, exchange: Exchange) -> None:
        if self._elsewhere:
            raise Misdirected(3)
        self.requests.append(exchange)
        self.bodies += b"".join(exchange.pending)

    _take = _begin

    def _send_body(self, exchange: Exchange, data: bytes) -> None:
        self.bodies += data

    def _body_ended(self, exchange: Exchange) -> None:
        self.ended += 1

    def _head_begun(self, data: bytes, *, first: bool) -> None:
        pass

    def _object(self, refusal: Refusal) -> None:
        self.objections.append(refusal.status)
        self._deaf = True

    def _pass_on(self, owner: int, data: bytes) -> None:
        self.passed_on.append((owner, data))

    def _become_http2(self, data: bytes) -> bool:
        self.http2 = data
        return not self.requests

    def _switch(self, rest: bytes) -> None:
        self.rest = rest


def hear(world: World, *pieces: bytes) -> Heard:
    heard = Heard(world.router)
    for piece in pieces:
        heard.data_received(piece)
    return heard


def said(heard: Heard) -> list[tuple[bytes, bytes, bytes, bool]]:
    return [(one.method, one.target, one.head.host, one.body_done) for one in heard.requests]


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
@pytest.mark.parametrize("times", [1, 3])
async def test_however_it_is_cut_it_is_the_same(world: World, size: int, times: int) -> None:
    for _ in range(times):
        data = GET + POST + CHUNKED + GET
        heard = hear(world, *(data[at : at + size] for at in range(0, len(data), size)))
    host = b"hello.example"
    assert said(heard) == [
        (b"GET", b"/", host, True),
        (b"POST", b"/form", host, True),
        (b"POST", b"/c", host, True),
        (b"GET", b"/", host, True),
    ]
    assert heard.bodies.replace(b"1\r\n", b"").startswith(b"hello") and heard.bodies.endswith(b"0\r\nT: t\r\n\r\n")
    assert not heard.objections


async def test_a_parser_is_made_when_it_is_needed(world: World) -> None:
    assert [hear(world, GET)._parser is None for _ in range(3)] == [False, False, True]
    assert hear(world, GET[:5], GET[5:])._parser is not None
    known = hear(world, GET, POST, GET)
    assert len(known.requests) == 3 and known.bodies == b"hello"


async def test_what_is_for_another_router_is_passed_on_with_its_bytes(world: World) -> None:
    for _ in range(3):
        heard = Heard(world.router, elsewhere=True)
        heard.data_received(GET)
        assert heard.passed_on == [(3, GET)] and heard._head_size == -1


async def test_nonsense_and_too_much_are_objected_to() -> None:
    world = World(Options(head_limit=1000, request_limit=4))
    assert hear(world, b"\x16\x03\x01").objections == [400]
    assert hear(world, GET[:-2], *[b"A: b\r\n" * 50] * 6).objections[:1] == [431]
    assert [one.refusal and one.refusal.status for one in hear(world, POST).requests] == [413]
    assert hear(world, CHUNKED).objections == [413]
    await world.close()


async def test_the_preface_of_http2_is_one_only_at_the_beginning(world: World) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    assert hear(world, preface).http2 == preface
    assert hear(world, GET, preface).objections == [400]


async def test_who_asks_for_another_protocol_is_not_read_any_further(world: World) -> None:
    heard = hear(world, UPGRADE + b"\x81\x05hello")
    assert said(heard) == [(b"GET", b"/ws", b"hello.example", True)]
    assert heard.rest == b"\x81\x05hello"


async def test_an_error_of_ours_ends_the_connection(world: World, caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(world.router)
    transport = MockTransport(heard)
    heard.transport, heard.origin = transport, world.router.origin("192.0.2.7")
    heard._begin = heard._take = None  # type: ignore[assignment, method-assign]
    transport.feed(GET)
    assert transport.aborted and "could not be handled" in caplog.text
