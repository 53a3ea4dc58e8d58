"""What passes between two sockets that were made one, on both event loops."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from homerun.aio.splice import splice
from homerun.aio.tasks import Supervisor

pytestmark = pytest.mark.sockets

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Test = Callable[["Pair"], Awaitable[None]]

MIB = 1 << 20


class Front(asyncio.Protocol):
    """Hands its connection on with the first bytes."""

    def __init__(self, path: Path, tasks: Supervisor) -> None:
        self._path, self._tasks = path, tasks

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.pause_reading()
        self._tasks.spawn(splice(self._transport, data, self._path), name="splice")


class Pair:
    """`client` and `server` talk through a splice."""

    def __init__(self, client: Streams, server: Streams) -> None:
        self.client, self.server = client, server


@asynccontextmanager
async def pair(path: Path) -> AsyncIterator[Pair]:
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with Supervisor() as tasks:
        behind = await asyncio.start_unix_server(lambda *streams: accepted.put_nowait(streams), path)
        before = await loop.create_server(lambda: Front(path, tasks), "127.0.0.1", 0)
        client = await asyncio.open_connection(*before.sockets[0].getsockname())
        client[1].write(b"first")
        server = await asyncio.wait_for(accepted.get(), 10)
        assert await server[0].readexactly(5) == b"first"
        yield Pair(client, server)
        for _, writer in (client, server):
            writer.close()
        before.close()
        behind.close()
        await asyncio.sleep(0.05)  # closing takes a few turns of the loop; nothing is asserted after it


def on_both_loops(test: Test) -> Callable[[Any, Path], None]:
    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    @functools.wraps(test)
    def run(new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path) -> None:
        async def main() -> None:
            async with pair(tmp_path / "s") as made:
                await asyncio.wait_for(test(made), 30)

        loop = new_loop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    del run.__wrapped__  # or pytest would look for a fixture named as the test's parameter
    return run


async def unread(writer: asyncio.StreamWriter) -> int:
    """Write until nothing more is taken. Returns how much was."""
    sent = 0
    while True:
        writer.write(bytes(MIB))
        sent += MIB
        try:
            await asyncio.wait_for(writer.drain(), 0.5)
        except TimeoutError:
            return sent


@on_both_loops
async def test_everything_passes_in_both_directions(pair: Pair) -> None:
    for (reader, _), (_, writer) in ((pair.client, pair.server), (pair.server, pair.client)):
        sent = b"".join(index.to_bytes(4) for index in range(MIB))
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent


@on_both_loops
async def test_a_slow_reader_slows_the_writer_down(pair: Pair) -> None:
    for (reader, _), (_, writer) in ((pair.client, pair.server), (pair.server, pair.client)):
        sent = await unread(writer)
        assert sent < 64 * MIB, "what the sockets hold, and no more"
        assert len(await reader.readexactly(sent)) == sent
        writer.write(b"on")
        assert await reader.readexactly(2) == b"on"


@on_both_loops
async def test_they_end_together_whoever_ends_first(pair: Pair) -> None:
    (_, writer), (other, _) = pair.client, pair.server
    writer.write(b"bye")
    writer.close()
    assert await other.read() == b"bye"


@on_both_loops
async def test_what_was_said_last_still_arrives(pair: Pair) -> None:
    (reader, _), (_, writer) = pair.client, pair.server
    writer.write(bytes(4 * MIB))
    writer.close()
    assert len(await reader.read()) == 4 * MIB


@on_both_loops
async def test_a_writer_that_vanishes_while_it_is_slowed_down_takes_the_other_with_it(pair: Pair) -> None:
    (_, writer), (reader, _) = pair.client, pair.server
    await unread(writer)
    writer.transport.abort()
    await reader.read()
    assert reader.at_eof()


async def test_a_socket_where_nobody_listens_is_an_error(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    with far, pytest.raises(OSError):
        await splice(transport, b"", tmp_path / "nobody")
    transport.close()


async def test_a_client_that_is_gone_already_is_not_joined(tmp_path: Path) -> None:
    ended: asyncio.Queue[bytes] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ended.put_nowait(await reader.read())
        except ConnectionResetError:
            ended.put_nowait(b"")
        writer.close()

    async with await asyncio.start_unix_server(accept, tmp_path / "s"):
        near, far = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        transport.close()
        with far:
            await splice(transport, b"said", tmp_path / "s")
            assert await asyncio.wait_for(ended.get(), 10) == b""
