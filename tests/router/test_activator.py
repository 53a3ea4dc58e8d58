"""Holding requests until there is a slot, and telling control."""

from __future__ import annotations

import asyncio

import pytest

from homerun.router.options import Options
from homerun.wire.link import Demand, InstanceDrained, InstanceUp, RevisionSet
from tests.router.test_protocol import POST, body, status
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime


def demands(world: World) -> list[Demand]:
    return [message for message in world.reports() if isinstance(message, Demand)]


async def test_a_request_without_an_instance_is_demand_at_once_and_served_when_one_is_up(world: World) -> None:
    world.service()
    client = world.client(GET)
    await world.settle()
    assert demands(world) == [Demand("r", 1, 0)]
    world.up(1)
    await world.serve(1)
    assert client.take() == OK


async def test_all_requests_of_one_turn_are_one_demand(world: World) -> None:
    world.service()
    for _ in range(5):
        world.client(GET)
    await world.settle()
    assert demands(world) == [Demand("r", 5, 0)]


async def test_demand_says_what_is_in_flight_too(world: World) -> None:
    world.service(1, concurrency=2)
    for _ in range(3):
        world.client(GET)
    await world.settle()
    assert demands(world) == [Demand("r", 1, 2)]


async def test_a_request_with_a_free_slot_is_no_demand(world: World) -> None:
    world.service(1)
    world.client(GET)
    await world.settle()
    assert demands(world) == []


async def test_a_new_instance_takes_the_waiting_in_their_order(world: World) -> None:
    world.service(concurrency=1)
    clients = [world.client(GET.replace(b"/ ", b"/%d " % n)) for n in range(3)]
    world.up(1)
    for n in range(3):
        assert (await world.serve(1)).startswith(b"GET /%d " % n)
        assert clients[n].take() == OK


async def test_waiting_ends_with_429_at_the_queue_deadline(world: World) -> None:
    world.service()
    first = world.client(GET)
    await asyncio.sleep(4)
    second = world.client(GET)
    await asyncio.sleep(5.9)
    assert first.take() == b""
    await asyncio.sleep(0.2)
    answer = first.take()
    assert status(answer) == 429
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert body(answer) == b"Rate exceeded.\n"
    assert second.take() == b""
    await asyncio.sleep(4)
    assert status(second.take()) == 429
    assert not second.closing


async def test_a_longer_startup_moves_the_deadline_of_those_who_wait(world: World) -> None:
    world.service()
    client = world.client(GET)
    await asyncio.sleep(5)
    world.router.apply(RevisionSet("r", 2, 300, 30, 100))
    await asyncio.sleep(24)
    assert client.take() == b""
    await asyncio.sleep(2)
    assert status(client.take()) == 429


async def test_a_revision_that_may_have_no_instances_refuses_at_once(world: World) -> None:
    world.service()
    waiting = world.client(GET)
    world.router.apply(RevisionSet("r", 2, 300, 10, 0))
    later = world.client(GET)
    for client in (waiting, later):
        answer = client.take()
        assert status(answer) == 503
        assert b"Service disabled" in body(answer)
    world.router.apply(RevisionSet("r", 2, 300, 10, 1))
    assert world.client(GET).take() == b"", "it is enabled again"


async def test_a_full_queue_refuses_at_once() -> None:
    world = World(Options(queue_limit=2))
    world.service()
    clients = [world.client(GET) for _ in range(3)]
    assert [bool(client.take()) for client in clients] == [False, False, True]
    await world.close()


async def test_a_failed_start_answers_those_who_wait_with_the_cause(world: World) -> None:
    world.service()
    client = world.client(GET)
    world.revision(failure="the container exited with code 3")
    answer = client.take()
    assert status(answer) == 503
    assert b"The request failed because the instance could not start successfully: the container exited" in answer


async def test_after_a_failed_start_the_next_request_is_demand_again(world: World) -> None:
    world.service(failure="it exited")
    client = world.client(GET)
    await world.settle()
    assert demands(world) == [Demand("r", 1, 0)]
    assert client.take() == b""


