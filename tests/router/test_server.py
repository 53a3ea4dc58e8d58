"""What control tells the router, and the router as a whole over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homerun.router.options import Options
from homerun.router.server import serve
from homerun.wire import link
from homerun.wire.link import (
    Demand,
    FrameDecoder,
    Hello,
    Inspect,
    Inspected,
    InstanceDrained,
    InstanceGone,
    InstanceUp,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    Target,
)
from tests.router.test_protocol import body, status
from tests.support.router import GET, OK, World
from tests.support.transport import MockTransport

# What control tells


@pytest.mark.looptime
async def test_an_unknown_host_gets_404(world: World) -> None:
    answer = world.client(GET).take()
    assert status(answer) == 404
    assert b"<code>hello.example</code>" in answer


@pytest.mark.looptime
async def test_a_service_that_is_not_ready_gets_503(world: World) -> None:
    world.route()
    answer = world.client(GET).take()
    assert status(answer) == 503
    assert b"Service hello has no revision that is ready to serve yet." in answer
    world.route(Target("r", 100))
    assert status(world.client(GET).take()) == 503


@pytest.mark.looptime
async def test_a_service_that_is_gone_gets_404(world: World) -> None:
    world.service(1)
    world.router.apply(RouteGone("projects/p/locations/l/services/hello"))
    assert status(world.client(GET).take()) == 404


@pytest.mark.looptime
async def test_an_instance_of_an_unknown_revision_is_of_no_use(world: World) -> None:
    world.up(1, revision="unknown")
    assert world.router.instances == {}


@pytest.mark.looptime
async def test_requests_in_flight_fail_when_their_instance_is_gone(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.router.apply(InstanceGone("i1"))
    assert client.take() == b""
    await asyncio.sleep(0.1)
    assert status(client.take()) == 503
    world.router.apply(InstanceGone("i1"))


@pytest.mark.looptime
async def test_the_last_words_of_an_instance_that_is_gone_are_heard(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.router.apply(InstanceGone("i1"))
    world.instance(1).feed(OK)
    await asyncio.sleep(0.1)
    assert client.take() == OK
    assert not world.open(1)


@pytest.mark.looptime
async def test_a_request_that_is_being_connected_to_an_instance_that_goes_gets_another_one(world: World) -> None:
    world.service(1)
    world.network.silent.add(1)
    client = world.client(GET)
    await world.settle()
    world.router.apply(InstanceGone("i1"))
    world.up(2)
    await world.serve(2)
    assert client.take() == OK


@pytest.mark.looptime
async def test_a_snapshot_keeps_what_it_mentions_with_its_requests_in_flight(world: World) -> None:
    world.service(1)
    clients = [world.client(GET) for _ in range(3)]
    await world.settle()
    world.snapshot(1)
    await world.settle()
    assert len(world.open(1)) == 2
    await world.serve(1)
    await world.serve(1)
    assert [client.take() for client in clients].count(OK) == 2


@pytest.mark.looptime
async def test_a_snapshot_takes_away_what_it_does_not_mention(world: World) -> None:
    world.service(1, 2)
    first = world.client(GET)
    await world.settle()
    world.snapshot(1)
    assert list(world.router.instances) == ["i1"]
    await asyncio.sleep(0.1)
    assert status(first.take()) == 503
    world.snapshot(revisions=[])
    assert status(world.client(GET).take()) == 404


@pytest.mark.looptime
async def test_a_snapshot_says_which_instances_get_nothing_new(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.reports()
    world.snapshot(1, draining=["i1"])
    second = world.client(GET)
    await world.serve(1)
    assert client.take() == OK
    assert InstanceDrained("i1") in world.reports()
    world.snapshot(1, draining=["i1", "unknown"])
    assert {InstanceDrained("i1"), InstanceDrained("unknown", -1)} <= set(world.reports())
    assert second.take() == b""


@pytest.mark.looptime
async def test_a_snapshot_says_which_instances_are_not_ready(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    world.snapshot(1, 2, unready=["i1", "i2"])
    second = world.client(GET)
    await world.serve(1)
    assert (client.take(), second.take()) == (OK, b"")
    world.snapshot(1, 2, unready=["i1"])
    await world.serve(2)
    assert second.take() == OK


async def test_an_old_failure_in_a_snapshot_does_not_refuse_those_who_wait_now(world: World) -> None:
    world.service()
    client = world.client(GET)
    world.router.apply(Snapshot([], [RevisionSet("r", 2, 300, 10, 100, "old")], [], []))
    assert client.take() == b""


@pytest.mark.looptime
async def test_the_hello_says_who_waits(world: World) -> None:
    world.service()
    assert world.router.hello().loads == []
    world.client(GET)
    assert world.router.hello().loads == [Demand("r", 1, 0)]


@pytest.mark.looptime
async def test_who_looks_at_the_metrics_is_told_what_there_is_right_now(world: World) -> None:
    world.service()
    world.client(GET)
    world.client()
    await world.settle()
    world.reports()
    world.router.link.dropped = 5
    world.router.apply(Inspect())
    assert world.reports() == [Inspected(2, 0, 5, [Demand("r", 1, 0)])]


async def test_a_router_says_what_it_knows(world: World) -> None:
    world.service(1)
    assert repr(world.router) == "<Router <Routes 1 services, 1 hosts>, 1 instances, 0 clients>"


@pytest.mark.looptime
async def test_while_control_is_away_the_router_serves_what_it_knows(world: World) -> None:
    world.service(1, 2, concurrency=1)
    world.control.hang_up()
    for _ in range(60):
        clients = [world.client(GET) for _ in range(3)]
        await world.settle()
        for _ in range(3):
            for port in (1, 2):
                for connection in world.open(port):
                    if connection.take():
                        connection.feed(OK)
            await world.settle()
        answers = [client.take() for client in clients]
        assert answers == [OK] * 3
        await asyncio.sleep(1)
    again = MockTransport(world.router.link)
    assert link.encode(world.router.hello()) in again.take()


# The whole router, over real sockets

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Platform:
    """A router with one service, its instances played by handlers, control by this class."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.sock"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port: int = self.listener.getsockname()[1]
        self.hosts, self.revision = ["hello.example"], "r"
        self.arguments: dict[str, Any] = {}
        """More for `serve`."""
        self.stop = asyncio.Event()
        self.messages: list[link.ToControl] = []
        self._servers: list[asyncio.Server] = []
        self._writer: asyncio.StreamWriter | None = None
        self.task: asyncio.Task[None] | None = None

    async def start(
        self,
        *handlers: Handler,
        ports: Sequence[int] = (),
        concurrency: int = 80,
        timeout: float = 60,
        options: Options | None = None,
        h2c: bool = False,
    ) -> None:
        """`ports`: of servers that play instances as well."""
        ups = [InstanceUp("r", f"p{port}", "127.0.0.1", port) for port in ports]
        for number, handler in enumerate(handlers):
            server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=4096)
            self._servers.append(server)
            ups.append(InstanceUp(self.revision, f"i{number}", "127.0.0.1", server.sockets[0].getsockname()[1]))
        self._snapshot = Snapshot(
            [RouteSet("s", self.hosts, [Target(self.revision, 100)])],
            [RevisionSet(self.revision, concurrency, timeout, 10, 9, h2c=h2c)],
            ups,
            [],
        )
        self._servers.append(await asyncio.start_unix_server(self._control, str(self._path)))
        self.task = asyncio.get_running_loop().create_task(
            serve([self.listener], self._path, options=options, stop=self.stop, **self.arguments)
        )

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        frames = FrameDecoder()
        while data := await reader.read(65536):
            for message in map(link.decode_to_control, frames.feed(data)):
                self.messages.append(message)
                if isinstance(message, Hello):
                    writer.write(link.encode(self._snapshot))
        writer.close()

    def tell(self, message: link.ToRouter) -> None:
        assert self._writer is not None
        self._writer.write(link.encode(message))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    async def close(self) -> None:
        self.stop.set()
        assert self.task is not None
        await self.task
        for server in self._servers:
            server.close()
        if self._writer is not None:
            self._writer.close()
        self.listener.close()
        await asyncio.sleep(0.05)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    made = Platform(tmp_path)
    yield made
    await made.close()


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An instance that answers any request without a body."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
    writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes = GET) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


