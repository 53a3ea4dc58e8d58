"""WebSockets and server-sent events through the router, with clients and servers that others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import h2.config
import h2.connection
import h2.events
import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from homerun.wire.link import Usage
from tests.router.test_server import Platform

pytestmark = pytest.mark.sockets


async def echo(connection: ServerConnection) -> None:
    assert connection.request is not None
    if connection.request.path == "/bye":
        await connection.close(4001, "that was all")
        return
    async for message in connection:
        await connection.send(message)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(echo, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:  # type: ignore[list-item]
        yield server


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    made = Platform(tmp_path)
    made.hosts = ["localhost"]
    yield made
    await made.close()


def port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


def client(platform: Platform, path: str = "/", compressed: bool = True) -> connect:
    return connect(
        f"ws://localhost:{platform.port}{path}",
        host="127.0.0.1",
        subprotocols=["chat"],  # type: ignore[list-item]
        compression="deflate" if compressed else None,
        max_size=None,
        proxy=None,
    )


@pytest.mark.parametrize("compressed", [False, True])
async def test_messages_of_all_sizes_go_both_ways(platform: Platform, server: Server, compressed: bool) -> None:
    await platform.start(ports=[port_of(server)])
    async with client(platform, compressed=compressed) as connection:
        deflates = any(isinstance(e, PerMessageDeflate) for e in connection.protocol.extensions)
        assert deflates is compressed and connection.subprotocol == "chat"
        for message in ("", "hello", "é" * 1000, b"", b"\0" * 70_000, bytes(range(256)) * 20_000):
            await connection.send(message)
            assert await connection.recv() == message
        pieces = [b"a" * 100_000] * 10
        await connection.send(iter(pieces))
        assert await connection.recv() == b"".join(pieces)
        await (await connection.ping())


async def test_the_close_of_the_server_reaches_the_client(platform: Platform, server: Server) -> None:
    await platform.start(ports=[port_of(server)])
    async with client(platform, "/bye") as connection:
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert (connection.close_code, connection.close_reason) == (4001, "that was all")


async def test_a_connection_is_one_request_for_its_slot_and_in_the_usage(platform: Platform, server: Server) -> None:
    await platform.start(ports=[port_of(server)], concurrency=1)
    async with client(platform) as first:
        await first.send("one")
        assert await first.recv() == "one"
        waiting: asyncio.Task[ClientConnection] = asyncio.ensure_future(_connected(client(platform)))
        async with asyncio.timeout(30):
            while not any(isinstance(m, Usage) and (m.in_flight, m.waiting) == (1, 1) for m in platform.messages):
                await asyncio.sleep(0.01)
        assert not waiting.done()
    async with asyncio.timeout(30):
        second = await waiting
    await second.send("two")
    assert await second.recv() == "two"
    await second.close()
    async with asyncio.timeout(30):
        while sum(m.requests for m in platform.messages if isinstance(m, Usage)) < 2:
            await asyncio.sleep(0.01)


async def _connected(connecting: connect) -> ClientConnection:
    return await connecting


async def test_the_timeout_of_requests_ends_a_connection(platform: Platform, server: Server) -> None:
    await platform.start(ports=[port_of(server)], timeout=2)
    async with client(platform) as connection:
        with pytest.raises(ConnectionClosedError):
            async with asyncio.timeout(30):
                await connection.recv()
    async with asyncio.timeout(30):
        while server.connections:
            await asyncio.sleep(0.01)


async def test_another_client_and_server(platform: Platform) -> None:
    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.hosts = ["127.0.0.1"]
    await platform.start(ports=[runner.addresses[0][1]])
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{platform.port}/", compress=15) as socket,
    ):
        assert socket.compress
        for size in (0, 100, 1 << 20):
            await socket.send_bytes(b"x" * size)
            assert await socket.receive_bytes() == b"x" * size
    await runner.cleanup()


async def test_an_event_is_there_before_the_next_one_is_made(platform: Platform) -> None:
    """Nothing is held back: the server waits until the client has the last one."""
    taken = asyncio.Semaphore(0)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(20):
            await response.write(b"data: %d\n\n" % number)
            await taken.acquire()
        return response

    app = web.Application()
    app.router.add_get("/", events)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.hosts = ["127.0.0.1"]
    await platform.start(ports=[runner.addresses[0][1]])
    seen = []
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{platform.port}/") as response,
    ):
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            if line.startswith(b"data: "):
                seen.append(int(line[6:]))
                taken.release()
    assert seen == list(range(20))
    await runner.cleanup()


class Http2:
    """A client of WebSockets over HTTP/2 (RFC 8441): the frames of one are those of the `h2` library, the frames of the
    other those of `websockets`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._sockets: dict[int, ClientProtocol] = {}
        self.status: dict[int, str] = {}
        self.messages: dict[int, list[bytes]] = {}
        self.ended: set[int] = set()

    def open(self, path: str = "/") -> int:
        stream: int = self._h2.get_next_available_stream_id()
        fields = [(":method", "CONNECT"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        more = [(":protocol", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")]
        self._h2.send_headers(stream, [*fields, *more])
        self._sockets[stream] = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
        self.messages[stream] = []
        return stream

    async def send(self, stream: int, message: bytes) -> None:
        self._sockets[stream].send_binary(message)
        await self._flush(stream)

    async def close(self, stream: int) -> None:
        self._sockets[stream].send_close(1000)
        await self._flush(stream)

    async def _flush(self, stream: int) -> None:
        for data in self._sockets[stream].data_to_send():
            left = data
            while left:
                room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size, len(left))
                if not room:
                    await self.hear()
                    continue
                self._h2.send_data(stream, left[:room])
                left = left[room:]
                self._writer.write(self._h2.data_to_send())

    async def hear(self) -> None:
        self._writer.write(self._h2.data_to_send())
        data = await self._reader.read(1 << 16)
        assert data, "the router has closed the connection"
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.status[event.stream_id] = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                socket = self._sockets[event.stream_id]
                socket.receive_data(event.data)
                for frame in socket.events_received():
                    assert isinstance(frame, Frame)
                    if frame.opcode is Opcode.BINARY or frame.opcode is Opcode.CONT:
                        self.messages[event.stream_id].append(bytes(frame.data))
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self._writer.write(self._h2.data_to_send())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await self.hear()


async def test_websockets_share_a_connection_of_http2(platform: Platform, server: Server) -> None:
    await platform.start(ports=[port_of(server)])
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.port)
    client = Http2(reader, writer)
    streams = [client.open() for _ in range(5)]
    await client.until(lambda: len(client.status) == len(streams))
    assert set(client.status.values()) == {"200"}
    for size in (1, 1000, 300_000):
        for stream in streams:
            await client.send(stream, bytes([stream]) * size)
        await client.until(lambda: all(sum(map(len, client.messages[stream])) == size for stream in streams))  # noqa: B023
        for stream in streams:
            assert b"".join(client.messages[stream]) == bytes([stream]) * size
            client.messages[stream].clear()
    for stream in streams:
        await client.close(stream)
    await client.until(lambda: client.ended == set(streams))
    async with asyncio.timeout(30):
        while sum(m.requests for m in platform.messages if isinstance(m, Usage)) < len(streams):
            await asyncio.sleep(0.01)
    writer.close()
