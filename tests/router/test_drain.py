from __future__ import annotations

import asyncio

import pytest

from homerun.router import drain
from homerun.router.options import Options
from homerun.wire.link import Usage
from tests.router.test_protocol import status
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime


def stop(world: World) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(drain.stop(world.router, []))


async def test_without_requests_it_ends_at_once(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    stopping = stop(world)
    await world.settle()
    assert stopping.done()
    assert client.closing
    assert not world.open(1)


async def test_requests_in_flight_are_answered_and_their_connections_closed(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await asyncio.sleep(0.5)
    stopping = stop(world)
    await asyncio.sleep(5)
    assert not stopping.done()
    await world.serve(1)
    answer = client.take()
    assert status(answer) == 200 and b"Connection: close\r\n" in answer
    await world.settle()
    assert stopping.done()
    assert [m.requests for m in world.reports() if isinstance(m, Usage)][-1] == 1


async def test_requests_that_wait_may_still_get_an_instance(world: World) -> None:
    world.service()
    client = world.client(GET)
    stopping = stop(world)
    await asyncio.sleep(1)
    world.up(1)
    await world.serve(1)
    assert status(client.take()) == 200
    await stopping


async def test_a_request_already_in_line_is_the_last_of_its_connection(world: World) -> None:
    world.service(1)
    client = world.client(GET + GET)
    stopping = stop(world)
    await world.serve(1)
    assert client.take().count(b"HTTP/1.1 200") == 1
    assert client.closing
    await stopping


async def test_what_takes_longer_than_the_grace_is_cut(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    stopping = stop(world)
    await asyncio.sleep(Options().grace - 0.5)
    assert not client.closing
    await asyncio.sleep(1)
    assert stopping.done() and client.aborted
    assert OK not in client.take()
