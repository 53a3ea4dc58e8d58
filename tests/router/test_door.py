"""The TLS port over real sockets: good clients, silent ones, and those that speak something else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.core.ownership import Share
from homerun.core.ownership import owner as owner_of
from homerun.lib.clock import SystemClock
from homerun.router.certificates import Certificates
from homerun.router.options import Options
from homerun.router.server import serve
from homerun.wire.authority import Authority
from tests.router.test_server import Platform, cpu, exchange, hello, rss
from tests.support.router import GET, OK

pytestmark = pytest.mark.sockets

NAME = "hello.run.localhost"
REQUEST = GET.replace(b"hello.example", NAME.encode())
AUTHORITY = Authority(Authority.generate(SystemClock().now()), "ca.pem")


class Secure(Platform):
    """A router that speaks TLS on a second port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hosts, self.revision = ["hello.example", NAME], "s/revisions/r"
        self.tls = socket.create_server(("127.0.0.1", 0))
        self.tls.setblocking(False)
        self.tls_port: int = self.tls.getsockname()[1]
        self.arguments = {"secure": [self.tls], "certificates": Certificates(folder, AUTHORITY, SystemClock())}

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cadata=AUTHORITY.certificate.public.decode())
        return await asyncio.open_connection(
            "127.0.0.1", self.tls_port, ssl=context, server_hostname=NAME, limit=1 << 20
        )

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.tls_port)


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    made = Secure(tmp_path)
    yield made
    await made.close()
    made.tls.close()


async def test_requests_over_tls_are_served_by_a_certificate_that_is_believed(secure: Secure) -> None:
    await secure.start(hello)
    reader, writer = await secure.dial()
    for _ in range(3):
        assert await exchange(reader, writer, REQUEST) == OK
    writer.close()


async def test_plain_http_is_told_what_is_wrong(secure: Secure) -> None:
    await secure.start(hello)
    reader, writer = await secure.raw()
    writer.write(GET)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"use https:// in the URL" in answer
    writer.close()


async def test_silent_and_half_hellos_harm_nobody_and_go_in_time(secure: Secure) -> None:
    await secure.start(hello, options=Options(handshake_timeout=2))
    waiting = [await secure.raw() for _ in range(20)]
    for _, writer in waiting[:10]:
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00")
    reader, writer = await secure.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    async with asyncio.timeout(30):
        for silent, _ in waiting:
            with contextlib.suppress(ConnectionError):
                assert await silent.read() == b""
    assert await exchange(reader, writer, REQUEST) == OK, "who has shaken hands stays"
    for _, other in [*waiting, (reader, writer)]:
        other.close()


async def test_a_hello_that_is_garbage_ends_that_connection_only(secure: Secure) -> None:
    await secure.start(hello)
    broken, writer = await secure.raw()
    writer.write(b"\x16" + b"garbage" * 50)
    with contextlib.suppress(ConnectionError):
        await broken.read()
    writer.close()
    _, writer = await secure.raw()
    writer.close()
    reader, writer = await secure.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    writer.close()


async def test_a_client_that_believes_nobody_leaves_and_others_come(secure: Secure) -> None:
    await secure.start(hello)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", secure.tls_port, ssl=ssl.create_default_context())
    reader, writer = await secure.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    writer.close()


async def test_the_end_of_the_connection_is_said_when_it_is_asked_for(secure: Secure) -> None:
    await secure.start(hello)
    reader, writer = await secure.dial()
    writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (await reader.read()).endswith(b"\r\n\r\nhello")
    writer.close()


async def test_a_refused_body_is_answered_and_the_connection_ends(secure: Secure) -> None:
    await secure.start(hello, options=Options(request_limit=1000))
    reader, writer = await secure.dial()
    writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 100000\r\n\r\n") + b"x" * 2000)
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_crowd_is_turned_away_at_the_door(secure: Secure) -> None:
    await secure.start(hello, options=Options(max_connections=8))
    crowd = [await secure.raw() for _ in range(30)]
    async with asyncio.timeout(30):
        for reader, _ in crowd[15:]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        for _, writer in crowd:
            writer.close()
        while True:
            with contextlib.suppress(ConnectionError):
                reader, writer = await secure.dial()
                break
        assert await exchange(reader, writer, REQUEST) == OK
    writer.close()


SIZE = 64 << 20


