"""Control and several routers: whose word counts for what."""

from __future__ import annotations

import asyncio

import pytest

from homerun.controllers.plane import ROUTER_PATIENCE, Plane, RouterLink
from homerun.wire import link
from homerun.wire.link import (
    Demand,
    FrameDecoder,
    Hello,
    InstanceDrain,
    InstanceDrained,
    InstanceUp,
    RevisionSet,
    Snapshot,
    ToControl,
    ToRouter,
    Usage,
)
from tests.support.cluster import owner, revision, service

pytestmark = pytest.mark.looptime

MINE = next(n for n in range(20) if owner(service(n), 2) == 0)
THEIRS = next(n for n in range(20) if owner(service(n), 2) == 1)


class Heard:
    """Who hears the routers."""

    def __init__(self) -> None:
        self.drained: list[str] = []
        self.lost: list[str] = []
        self.demand: list[Demand] = []

    def on_demand(self, revision: str, in_flight: int, waiting: int) -> None:
        self.demand.append(Demand(revision, waiting, in_flight))

    def on_usage(self, usage: Usage) -> None: ...

    def on_instance_failed(self, instance: str, reason: str) -> None: ...

    def on_drained(self, instance: str) -> None:
        self.drained.append(instance)

    def on_router_lost(self, revision: str) -> None:
        self.lost.append(revision)


class Router(asyncio.WriteTransport):
    """The other end of a link."""

    def __init__(self, plane: Plane, index: int, count: int = 2, loads: list[Demand] | None = None) -> None:
        super().__init__()
        self.heard: list[ToRouter] = []
        self._frames = FrameDecoder()
        self._link = RouterLink(plane)
        self._link.connection_made(self)
        self.say(Hello(index, loads or [], index, count))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.heard += [link.decode_to_router(body) for body in self._frames.feed(bytes(data))]

    def say(self, message: ToControl) -> None:
        self._link.data_received(link.encode(message))

    def die(self) -> None:
        self._link.connection_lost(None)

    def close(self) -> None:
        self.die()


def world() -> tuple[Plane, Heard]:
    plane, heard = Plane(), Heard()
    plane.reports = heard
    for number in (MINE, THEIRS):
        plane.set_revision(RevisionSet(revision(number), 1, 60, 10, 100))
        plane.instance_up(InstanceUp(revision(number), f"i{number}", "10.0.0.1", 80))
    return plane, heard


async def test_all_routers_are_told_everything() -> None:
    plane, _ = world()
    for index in range(2):
        [snapshot] = Router(plane, index).heard
        assert isinstance(snapshot, Snapshot) and len(snapshot.revisions) == len(snapshot.instances) == 2


async def test_what_a_router_had_reported_goes_with_it_and_what_others_had_stays() -> None:
    plane, heard = world()
    Router(plane, 0)
    other = Router(plane, 1)
    other.die()
    assert heard.lost == [revision(THEIRS)]


async def test_a_router_that_is_back_before_its_old_link_is_seen_to_break_is_not_lost() -> None:
    plane, heard = world()
    before = Router(plane, 1)
    Router(plane, 1, loads=[Demand(revision(THEIRS), 2, 1)])
    before.die()
    assert heard.lost == []
    assert heard.demand == [Demand(revision(THEIRS), 2, 1)]


async def test_who_never_said_hello_is_not_missed() -> None:
    plane, heard = world()
    stranger = RouterLink(plane)
    stranger.connection_lost(None)
    assert heard.lost == []


async def test_who_is_not_ready_is_told_to_the_routers_that_are_there_and_to_those_that_come() -> None:
    plane, _ = world()
    router, id = Router(plane, 0), f"i{MINE}"
    for unready in (True, False, False):
        plane.instance_unready(id, unready)
        up = InstanceUp(revision(MINE), id, "10.0.0.1", 80, unready)
        [snapshot] = Router(plane, 1).heard
        assert isinstance(snapshot, Snapshot) and up in snapshot.instances
    assert [up.unready for up in router.heard[1:] if isinstance(up, InstanceUp)] == [True, False]
    plane.instance_unready("unknown", True)


