"""What is the same whether a request came over HTTP/1.1 or HTTP/2. Gates have tests of their own."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.router.admission import admit
from homerun.router.errors import Refusal
from homerun.router.exchange import Exchange
from homerun.router.headers import RequestHead
from homerun.router.options import Options
from homerun.wire.link import Target
from tests.support.router import World

pytestmark = pytest.mark.looptime


class Client:
    protocol, choked = "HTTP/1.1", False

    def __init__(self, world: World) -> None:
        self.origin = world.router.origin("192.0.2.7")
        self.refused: Refusal | None = None
        self.allowed = 0.0

    def refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        self.refused = refusal

    def allow(self, exchange: Exchange, seconds: float) -> None:
        self.allowed = seconds

    def connected(self, exchange: Exchange) -> None:
        pass


def ask(world: World, host: bytes, lines: int = 0) -> tuple[Client, Exchange]:
    head = RequestHead()
    head.host = host
    head.lines = [b"X", b": ", b"y" * 8, b"\r\n"] * lines
    client: Any = Client(world)
    exchange = Exchange(client, b"GET", b"/a", head, False, True)
    exchange.body_done = True
    exchange.started = world.router.mono()
    admit(world.router, exchange)
    return client, exchange


async def test_who_is_let_in_has_an_activator_a_time_and_a_head(world: World) -> None:
    world.service(1, timeout=7)
    client, exchange = ask(world, b"hello.example:80")
    assert client.refused is None and client.allowed == 7
    assert exchange.activator is world.router.activators["r"]
    assert exchange.encoded.startswith(b"GET /a HTTP/1.1\r\nHost: hello.example:80\r\n")
    await world.settle()
    assert world.instance(1).take() == exchange.encoded
    exchange.abandon()


@pytest.mark.parametrize(("host", "status"), [(b"other.example", 404), (b"a b", 400), (b"", 404)])
async def test_a_host_that_is_nobodys(world: World, host: bytes, status: int) -> None:
    world.service(1)
    client, exchange = ask(world, host)
    assert client.refused is not None and client.refused.status == status
    assert exchange.activator is None and not exchange.refused_by


async def test_a_service_without_a_revision_is_not_ready(world: World) -> None:
    world.route()
    assert ask(world, b"hello.example")[0].refused is not None
    world.route(Target("unheard-of", 100))
    client, _ = ask(world, b"hello.example")
    assert client.refused is not None and client.refused.status == 503


async def test_heads_are_weighed() -> None:
    world = World(Options(head_limit=5000, header_count=200))
    world.service(1)
    fine, long, many = (ask(world, b"hello.example", lines) for lines in (190, 400, 250))
    assert fine[0].refused is None
    assert [client.refused and client.refused.status for client, _ in (long, many)] == [431, 431]
    fine[1].abandon()
    await world.settle()
    await world.close()
