from __future__ import annotations

import asyncio

import pytest

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code
from homerun.router.http2.client import ClientConnection as Http2Client
from homerun.router.options import Options
from tests.router.test_protocol import status
from tests.support.router import GET, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime


async def test_who_is_turned_away_is_heard_out_and_then_cut_off() -> None:
    world = World(Options(max_connections=1))
    inside = world.client()
    outside = world.client(GET)
    assert status(outside.take()) == 503
    outside.feed(b"x" * 1000)
    assert outside.eof and not outside.closing and outside.take() == b""
    await asyncio.sleep(Options().linger + 1)
    assert outside.aborted and not world.router.turned_away
    assert not inside.closing
    await world.close()


async def test_who_goes_by_itself_is_forgotten() -> None:
    world = World(Options(max_connections=1))
    world.client()
    outside = world.client()
    assert len(world.router.turned_away) == 1
    outside.end()
    await world.settle()
    assert outside.closing and not world.router.turned_away
    await world.close()


async def test_a_crowd_is_not_even_told() -> None:
    world = World(Options(max_connections=16))
    clients = [world.client() for _ in range(30)]
    assert [client.aborted for client in clients] == [False] * 19 + [True] * 11
    assert len(world.router.turned_away) == 3
    await world.close()


async def test_a_client_of_http_2_is_told_in_its_own_words() -> None:
    world = World(Options(max_connections=1))
    world.client()
    protocol = Http2Client(world.router, world.router.origin("192.0.2.7"))
    outside = MockTransport(protocol)
    answer = outside.take()
    assert answer.endswith(frames.goaway(0, Code.ENHANCE_YOUR_CALM, "too many connections"))
    # Whoever held on to the protocol: it is deaf.
    protocol.data_received(frames.PREFACE + b"nonsense" * 100)
    assert outside.take() == b"" and not outside.closing
    await world.close()


async def test_where_sending_cannot_be_ended_alone_the_connection_is_closed() -> None:
    class Secure(MockTransport):
        def can_write_eof(self) -> bool:
            return False

    world = World(Options(max_connections=1))
    world.client()
    protocol = Http2Client(world.router, world.router.origin("192.0.2.7"))
    outside = Secure(protocol)
    assert outside.written and outside.closing and not outside.eof
    await world.settle()
    assert not world.router.turned_away
    await world.close()
