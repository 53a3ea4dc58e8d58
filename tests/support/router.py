"""A router with clients, instances and control played by the test: no sockets, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homerun.router.options import Options
from homerun.router.protocol import ClientConnection
from homerun.router.server import Router
from homerun.wire import link
from homerun.wire.link import (
    FrameDecoder,
    InstanceUp,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    Target,
    ToControl,
)
from tests.support.clock import LoopClock
from tests.support.transport import MockTransport

HOST = "hello.example"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: hello.example\r\n\r\n"


@dataclass
class Request:
    """What the head of a request does not say."""

    method: bytes = b"GET"
    target: bytes = b"/"
    trace: bytes = b""


class Network:
    """Stands in for the event loop where the router connects to instances."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.connections: dict[int, list[MockTransport]] = {}
        """The router's connections by port, oldest first, the closed ones too."""
        self.refused: set[int] = set()
        self.silent: set[int] = set()
        """Ports on which nobody answers, not even with a refusal."""
        self.transport = MockTransport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[MockTransport, asyncio.Protocol]:
        if port in self.silent:
            await asyncio.Event().wait()
        if port in self.refused:
            raise ConnectionRefusedError(111, "Connection refused")
        protocol = factory()
        transport = self.transport(protocol)
        self.connections.setdefault(port, []).append(transport)
        return transport, protocol


class World:
    """By default one service, one revision `r` of concurrency 2, no instance."""

    def __init__(self, options: Options | None = None) -> None:
        self.network = Network(asyncio.get_running_loop())
        self.router = Router(Path("/nowhere"), options or Options(), LoopClock(), self.network)  # type: ignore[arg-type]
        self._frames = FrameDecoder()
        self.control = MockTransport(self.router.link)
        self.router.link.data_received(link.encode(RouteGone("nobody")))
        self.reports()

    def route(self, *targets: Target, host: str = HOST) -> None:
        self.router.apply(RouteSet("projects/p/locations/l/services/hello", [host], list(targets)))

    def revision(
        self,
        name: str = "r",
        concurrency: int = 2,
        timeout: float = 300,
        failure: str = "",
        affinity: bool = False,
        throttled: bool = False,
        h2c: bool = False,
    ) -> None:
        self.router.apply(RevisionSet(name, concurrency, timeout, 10, 100, failure, affinity, throttled, h2c))

    def up(self, *ports: int, revision: str = "r") -> None:
        """Instance iN of `revision` listens on port N."""
        for port in ports:
            self.router.apply(InstanceUp(revision, f"i{port}", "10.0.0.1", port))

    def service(self, *ports: int, **revision: Any) -> None:
        self.revision(**revision)
        self.route(Target("r", 100))
        self.up(*ports)

    def snapshot(
        self,
        *ports: int,
        draining: list[str] | None = None,
        unready: Collection[str] = (),
        revisions: list[str] | None = None,
        throttled: bool = False,
    ) -> None:
        names = ["r"] if revisions is None else revisions
        self.router.apply(
            Snapshot(
                [RouteSet("projects/p/locations/l/services/hello", [HOST], [Target("r", 100)])] if names else [],
                [RevisionSet(name, 2, 300, 10, 100, throttled=throttled) for name in names],
                [InstanceUp("r", f"i{port}", "10.0.0.1", port, f"i{port}" in unready) for port in ports],
                draining or [],
            )
        )

    def client(self, data: bytes = b"", peer: str = "192.0.2.7") -> MockTransport:
        transport = MockTransport(ClientConnection(self.router), peer)
        if data:
            transport.feed(data)
        return transport

    def instance(self, port: int, connection: int = -1) -> MockTransport:
        """One of the connections to the instance on `port`: the newest, unless told."""
        return self.network.connections[port][connection]

    def open(self, port: int) -> list[MockTransport]:
        return [connection for connection in self.network.connections.get(port, []) if not connection.closing]

    def reports(self) -> list[ToControl]:
        """What control was told since the last time."""
        return [link.decode_to_control(body) for body in self._frames.feed(self.control.take())]

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(12):
            await asyncio.sleep(0)

    async def serve(self, port: int, answer: bytes = OK) -> bytes:
        """The instance on `port` answers the request that it got last; returns that request."""
        await self.settle()
        connection = self.open(port)[-1]
        request = connection.take()
        connection.feed(answer)
        await self.settle()
        return request

    async def close(self) -> None:
        self.router.stats.stop()
        for client in list(self.router.clients):
            client.transport.abort()
        for stranger in list(self.router.turned_away):
            stranger.abort()
        for instance in list(self.router.instances.values()):
            instance.activator.gone(instance)
            for connection in list(instance.connections):
                connection.abort()
        await self.settle()
        await self.router.tasks.close()
        assert not self.router.wheel, "a closed connection is still on the wheel"
