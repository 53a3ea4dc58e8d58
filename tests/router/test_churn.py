"""Instances come, are drained, go and crash under load: who is served by one of them never hears of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from homerun.router.options import Options
from homerun.router.protocol import ClientConnection
from homerun.wire.link import InstanceDrain, InstanceDrained, InstanceGone, InstanceUp
from tests.router.test_protocol import POST, status
from tests.support.router import GET, OK, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime

KEPT_OPEN = 1.5
"""Seconds after which the instances close a connection that is not used; the shortest that common servers have is 2."""


class Serving(MockTransport):
    """The router's connection to an instance that answers each request after a while."""

    fleet: Fleet
    last = 0.0

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.written.partition(b"\r\n\r\n")[2]) < (10 if self.written.startswith(b"POST") else 0):
            # The body is still to come.
            return
        self.take()
        loop, port = asyncio.get_running_loop(), self.fleet.port_of(self)
        self.fleet.arrived(port)
        self.last = loop.time()
        loop.call_later(self.fleet.chance.uniform(0.001, 0.05), self._answer, port)

    def _answer(self, port: int) -> None:
        self.fleet.answered(port)
        loop = asyncio.get_running_loop()
        self.last = loop.time()
        self.feed(OK)
        loop.call_later(KEPT_OPEN, self._tire)

    def _tire(self) -> None:
        if not self.closing and asyncio.get_running_loop().time() - self.last >= KEPT_OPEN - 0.001:
            self.hang_up()


class Fleet:
    """Plays the instances, and control as far as it starts and stops them."""

    def __init__(self, world: World, chance: random.Random, concurrency: int) -> None:
        self.world, self.chance, self.concurrency = world, chance, concurrency
        self.in_flight: dict[int, int] = {}
        self.drained: set[int] = set()
        self.ports: Iterator[int] = iter(range(1, 10_000))
        self.served = 0
        self.transport = type("Serving", (Serving,), {"fleet": self})
        world.network.transport = self.transport

    def port_of(self, connection: MockTransport) -> int:
        return next(port for port, made in self.world.network.connections.items() if connection in made)

    def arrived(self, port: int) -> None:
        assert port not in self.drained, "a drained instance has got a request"
        self.in_flight[port] = self.in_flight.get(port, 0) + 1
        assert self.in_flight[port] <= self.concurrency, "an instance has more requests than its concurrency"

    def answered(self, port: int) -> None:
        self.in_flight[port] -= 1
        self.served += 1

    def start(self) -> int:
        port = next(self.ports)
        self.world.up(port)
        return port

    async def stop(self, port: int) -> None:
        """As control does it: drain, wait for the router's word, stop."""
        # Requests whose connection is being made are on their way.
        turn = self.chance.choice((0, 0, 1, 3))
        for number in range(turn):
            # It is needed after all.
            self.world.router.apply(InstanceDrain(f"i{port}"))
            await asyncio.sleep(self.chance.choice((0, 0.001, 0.02)))
            self.world.router.apply(InstanceUp("r", f"i{port}", "10.0.0.1", port, turn=number + 1))
            await asyncio.sleep(self.chance.choice((0, 0.001, 0.02)))
        self.world.reports()
        self.world.router.apply(InstanceDrain(f"i{port}"))
        while InstanceDrained(f"i{port}", turn) not in self.world.reports():
            await asyncio.sleep(0.001)
        assert not self.in_flight.get(port)
        self.drained.add(port)
        self.world.network.refused.add(port)
        for connection in self.world.open(port):
            connection.hang_up()
        self.world.router.apply(InstanceGone(f"i{port}"))


class Client(MockTransport):
    """Sends one request after the other."""

    answered: asyncio.Event

    def write(self, data: bytes) -> None:
        super().write(data)
        self.answered.set()

    async def ask(self, request: bytes) -> int:
        self.answered = asyncio.Event()
        self.feed(request)
        await self.answered.wait()
        return status(self.take())


async def client(world: World, chance: random.Random, until: float, answers: list[int]) -> None:
    loop = asyncio.get_running_loop()
    connection = Client(ClientConnection(world.router))
    while loop.time() < until:
        answers.append(await connection.ask(chance.choice((GET, POST))))
        await asyncio.sleep(chance.choice((0, 0, 0.01, 0.2, 2.5)))
    connection.hang_up()


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_scaling_up_and_down_under_load_is_not_noticed(world: World, concurrency: int) -> None:
    chance = random.Random(concurrency)
    fleet = Fleet(world, chance, concurrency)
    world.service(concurrency=concurrency)
    until, answers = asyncio.get_running_loop().time() + 20, list[int]()
    clients = [asyncio.ensure_future(client(world, chance, until, answers)) for _ in range(12)]
    alive = [fleet.start()]
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(chance.uniform(0.01, 0.3))
        if len(alive) < 2 or (len(alive) < 8 and chance.random() < 0.5):
            alive.append(fleet.start())
        else:
            await fleet.stop(alive.pop(chance.randrange(len(alive))))
    await asyncio.gather(*clients)
    assert set(answers) == {200} and len(answers) > 300
    assert fleet.served == len(answers)
    assert len(fleet.drained) > 15
    assert not any(fleet.in_flight.values())


async def test_crashes_are_felt_by_those_only_who_had_nothing_else_to_do() -> None:
    """A crash costs at most the requests that the instance had; those that can do no harm go to another one."""
    world = World(Options(retry_idempotent=True))
    chance = random.Random(5)
    fleet = Fleet(world, chance, 2)
    world.service(concurrency=2)
    until, lost = asyncio.get_running_loop().time() + 20, 0
    gets, posts = list[int](), list[int]()

    async def only(request: bytes, answers: list[int]) -> None:
        mine = random.Random(len(request))
        connection = Client(ClientConnection(world.router))
        while asyncio.get_running_loop().time() < until:
            answers.append(await connection.ask(request))
            await asyncio.sleep(mine.uniform(0, 0.1))
        connection.hang_up()

    clients = [asyncio.ensure_future(only(*each)) for each in [(GET, gets), (POST, posts)] * 4]
    alive = [fleet.start() for _ in range(6)]
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(chance.uniform(0.3, 0.6))
        port = alive.pop(0)
        lost += fleet.in_flight.get(port, 0)
        fleet.drained.add(port)
        world.network.refused.add(port)
        for connection in world.open(port):
            connection.hang_up()
        fleet.in_flight[port] = 0
        await asyncio.sleep(0.02)
        world.router.apply(InstanceGone(f"i{port}"))
        alive.append(fleet.start())
    await asyncio.gather(*clients)
    assert set(gets) == {200}
    assert set(posts) <= {200, 503}
    assert posts.count(503) <= lost
    await world.close()