async def test_an_instance_is_drained_when_every_router_says_so() -> None:
    plane, heard = world()
    routers = [Router(plane, index) for index in range(2)]
    plane.instance_drain(f"i{THEIRS}")
    assert all(router.heard[-1] == InstanceDrain(f"i{THEIRS}") for router in routers)
    for router in routers:
        assert heard.drained == []
        router.say(InstanceDrained(f"i{THEIRS}"))
    assert heard.drained == [f"i{THEIRS}"]


async def test_what_was_said_of_a_drain_before_it_was_taken_back_counts_no_more() -> None:
    plane, heard = world()
    owning = Router(plane, 0, 1)
    id = f"i{MINE}"
    plane.instance_unready(id, True)
    plane.instance_drain(id)
    plane.instance_recall(id)
    up = owning.heard[-1]
    assert isinstance(up, InstanceUp) and up.instance == id and (up.turn, up.unready) == (1, False)
    owning.say(InstanceDrained(id))
    assert heard.drained == []
    plane.instance_drain(id)
    owning.say(InstanceDrained(id))
    assert heard.drained == [], "it was said of the first drain: there may be new requests"
    owning.say(InstanceDrained(id, 1))
    assert heard.drained == [id]


async def test_nor_does_the_patience_of_a_drain_that_was_taken_back() -> None:
    plane, heard = world()
    other = Router(plane, 0)
    id = f"i{THEIRS}"
    plane.instance_drain(id)
    await asyncio.sleep(ROUTER_PATIENCE / 2)
    plane.instance_recall(id)
    plane.instance_drain(id)
    other.say(InstanceDrained(id, 1))
    await asyncio.sleep(ROUTER_PATIENCE * 0.75)
    assert heard.drained == [], "its owner may still come"
    await asyncio.sleep(ROUTER_PATIENCE / 2)
    assert heard.drained == [id]
    plane.instance_recall("unknown")


async def test_a_drain_waits_for_the_owner_that_is_on_its_way_back() -> None:
    plane, heard = world()
    other = Router(plane, 0)
    plane.instance_drain(f"i{THEIRS}")
    other.say(InstanceDrained(f"i{THEIRS}"))
    owning = Router(plane, 1)
    [snapshot] = owning.heard
    assert isinstance(snapshot, Snapshot) and snapshot.draining == [f"i{THEIRS}"]
    await asyncio.sleep(2 * ROUTER_PATIENCE)
    assert heard.drained == []
    owning.say(InstanceDrained(f"i{THEIRS}"))
    assert heard.drained == [f"i{THEIRS}"]


async def test_a_drain_does_not_wait_for_ever_for_an_owner_that_is_away() -> None:
    plane, heard = world()
    other = Router(plane, 0)
    plane.instance_drain(f"i{THEIRS}")
    other.say(InstanceDrained(f"i{THEIRS}"))
    assert heard.drained == []
    await asyncio.sleep(ROUTER_PATIENCE + 0.1)
    assert heard.drained == [f"i{THEIRS}"]


async def test_with_the_owner_there_nobody_else_is_waited_for() -> None:
    plane, heard = world()
    owning = Router(plane, 0)
    plane.instance_drain(f"i{MINE}")
    owning.say(InstanceDrained(f"i{MINE}"))
    assert heard.drained == [f"i{MINE}"]


async def test_a_control_that_starts_waits_for_its_routers_but_not_for_ever() -> None:
    plane = Plane()
    plane.reports = Heard()  # type: ignore[assignment]
    loop = asyncio.get_running_loop()
    expected = asyncio.ensure_future(plane.expect(2))
    await asyncio.sleep(0.3)
    Router(plane, 0)
    await asyncio.sleep(0.3)
    assert not expected.done()
    Router(plane, 1)
    await expected
    assert loop.time() == pytest.approx(0.6)
    await plane.expect(3)
    assert loop.time() == pytest.approx(0.6 + ROUTER_PATIENCE)
