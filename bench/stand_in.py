"""Stands in for control, so that a router can be measured alone: one service for each protocol, all instances at the
backends. What the router reports is read and dropped: the cost of control is another benchmark's subject."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

from homerun.wire import link
from homerun.wire.link import FrameDecoder, Hello, InstanceUp, RevisionSet, RouteSet, Snapshot, Target

INSTANCES = 4
CONCURRENCY = 1000
"""The largest that a revision can have: nothing waits for a slot, which not all peers could do."""


def host(protocol: str) -> str:
    """The host name of the service whose instances speak `protocol`."""
    return f"{protocol}.bench.localhost"


def snapshot(backends: Mapping[str, int]) -> Snapshot:
    """`backends`: protocol -> port."""
    return Snapshot(
        [RouteSet(f"services/{protocol}", [host(protocol)], [Target(protocol, 100)]) for protocol in backends],
        [_revision(protocol) for protocol in backends],
        [
            InstanceUp(protocol, f"{protocol}-{number}", "127.0.0.1", port)
            for protocol, port in backends.items()
            for number in range(INSTANCES)
        ],
        [],
    )


def http2_is_spoken() -> bool:
    """Whether this router can be told that a revision's instances speak HTTP/2."""
    return "h2c" in RevisionSet.__struct_fields__


def _revision(protocol: str) -> RevisionSet:
    more = {"h2c": True} if protocol != "http1" and http2_is_spoken() else {}
    return RevisionSet(protocol, CONCURRENCY, 300, 10, 100, **more)


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
