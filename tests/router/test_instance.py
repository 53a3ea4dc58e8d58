from __future__ import annotations

import pytest

from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime


async def test_the_connection_used_last_is_used_next_so_that_others_may_time_out(world: World) -> None:
    world.service(1)
    clients = [world.client(GET), world.client(GET)]
    await world.settle()
    for connection in world.open(1):
        connection.take()
        connection.feed(OK)
    last = world.open(1)[-1]
    for _ in range(3):
        clients[0].feed(GET)
        assert last.take().startswith(b"GET")
        last.feed(OK)


async def test_no_more_connections_than_were_needed_at_once(world: World) -> None:
    world.service(1, concurrency=80)
    client = world.client()
    for _ in range(20):
        client.feed(GET)
        await world.serve(1)
    assert client.take() == OK * 20
    assert len(world.network.connections[1]) == 1


async def test_an_instance_says_where_it_stands(world: World) -> None:
    world.service(1)
    world.client(GET)
    assert repr(world.router.instances["i1"]) == "<RemoteInstance i1 active, 1 in flight>"
