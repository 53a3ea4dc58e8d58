"""Probes against real listeners."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from homerun.core.health import Verdict
from homerun.engine.oci.probes import ask, listens, wait
from homerun.lib.clock import SystemClock
from homerun.model.probe import Probe

pytestmark = pytest.mark.sockets
CLOCK = SystemClock()
LISTENING = "0A"
HOST = "127.0.0.1"
LATE = "Connection failed with status DEADLINE_EXCEEDED."
REFUSED = "Connection failed with status ERROR_CONNECTION_FAILED."


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
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, port)
    try:
        yield requests
    finally:
        server.close()


@contextmanager
def grpc_server(port: int) -> Iterator[health.HealthServicer]:
    with ThreadPoolExecutor(2) as pool:
        server, servicer = grpc.server(pool), health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        server.add_insecure_port(f"{HOST}:{port}")
        server.start()
        try:
            yield servicer
        finally:
            server.stop(0).wait()


async def started(port: int, **how: object) -> tuple[Verdict, str]:
    return await wait(HOST, Probe(port=port, **how), CLOCK.mono(), CLOCK)  # type: ignore[arg-type]


def test_listening_is_seen_without_waiting(port: int) -> None:
    assert not listens(HOST, port)
    with socket.create_server((HOST, port)):
        assert listens(HOST, port)


async def test_a_listen_is_seen_without_waiting_for_the_next_attempt(port: int) -> None:
    waiting = asyncio.ensure_future(started(port, period=100))
    await asyncio.sleep(0.1)
    with socket.create_server((HOST, port)):
        began = CLOCK.mono()
        assert await waiting == (Verdict(True, 1), "")
        assert CLOCK.mono() - began < 100


async def test_nobody_listens_within_the_limit(port: int) -> None:
    began = CLOCK.mono()
    assert await started(port, period=0.05, failure_threshold=3) == (Verdict(False, 3), LATE)
    assert 0.14 < CLOCK.mono() - began < 30
    assert await started(port, http_path="/", period=0.05) == (Verdict(False, 1), REFUSED)


async def test_the_initial_delay_is_kept(port: int) -> None:
    with socket.create_server((HOST, port)):
        began = CLOCK.mono()
        assert (await started(port, initial_delay=0.15, period=60))[0].well
        assert 0.14 < CLOCK.mono() - began < 30


async def test_an_http_probe_passes_with_the_first_good_answer(port: int) -> None:
    async with http(port, lambda count: b"HTTP/1.1 503 X\r\n\r\n" if count < 3 else b"HTTP/1.1 302 X\r\n\r\n") as asked:
        assert (await started(port, http_path="/ready?x=1", http_headers=(("X", "1"),), period=3, timeout=1))[0].well
    assert len(asked) == 3
    assert asked[0].startswith(f"GET /ready?x=1 HTTP/1.1\r\nHost: {HOST}:{port}\r\n".encode())
    assert b"\r\nX: 1\r\n" in asked[0] and b"\r\nUser-Agent: GoogleHC/" in asked[0]


async def test_a_start_whose_time_is_over_is_told_by_its_last_whole_answer(port: int) -> None:
    async with http(port, lambda count: b"HTTP/1.1 503 X\r\n\r\n" if count == 1 else None):
        verdict, wrong = await started(port, http_path="/", period=1, timeout=0.99)
    assert (verdict, wrong) == (Verdict(False, 1), "The answer had status 503.")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 No\r\n\r\n", "The answer had status 404."),
        (b"SSH-2.0-OpenSSH\r\n", "The answer is not one of HTTP/1."),
        (b"", "The connection was closed without an answer."),
        (b"x" * 100_000, "The answer is not one of HTTP/1."),
        (None, LATE),
    ],
)
async def test_anything_else_does_not_pass(port: int, answer: bytes | None, why: str) -> None:
    async with http(port, lambda count: answer):
        assert await ask(HOST, Probe(port, "/"), 0.3 if why == LATE else 20) == why


async def test_what_answers_and_does_not_end_is_well(port: int) -> None:
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!")
        await release.wait()
        writer.close()

    async with await asyncio.start_server(serve, HOST, port):
        assert await ask(HOST, Probe(port, "/"), 20) == ""
        release.set()


async def test_a_tcp_probe_only_connects(port: int) -> None:
    assert await ask(HOST, Probe(port), 1) == REFUSED
    with socket.create_server((HOST, port)):
        assert await ask(HOST, Probe(port), 1) == ""


async def test_a_tcp_probe_ends_in_order_servers_make_a_noise_about_resets(port: int) -> None:
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, HOST, port):
        assert await ask(HOST, Probe(port), 5) == ""
        assert await ended == b""


async def test_a_connection_leaves_nothing_behind(port: int) -> None:
    """What lingers would keep a network namespace from being used again."""
    async with http(port, lambda count: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        assert await ask(HOST, Probe(port, "/"), 1) == ""
        async with asyncio.timeout(30):
            while set(states(port)) != {LISTENING}:
                await asyncio.sleep(0.01)


def states(port: int) -> list[str]:
    """Of all sockets at this port."""
    with open("/proc/net/tcp") as file:
        return [line.split()[3] for line in file if f":{port:04X} " in line]


async def test_a_grpc_server_says_what_it_serves(port: int) -> None:
    with grpc_server(port) as servicer:
        await asyncio.to_thread(servicer.set, "", health_pb2.HealthCheckResponse.SERVING)
        await asyncio.to_thread(servicer.set, "ill", health_pb2.HealthCheckResponse.NOT_SERVING)
        asked = [await ask(HOST, Probe(port, grpc_service=name), 5) for name in ("", "ill", "unknown")]
    assert asked == ["", "The answer was NOT_SERVING.", 'The server knows no service "unknown".']


async def test_a_grpc_server_without_health_checks_says_so(port: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_insecure_port(f"{HOST}:{port}")
        server.start()
        try:
            answer = await ask(HOST, Probe(port, grpc_service=""), 5)
        finally:
            server.stop(0).wait()
    assert answer == "The server does not serve grpc.health.v1.Health."


async def test_whoever_speaks_another_protocol_is_not_well(port: int) -> None:
    async with http(port, lambda count: b"HTTP/1.1 400 Bad\r\n\r\n"):
        assert "HTTP/2" in await ask(HOST, Probe(port, grpc_service=""), 5)
