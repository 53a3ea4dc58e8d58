"""The startup probe against real listeners."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from homerun.engine.base import Probe
from homerun.engine.oci.probes import listens, wait
from homerun.lib.clock import SystemClock

pytestmark = pytest.mark.sockets
CLOCK = SystemClock()
HOST = "127.0.0.1"


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    with socket.create_server((HOST, 0)) as server:
        number: int = server.getsockname()[1]
        return number


@asynccontextmanager
async def http(port: int, answer: Callable[[int], bytes | None]) -> AsyncIterator[list[bytes]]:
    """`answer` gets the number of the request; None: it is not answered."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            requests.append(head)
            body = answer(len(requests))
            if body is None:
                await reader.read()
            else:
                writer.write(body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, port)
    try:
        yield requests
    finally:
        server.close()


async def probe(port: int, **how: float | int | str) -> bool:
    return await wait(HOST, Probe(port=port, **how), CLOCK.mono(), CLOCK)  # type: ignore[arg-type]


def test_listening_is_seen_without_waiting(port: int) -> None:
    assert not listens(HOST, port)
    with socket.create_server((HOST, port)):
        assert listens(HOST, port)


async def test_a_listen_is_seen_within_milliseconds(port: int) -> None:
    waiting = asyncio.ensure_future(probe(port, period=5))
    await asyncio.sleep(0.1)
    with socket.create_server((HOST, port)):
        began = CLOCK.mono()
        assert await waiting
        assert CLOCK.mono() - began < 0.05


async def test_nobody_listens_within_the_limit(port: int) -> None:
    began = CLOCK.mono()
    assert not await probe(port, period=0.05, failure_threshold=3)
    assert 0.14 < CLOCK.mono() - began < 1


async def test_the_initial_delay_is_kept(port: int) -> None:
    with socket.create_server((HOST, port)):
        began = CLOCK.mono()
        assert await probe(port, initial_delay=0.15, period=1)
        assert 0.14 < CLOCK.mono() - began < 1


async def test_an_http_probe_passes_with_the_first_good_answer(port: int) -> None:
    async with http(port, lambda count: b"HTTP/1.1 503 X\r\n\r\n" if count < 3 else b"HTTP/1.1 302 X\r\n\r\n") as asked:
        assert await probe(port, http_path="/ready?x=1", period=3, timeout=1)
    assert len(asked) == 3
    assert asked[0].startswith(f"GET /ready?x=1 HTTP/1.1\r\nHost: {HOST}:{port}\r\n".encode())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 No\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"", b"x" * 100_000, None])
async def test_anything_else_does_not_pass(port: int, answer: bytes | None) -> None:
    async with http(port, lambda count: answer):
        assert not await probe(port, http_path="/", period=0.3, timeout=0.1)