@pytest.mark.sockets
async def test_requests_are_served_from_the_first_connection_on(platform: Platform) -> None:
    """Even one that came before control had told anything."""
    connecting = asyncio.get_running_loop().create_task(platform.connect())
    await platform.start(hello)
    reader, writer = await connecting
    for _ in range(3):
        assert await exchange(reader, writer) == OK
    writer.close()


@pytest.mark.sockets
async def test_beyond_the_maximum_of_connections_there_is_an_answer_and_inside_no_difference(
    platform: Platform,
) -> None:
    await platform.start(hello, options=Options(max_connections=20))
    inside = [await platform.connect() for _ in range(20)]
    for reader, writer in inside:
        assert await exchange(reader, writer) == OK
    for _ in range(3):
        reader, writer = await platform.connect()
        writer.write(GET)
        async with asyncio.timeout(30):
            answer = await reader.read()
        assert status(answer) == 503 and b"Retry-After: 1\r\n" in answer
        writer.close()
    many = [await platform.connect() for _ in range(100)]
    for reader, writer in inside:
        assert await exchange(reader, writer) == OK
    for _, writer in [*many, *inside]:
        writer.close()
    async with asyncio.timeout(30):
        while True:
            reader, writer = await platform.connect()
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                if status(await exchange(reader, writer)) == 200:
                    break
            writer.close()
    writer.close()


