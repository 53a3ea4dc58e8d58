from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from homerun.router.remains import TABLE, Remains, half_closed, read_table
from homerun.wire.link import InstanceDrain, InstanceDrained
from tests.router.test_protocol import status
from tests.support.router import GET, OK, World

LINES = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0101A8C0:A001 0100000A:0001 05 00000000:00000000 03:00000BB7 00000000     0        0 0 3 0
   2: 0101A8C0:A002 0100000A:0001 04 00000000:00000000 03:00000BB7 00000000     0        0 0 3 0
   3: 0101A8C0:A003 0100000A:0001 06 00000000:00000000 03:00000BB7 00000000     0        0 0 3 0
   4: 0101A8C0:A004 0200000A:1F91 05 00000000:00000000 03:00000BB7 00000000     0        0 0 3 0
   5: 0101A8C0:A005 0200000A:1F91 01 00000000:00000000 00:00000000 00000000     0        0 9 1 0
""".splitlines()


def test_half_closed_connections_are_found_by_their_other_end() -> None:
    found = half_closed(LINES)
    assert {key: len(value) for key, value in found.items()} == {("10.0.0.1", 1): 2, ("10.0.0.2", 8081): 1}


class Table:
    """Half-closed connections to the instance at 10.0.0.1:1, as the test says."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.read = 0

    def __call__(self) -> dict[tuple[str, int], list[str]]:
        self.read += 1
        return {("10.0.0.1", 1): sorted(self.names)} if self.names else {}


def start(world: World, table: Table, concurrency: int = 1) -> None:
    """A router that was started after another one was killed hears of everything."""
    world.router.remains = Remains(world.router, table)
    world.service(1, concurrency=concurrency, timeout=300)
    world.router.informed.set()


@pytest.mark.looptime
async def test_an_instance_gets_nothing_while_it_may_work_on_a_request_of_before(world: World) -> None:
    table = Table("one")
    start(world, table)
    client = world.client(GET)
    await asyncio.sleep(5)
    assert world.network.connections == {}
    table.names.clear()
    await asyncio.sleep(1.1)
    await world.serve(1)
    assert client.take() == OK


@pytest.mark.looptime
async def test_each_request_of_before_takes_one_slot(world: World) -> None:
    table = Table("one", "two")
    start(world, table, concurrency=3)
    clients = [world.client(GET) for _ in range(3)]
    await world.settle()
    assert len(world.open(1)) == 1
    table.names.remove("one")
    await asyncio.sleep(1.1)
    assert len(world.open(1)) == 2
    table.names.remove("two")
    await asyncio.sleep(1.1)
    assert len(world.open(1)) == 3
    assert all(client.take() == b"" for client in clients)


@pytest.mark.looptime
async def test_more_than_its_concurrency_is_waited_for_as_well(world: World) -> None:
    table = Table("one", "two")
    start(world, table, concurrency=1)
    world.client(GET)
    table.names.remove("one")
    await asyncio.sleep(5)
    assert not world.open(1)
    table.names.clear()
    await asyncio.sleep(1.1)
    assert len(world.open(1)) == 1


@pytest.mark.looptime
async def test_what_the_kernel_forgets_holds_its_slot_until_the_requests_time_is_over(world: World) -> None:
    table = Table("one")
    start(world, table)
    await asyncio.sleep(59)
    table.names.clear()
    first = world.client(GET)
    await asyncio.sleep(11)
    assert status(first.take()) == 429
    await asyncio.sleep(300 - 59 - 11 - 5)
    second = world.client(GET)
    await asyncio.sleep(3)
    assert world.network.connections == {}
    await asyncio.sleep(4)
    await world.serve(1)
    assert second.take() == OK


@pytest.mark.looptime
async def test_control_hears_that_it_is_busy_and_when_it_is_drained(world: World) -> None:
    table = Table("one")
    start(world, table)
    assert [load.in_flight for load in world.router.hello().loads] == [1]
    world.reports()
    world.router.apply(InstanceDrain("i1"))
    assert InstanceDrained("i1") not in world.reports()
    table.names.clear()
    await asyncio.sleep(1.1)
    assert InstanceDrained("i1") in world.reports()


@pytest.mark.looptime
async def test_without_remains_nobody_looks_again(world: World) -> None:
    table = Table()
    start(world, table)
    await asyncio.sleep(100)
    assert table.read == 1


@pytest.mark.looptime
async def test_an_instance_that_comes_later_has_nothing_to_do_with_them(world: World) -> None:
    world.router.remains = Remains(world.router, Table("one"))
    world.router.informed.set()
    world.service(1, concurrency=1)
    client = world.client(GET)
    await world.serve(1)
    assert client.take() == OK


@pytest.mark.sockets
@pytest.mark.skipif(not Path(TABLE).exists(), reason="needs Linux")
def test_the_kernel_knows_of_a_connection_until_the_other_end_closes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        client = socket.create_connection(address)
        other, _ = server.accept()
        assert address not in read_table()
        client.close()
        assert len(read_table()[address]) == 1
        other.close()
        assert address not in read_table()