async def test_a_deleted_revision_sends_its_waiting_requests_away(world: World) -> None:
    from homerun.wire.link import RevisionGone

    world.service()
    client = world.client(GET)
    world.router.apply(RevisionGone("r"))
    assert status(client.take()) == 503
    client.feed(GET)
    assert b"no revision that is ready" in client.take()
    world.router.apply(RevisionGone("r"))


async def test_a_request_that_waits_longer_than_its_own_timeout_gets_504(world: World) -> None:
    world.service(timeout=3)
    client = world.client(POST)
    await asyncio.sleep(3.2)
    assert status(client.take()) == 504
    world.up(1)
    await world.settle()
    assert 1 not in world.network.connections


async def test_a_draining_instance_ends_its_requests_and_gets_no_new_ones(world: World) -> None:
    from homerun.wire.link import InstanceDrain

    world.service(1)
    first = world.client(GET)
    await world.settle()
    world.router.apply(InstanceDrain("i1"))
    second = world.client(GET)
    await world.settle()
    assert InstanceDrained("i1") not in world.reports()
    await world.serve(1)
    assert first.take() == OK
    assert world.reports().count(InstanceDrained("i1")) == 1
    assert second.take() == b""
    assert not world.open(1)
    world.up(2)
    await world.serve(2)
    assert second.take() == OK


async def test_a_draining_instance_that_is_taken_back_gets_requests_and_drains_anew(world: World) -> None:
    from homerun.wire.link import InstanceDrain

    world.service(1, concurrency=2)
    clients = [world.client(GET)]
    await world.settle()
    world.router.apply(InstanceDrain("i1"))
    clients += [world.client(GET) for _ in range(3)]
    await world.settle()
    world.reports()
    world.router.apply(InstanceUp("r", "i1", "10.0.0.1", 1, turn=1))
    await world.settle()
    assert world.router.instances["i1"].in_flight == 2
    assert Demand("r", 2, 2) in world.reports(), "it had less room than control could know"
    for _ in range(4):
        for connection in world.open(1):
            connection.take()
            connection.feed(OK)
        await world.settle()
    assert [client.take() for client in clients] == [OK] * 4
    assert not [report for report in world.reports() if isinstance(report, InstanceDrained)]
    world.router.apply(InstanceDrain("i1"))
    assert world.reports() == [InstanceDrained("i1", 1)]


async def test_an_idle_instance_is_drained_at_once_and_its_connections_are_closed(world: World) -> None:
    from homerun.wire.link import InstanceDrain

    world.service(1)
    world.client(GET)
    await world.serve(1)
    world.reports()
    world.router.apply(InstanceDrain("i1"))
    await world.settle()
    assert world.reports() == [InstanceDrained("i1")]
    assert not world.open(1)


async def test_an_instance_that_is_not_ready_gets_nothing_new_until_it_is(world: World) -> None:
    world.service(1, 2)
    clients = [world.client(GET) for _ in range(2)]
    await world.settle()
    world.router.apply(InstanceUp("r", "i1", "10.0.0.1", 1, unready=True))
    clients += [world.client(GET) for _ in range(2)]
    await world.settle()
    instances = world.router.instances
    assert [(i.in_flight, i.state.value) for i in instances.values()] == [(1, "failed"), (2, "active")]
    assert world.router.activators["r"].demand().in_flight == 2, "what it still answers needs nobody to take it over"
    await world.serve(1)
    assert sorted(client.take() for client in clients) == [b"", b"", b"", OK]
    world.up(1)
    await world.settle()
    assert [i.in_flight for i in instances.values()] == [1, 2]


async def test_an_instance_nobody_knows_is_drained(world: World) -> None:
    from homerun.wire.link import InstanceDrain

    world.router.apply(InstanceDrain("never seen"))
    assert world.reports() == [InstanceDrained("never seen", -1)]


async def test_an_activator_says_what_is_going_on(world: World) -> None:
    world.service()
    world.client(GET)
    assert repr(world.router.activators["r"]) == "<Activator r <Dispatcher 0 instances, 0 in flight, 1 waiting>>"
