"""Stands in for control, so that a router can be measured alone: one service for each protocol, all instances at the
backends. What the router reports is read and dropped: the cost of control is another benchmark's subject."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Mapping
from pathlib import Path

from homerun.core.ownership import owner
from homerun.wire import link
from homerun.wire.link import FrameDecoder, Hello, InstanceUp, RevisionSet, RouteSet, Snapshot, Target

INSTANCES = 4
SERVICES, ROUTERS = 8, 2
"""Services that several router processes share."""
CONCURRENCY = 1000
"""The largest that a revision can have: nothing waits for a slot, which not all peers could do."""


def host(name: str) -> str:
    """The host name of a service: of that whose instances speak this protocol, or of one of `services`."""
    return f"{name}.bench.localhost"


def services(number: int, routers: int) -> list[str]:
    """So many services that speak HTTP/1.1, of which each of `routers` owns the same number."""
    found: list[list[str]] = [[] for _ in range(routers)]
    for at in itertools.count():
        name = f"s{at}"
        mine = found[owner(_service(name), routers)]
        if len(mine) < number // routers:
            mine.append(name)
        if all(len(names) == number // routers for names in found):
            return [name for names in found for name in names]
    raise AssertionError


def snapshot(backends: Mapping[str, int]) -> Snapshot:
    """`backends`: protocol -> port. A service for each, and SERVICES more."""
    ports = {**backends, **dict.fromkeys(services(SERVICES, ROUTERS), backends["http1"])}
    return Snapshot(
        [RouteSet(_service(name), [host(name)], [Target(_revision(name), 100)]) for name in ports],
        [_revision_set(name) for name in ports],
        [
            InstanceUp(_revision(name), f"{name}-{number}", "127.0.0.1", port)
            for name, port in ports.items()
            for number in range(INSTANCES)
        ],
        [],
    )


def http2_is_spoken() -> bool:
    """Whether this router can be told that a revision's instances speak HTTP/2."""
    return "h2c" in RevisionSet.__struct_fields__


def _service(name: str) -> str:
    return f"services/{name}"


def _revision(name: str) -> str:
    return f"{_service(name)}/revisions/v"


def _revision_set(name: str) -> RevisionSet:
    more = {"h2c": True} if name in ("h2c", "grpc") and http2_is_spoken() else {}
    return RevisionSet(_revision(name), CONCURRENCY, 300, 10, 100, **more)


class _Control(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._frames = FrameDecoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        # Only a Hello wants an answer; decoding the rest would take the time of the router's core.
        for body in self._frames.feed(data):
            if b"Hello" in body[:16] and isinstance(link.decode_to_control(body), Hello):
                self._transport.write(self._answer)


def start(path: Path, backends: Mapping[str, int]) -> None:
    """In a thread, for as long as this process lives."""
    started = threading.Event()
    answer = link.encode(snapshot(backends))

    async def listen() -> None:
        await asyncio.get_running_loop().create_unix_server(lambda: _Control(answer), str(path))
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
    started.wait()
