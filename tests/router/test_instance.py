from __future__ import annotations

import asyncio

import pytest

from homerun.router.options import Options
from homerun.wire.link import InstanceGone
from tests.router.test_protocol import POST, body, status
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


# What becomes of a request that an instance broke off


async def test_an_instance_that_ran_out_of_memory_gets_500_and_the_reason(world: World) -> None:
    world.service(1)
    client = world.client(POST)
    await world.settle()
    world.instance(1).hang_up()
    assert client.take() == b""
    world.router.apply(InstanceGone("i1", "Memory limit of 512 MiB exceeded."))
    answer = client.take()
    assert status(answer) == 500
    assert body(answer).startswith(b"While handling this request, the container instance was found to be using too")
    assert b"Memory limit of 512 MiB exceeded." in answer
    assert not client.closing


async def test_the_reason_may_come_before_the_end_of_the_connection(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.router.apply(InstanceGone("i1", "Memory limit of 512 MiB exceeded."))
    world.instance(1).hang_up()
    assert status(client.take()) == 500


async def test_a_crash_gets_503_as_soon_as_it_is_known_for_one(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.instance(1).hang_up()
    world.router.apply(InstanceGone("i1"))
    assert status(client.take()) == 503


async def test_who_leaves_after_a_crash_is_not_answered(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.instance(1).hang_up()
    client.hang_up()
    await asyncio.sleep(1)
    assert client.take() == b""


async def test_after_a_crash_the_next_request_goes_to_another_instance(world: World) -> None:
    world.service(1, 2, concurrency=80)
    first = world.client(GET)
    await world.settle()
    port = next(iter(world.network.connections))
    world.network.refused.add(port)
    world.instance(port).hang_up()
    second = world.client(GET)
    await world.serve(3 - port)
    assert second.take() == OK
    await asyncio.sleep(1)
    assert status(first.take()) == 503


async def test_what_can_do_no_harm_is_sent_once_more_to_another_instance_if_that_is_wanted() -> None:
    world = World(Options(retry_idempotent=True))
    world.service(1, 2)
    client = world.client(GET)
    await world.settle()
    port = next(iter(world.network.connections))
    world.instance(port).hang_up()
    await asyncio.sleep(0.6)
    await world.serve(3 - port)
    assert client.take() == OK
    client.feed(GET)
    await world.settle()
    # The first time only a connection that had been in use before.
    for _ in range(3):
        for connection in (*world.open(1), *world.open(2)):
            connection.hang_up()
        await asyncio.sleep(0.6)
    # Not a third time, whatever it is that kills them.
    assert status(client.take()) == 503
    client.feed(POST)
    await world.settle()
    for connection in (*world.open(1), *world.open(2)):
        connection.hang_up()
    await asyncio.sleep(0.6)
    assert status(client.take()) == 503
    await world.close()
