"""The TLS port over real sockets: good clients, silent ones, and those that speak something else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.lib.clock import SystemClock
from homerun.router.certificates import Certificates
from homerun.router.options import Options
from homerun.wire.authority import Authority
from tests.router.test_server import Platform, exchange, hello
from tests.support.router import GET, OK

pytestmark = pytest.mark.sockets

NAME = "hello.run.localhost"
REQUEST = GET.replace(b"hello.example", NAME.encode())
AUTHORITY = Authority(Authority.generate(SystemClock().now()), "ca.pem")


class Secure(Platform):
    """A router that speaks TLS on a second port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hosts = ["hello.example", NAME]
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
    await secure.start(hello, options=Options(handshake_timeout=0.5))
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
