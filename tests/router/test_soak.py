"""Two routers, two dozen services, clients of all habits, and everything that can happen, at once: no instance ever has
more requests than its concurrency, and every request is answered, or its connection breaks."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cluster import PATIENCE, Cluster, answer, get

pytestmark = pytest.mark.sockets

SERVICES = 24
CLIENTS = 40
BROKEN = (ConnectionError, asyncio.IncompleteReadError)


class Clients:
    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._random = cluster, random.Random(seed)
        self.outcomes: Counter[int | str] = Counter()
        self.stop = False

    async def run(self) -> None:
        habits = itertools.cycle([self._keep_alive, self._pipeline, self._leave_early, self._come_anew])
        async with asyncio.TaskGroup() as group:
            for habit, _ in zip(habits, range(CLIENTS), strict=False):
                group.create_task(self._go_on(habit))

    async def _go_on(self, habit) -> None:  # type: ignore[no-untyped-def]
        while not self.stop:
            try:
                reader, writer = await self._cluster.connect()
                try:
                    await asyncio.wait_for(habit(reader, writer), PATIENCE)
                finally:
                    writer.close()
            except BROKEN:
                self.outcomes["broken"] += 1

    async def _keep_alive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Now this host, now another, over one connection."""
        for _ in range(20):
            if not await self._ask(reader, writer, [self._any()]):
                return

    async def _pipeline(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Several at once, now and then for different hosts."""
        for _ in range(5):
            number = self._any()
            wanted = [number] * 3 if self._random.random() < 0.7 else [number, self._any(), self._any()]
            if not await self._ask(reader, writer, wanted):
                return

    async def _leave_early(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(get(self._any(), self._path()))
        await asyncio.sleep(self._random.choice([0, 0.002, 0.1]))
        self.outcomes["left"] += 1

    async def _come_anew(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._ask(reader, writer, [self._any()])

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: list[int]) -> bool:
        """False: the connection is over."""
        writer.write(b"".join(get(number, self._path()) for number in wanted))
        for number in wanted:
            status, body = await answer(reader)
            self.outcomes[status] += 1
            if status != 200:
                return False
            assert body.startswith(b"s%d-" % number), "another service has answered"
        return True

    def _any(self) -> int:
        return self._random.randrange(SERVICES)

    def _path(self) -> str:
        return f"/{self._random.choice([0, 0, 1, 5, 20])}"


async def change(cluster: Cluster, seed: int) -> None:
    """Instances come and go, all the time."""
    choose = random.Random(seed)
    while True:
        instance = choose.choice(list(cluster.instances.values()))
        if instance.id in cluster.retiring:
            await asyncio.sleep(0)
            continue
        cluster.retiring.add(instance.id)
        await cluster.add_instance(int(instance.id[1:].partition("-")[0]))
        await cluster.retire(instance)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    for number in range(SERVICES):
        made.add_service(number, 3 if number % 3 == 0 else 1)
        await made.add_instance(number)
    await made.open()
    await made.ready()
    yield made
    await made.close()


async def test_concurrency_is_exact_whatever_happens(cluster: Cluster) -> None:
    clients = Clients(cluster, seed=1)
    loop = asyncio.get_running_loop()
    running = loop.create_task(clients.run())
    changing = [loop.create_task(change(cluster, seed)) for seed in range(3)]

    async def answered(more: int) -> None:
        """So many requests later."""
        enough = clients.outcomes[200] + more
        await cluster.until(lambda: clients.outcomes[200] >= enough or running.done())

    await answered(200)
    for index in (1, 0):
        await cluster.kill(index)
        await cluster.start(index)
        await answered(200)
        await cluster.restart_control()
        await answered(200)
    clients.stop = True
    await running
    for task in changing:
        task.cancel()
    await asyncio.gather(*changing, return_exceptions=True)
    assert not any(task.done() and not task.cancelled() for task in changing)
    assert cluster.screams == []
    assert clients.outcomes.keys() <= {200, 421, 429, 503, "broken", "left"}, clients.outcomes
    assert clients.outcomes[421] and clients.outcomes["left"]