async def test_a_large_answer_to_a_slow_client_takes_little_memory(secure: Secure) -> None:
    async def download(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE >> 18):
            writer.write(b"x" * (1 << 18))
            await writer.drain()
        writer.close()

    await secure.start(download)
    reader, writer = await secure.dial()
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    before = peak = rss()
    got = 0
    while got < SIZE:
        got += len(await reader.read(1 << 20))
        peak = max(peak, rss())
    assert peak - before < SIZE / 2
    writer.close()


async def test_a_large_body_reaches_a_slow_instance_whole(secure: Secure) -> None:
    body = bytes(range(256)) * (16 << 10)
    got = bytearray()

    async def upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while len(got) < len(body):
            got.extend(await reader.read(100_000))
            await asyncio.sleep(0.001)
        writer.write(OK)
        writer.close()

    await secure.start(upload)
    reader, writer = await secure.dial()
    writer.write(REQUEST.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(body)))
    writer.write(body)
    async with asyncio.timeout(60):
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
    assert got == body
    writer.close()


async def test_a_tunnel_ends_on_the_other_side_when_one_side_ends(secure: Secure) -> None:
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        if b"GET /bye" in head:
            writer.close()
            return
        while data := await reader.read(1000):
            writer.write(data)
        ended.set()
        writer.close()

    upgrade = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    await secure.start(echo)
    async with asyncio.timeout(30):
        reader, writer = await secure.dial()
        writer.write(upgrade)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await ended.wait()
        reader, writer = await secure.dial()
        writer.write(upgrade.replace(b"GET /", b"GET /bye"))
        assert (await reader.read()).startswith(b"HTTP/1.1 101 ")
        writer.close()


# Several routers on the port


@pytest.fixture
async def owner(secure: Secure) -> AsyncIterator[Secure]:
    """It shares the port, and what is asked for is its own."""
    secure.arguments["share"] = Share(owner_of("s", 2), 2)
    yield secure


async def test_the_owner_serves_a_hello_in_one_piece_or_in_many(owner: Secure) -> None:
    await owner.start(hello)
    reader, writer = await owner.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    writer.close()
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.public.decode())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    reader, writer = await owner.raw()
    async with asyncio.timeout(30):
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
                incoming.write(await reader.read(1 << 16))
    client.write(REQUEST)
    writer.write(outgoing.read())
    answer = b""
    async with asyncio.timeout(30):
        while not answer.endswith(b"hello"):
            incoming.write(await reader.read(1 << 16))
            with contextlib.suppress(ssl.SSLWantReadError):
                answer += client.read(1 << 16)
    writer.close()


async def test_half_a_hello_costs_nothing_while_it_waits_and_ends_with_its_connection(owner: Secure) -> None:
    await owner.start(hello, options=Options(handshake_timeout=60))
    half = [await owner.raw() for _ in range(10)]
    for _, writer in half:
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00")
    reader, writer = await owner.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    before = cpu()
    await asyncio.sleep(0.5)
    assert cpu() - before < 0.3, "it is not woken again and again for what it has seen"
    async with asyncio.timeout(30):
        for waiting, other in half:
            other.write_eof()
            with contextlib.suppress(ConnectionError):
                await waiting.read()
            other.close()
    assert await exchange(reader, writer, REQUEST) == OK
    writer.close()


async def test_another_routers_name_goes_there_with_all_its_bytes(secure: Secure, tmp_path: Path) -> None:
    mine = owner_of("s", 2)
    secure.arguments["share"] = Share(1 - mine, 2)
    await secure.start(hello)
    stop = asyncio.Event()
    closed = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.get_running_loop()
    other = loop.create_task(
        serve(
            [closed],
            tmp_path / "control.sock",
            certificates=Certificates(tmp_path, AUTHORITY, SystemClock()),
            stop=stop,
            share=Share(mine, 2),
        )
    )
    async with asyncio.timeout(30):
        reader, writer = await secure.dial()
        for _ in range(3):
            assert await exchange(reader, writer, REQUEST) == OK
    writer.close()
    stop.set()
    await other
    closed.close()


async def test_stopping_lets_go_of_those_who_wait_at_the_door(secure: Secure) -> None:
    await secure.start(hello, options=Options(grace=0.1))
    silent = [await secure.raw() for _ in range(3)]
    silent[0][1].write(b"\x16\x03\x01")
    reader, writer = await secure.dial()
    assert await exchange(reader, writer, REQUEST) == OK
    secure.stop.set()
    async with asyncio.timeout(30):
        for waiting, other in silent:
            with contextlib.suppress(ConnectionError):
                assert await waiting.read() == b""
            other.close()
        assert await reader.read() == b""
    writer.close()