@pytest.mark.sockets
async def test_ten_thousand_idle_connections_cost_little_and_do_not_slow_down_the_others(platform: Platform) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, (hard - 500) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * count + 500), hard))
    await platform.start(hello)
    before = rss()
    sockets = []
    for _ in range(count):
        client = socket.socket()
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", platform.port))
        sockets.append(client)
    reader, writer = await platform.connect()
    assert await exchange(reader, writer) == OK
    assert (rss() - before) / count < 40_000
    began = cpu()
    await asyncio.sleep(2)
    assert cpu() - began < 0.1
    for client in sockets:
        client.close()
    writer.close()


def rss() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


SIZE = 500 << 20


@pytest.mark.sockets
async def test_half_a_gigabyte_downloaded_by_a_slow_client_takes_little_memory(platform: Platform) -> None:
    async def download(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = b"%x\r\n%b\r\n" % (1 << 18, b"x" * (1 << 18))
        for _ in range(SIZE >> 18):
            writer.write(block)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    await platform.start(download)
    reader, writer = await platform.connect()
    writer.write(GET.replace(b"1.1", b"1.0"))
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    before = peak = rss()
    got = 0
    while data := await reader.read(1 << 20):
        got += len(data)
        peak = max(peak, rss())
    assert got == SIZE
    assert peak - before < 30 << 20
    writer.close()


@pytest.mark.sockets
async def test_half_a_gigabyte_uploaded_to_a_slow_instance_takes_little_memory(platform: Platform) -> None:
    got = 0

    async def upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        while got < SIZE:
            got += len(await reader.read(1 << 20))
        writer.write(OK)
        await writer.drain()
        writer.close()

    await platform.start(upload, options=Options(request_limit=SIZE))
    reader, writer = await platform.connect()
    writer.write(b"PUT / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: %d\r\n\r\n" % SIZE)
    before = peak = rss()
    for _ in range(SIZE >> 18):
        writer.write(b"x" * (1 << 18))
        await writer.drain()
        peak = max(peak, rss())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK") and got == SIZE
    assert peak - before < 30 << 20
    writer.close()


@pytest.mark.sockets
async def test_an_instance_never_gets_more_than_its_concurrency_whatever_the_clients_do(platform: Platform) -> None:
    running, most, served = 0, 0, 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most, served
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.002)
                running -= 1
                served += 1
                writer.write(OK)
        writer.close()

    async def client(number: int) -> int:
        reader, writer = await platform.connect()
        answered = 0
        for turn in range(10):
            if (number + turn) % 7 == 0:
                # Leaves without waiting, and comes back.
                writer.write(GET)
                writer.close()
                reader, writer = await platform.connect()
                continue
            assert await exchange(reader, writer) == OK
            answered += 1
        writer.close()
        return answered

    await platform.start(count, concurrency=3)
    answered = await asyncio.gather(*[client(n) for n in range(50)])
    assert most == 3
    assert served >= sum(answered)


@pytest.mark.sockets
async def test_stopping_lets_requests_end_and_takes_no_new_ones(platform: Platform) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(OK)
        await writer.drain()
        writer.close()

    await platform.start(slow)
    reader, writer = await platform.connect()
    idle_reader, idle = await platform.connect()
    writer.write(GET)
    await asyncio.sleep(0.1)
    platform.stop.set()
    assert await idle_reader.read() == b""
    answer = await reader.read()
    assert status(answer) == 200 and b"Connection: close" in answer and body(answer) == b"hello"
    # Nobody is refused: the socket belongs to whoever started the router.
    waiting_reader, waiting = await platform.connect()
    for each in (writer, idle, waiting):
        each.close()
    assert waiting_reader is not None
