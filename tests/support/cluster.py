"""Several real router processes on one port; the services behind them, and control's end of the link, played by the
test. An instance here is deaf: what it has begun it goes on with, whether anybody waits or not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from homerun.controllers.plane import Plane
from homerun.core.ownership import owner
from homerun.wire.link import InstanceUp, RequestLog, RevisionSet, RouteSet, Target, Usage

PATIENCE = 30.0
"""Seconds for anything that must happen at last."""


class Instance:
    """Answers `GET /MILLISECONDS` after so long with its name and the CRC of what it was sent, and screams when it has
    more to do at once than its concurrency."""

    def __init__(self, id: str, concurrency: int, screams: list[str]) -> None:
        self.id, self.concurrency, self._screams = id, concurrency, screams
        self.running = self.most = self.served = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                sent = await reader.readexactly(int(length or 0))
                # Apart from the connection: a connection that breaks stops nothing.
                work = asyncio.get_running_loop().create_task(self._work(int(head.split(b" ")[1].split(b"/")[1])))
                self._tasks.add(work)
                work.add_done_callback(self._tasks.discard)
                await asyncio.shield(work)
                body = b"%b %d" % (self.id.encode(), crc32(sent))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    async def _work(self, milliseconds: int) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running > self.concurrency:
            self._screams.append(f"{self.id} has {self.running} requests at once, of {self.concurrency}")
        await asyncio.sleep(milliseconds / 1000)
        self.running -= 1
        self.served += 1

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Cluster:
    def __init__(self, folder: Path, count: int = 2) -> None:
        self.folder, self.count = folder, count
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port: int = self.listener.getsockname()[1]
        self.plane = Plane()
        self.routers: dict[int, asyncio.subprocess.Process] = {}
        self.instances: dict[str, Instance] = {}
        self.concurrency: dict[int, int] = {}
        self.screams: list[str] = []
        self._numbers = itertools.count()
        self.retiring: set[str] = set()
        self.drained: set[str] = set()
        self.lost: list[str] = []
        self.usage: list[Usage] = []
        self.requests: list[RequestLog] = []

    async def open(self) -> None:
        await self._listen(self.plane)
        for index in range(self.count):
            await self.start(index)

    async def close(self) -> None:
        for index in list(self.routers):
            await self.kill(index)
        await self.plane.close()
        self.listener.close()
        for instance in self.instances.values():
            await instance.close()
        await asyncio.sleep(0.05)

    # Routers

    async def start(self, index: int) -> None:
        number = self.listener.fileno()
        control = str(self.folder / "control.sock")
        arguments = ["--fd", str(number), "--control", control, "--index", str(index), "--count", str(self.count)]
        self.routers[index] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "homerun.router", *arguments, pass_fds=[number]
        )

    async def kill(self, index: int) -> None:
        process = self.routers.pop(index)
        process.kill()
        await process.wait()

    async def ready(self) -> None:
        """Each router has been told everything, and takes what is given to it."""
        await self.until(lambda: all((self.folder / f"peer-{i}.sock").exists() for i in range(self.count)))
        await self.until(lambda: f"<Plane {self.count} routers" in repr(self.plane))

    async def restart_control(self) -> None:
        """All its connections break; the new one knows the same."""
        old, self.plane = self.plane, Plane()
        await old.close()
        for service, concurrency in self.concurrency.items():
            self._announce(service, concurrency)
        for instance in self.instances.values():
            self._up(instance)
        for id in self.retiring:
            self.plane.instance_drain(id)
        await self._listen(self.plane)

    # Services

    def add_service(self, number: int, concurrency: int) -> None:
        self.concurrency[number] = concurrency
        self._announce(number, concurrency)

    def owner(self, number: int) -> int:
        return owner(service(number), self.count)

    async def add_instance(self, number: int) -> Instance:
        instance = Instance(f"s{number}-i{next(self._numbers)}", self.concurrency[number], self.screams)
        await instance.open()
        self.instances[instance.id] = instance
        self._up(instance)
        return instance

    async def retire(self, instance: Instance) -> None:
        """Drained, it has nothing to do any more; then it goes."""
        self.retiring.add(instance.id)
        self.plane.instance_drain(instance.id)
        await self.until(lambda: instance.id in self.drained)
        self.retiring.discard(instance.id)
        self.plane.instance_gone(instance.id)
        del self.instances[instance.id]
        await instance.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def get(self, number: int, path: str = "/0") -> tuple[int, bytes]:
        """Over a connection of its own."""
        reader, writer = await self.connect()
        try:
            writer.write(get(number, path))
            return await answer(reader)
        finally:
            writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)

    # What the routers report (controllers.plane.Reports)

    def on_demand(self, revision: str, in_flight: int, waiting: int) -> None: ...

    def on_usage(self, usage: Usage) -> None:
        self.usage.append(usage)

    def on_instance_failed(self, instance: str, reason: str) -> None: ...

    def on_drained(self, instance: str) -> None:
        self.drained.add(instance)

    def on_router_lost(self, revision: str) -> None:
        self.lost.append(revision)

    # Inside

    async def _listen(self, plane: Plane) -> None:
        plane.reports, plane.on_request = self, self.requests.append
        await plane.listen(self.folder / "control.sock")

    def _announce(self, number: int, concurrency: int) -> None:
        self.plane.set_revision(RevisionSet(revision(number), concurrency, 60, 10, 100))
        self.plane.set_route(RouteSet(service(number), [host(number)], [Target(revision(number), 100)]))

    def _up(self, instance: Instance) -> None:
        number = int(instance.id[1:].partition("-")[0])
        self.plane.instance_up(InstanceUp(revision(number), instance.id, "127.0.0.1", instance.port))


def service(number: int) -> str:
    return f"projects/p/locations/l/services/s{number}"


def revision(number: int) -> str:
    return f"{service(number)}/revisions/s{number}-00001-abc"


def host(number: int) -> str:
    return f"s{number}.example"


def get(number: int, path: str = "/0") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host(number)}\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body. Raises ConnectionError or IncompleteReadError when the connection breaks."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)
