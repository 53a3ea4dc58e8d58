"""A request over a real connection, and all that can go wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homerun.lib.clock import SystemClock
from homerun.lib.errors import Unavailable
from homerun.wire.certificate import Certificate
from homerun.wire.http_client import Answer, CannotConnect, Peer, exchange

pytestmark = pytest.mark.sockets

HEADERS = (("Host", "a.test"), ("X-A", "b"))


@asynccontextmanager
async def server(answer: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Reads a request, says `answer` in two pieces, closes. Yields its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        asked.append(head + await reader.readexactly(int(length or 0)))
        with contextlib.suppress(ConnectionError):  # who has heard enough goes
            for piece in (answer[:20], answer[20:]):
                writer.write(piece)
                await writer.drain()
        writer.close()

    made = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with made:
        yield made.sockets[0].getsockname()[1], asked


async def ask(answer: bytes, method: str = "POST", body: bytes = b"hello") -> tuple[Answer, bytes]:
    async with server(answer) as (port, asked):
        found = await exchange(Peer("127.0.0.1", port), method, "/x?y=1", HEADERS, body)
        return found, asked[0]


async def test_what_is_sent() -> None:
    found, asked = await ask(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert found == Answer(200)
    assert asked == (
        b"POST /x?y=1 HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    )
    _, asked = await ask(b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b"")
    assert b"Content-Length" not in asked
    _, asked = await ask(b"HTTP/1.1 204 No Content\r\n\r\n", "POST", b"")
    assert b"Content-Length: 0" in asked


@pytest.mark.parametrize(
    ("method", "answer", "wanted"),
    [
        ("GET", b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", Answer(302, "/y")),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", Answer(404)),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Answer(200)),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Answer(200)),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", Answer(200)),
    ],
)
async def test_answers(method: str, answer: bytes, wanted: Answer) -> None:
    assert (await ask(answer, method, b""))[0] == wanted


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "closed the connection before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "before its answer was complete"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "is not one of HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"b" * 200_000, "too long|not one of HTTP/1|broke"),
    ],
)
async def test_what_is_no_answer(answer: bytes, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        await ask(answer)


async def test_where_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(CannotConnect, match=f"cannot connect to 127.0.0.1 port {port}"):
            await exchange(Peer("127.0.0.1", port), "GET", "/", HEADERS, b"")


async def test_certificates_are_checked_except_on_this_machine(tmp_path: Path) -> None:
    made = Certificate.generate(["a.test"], SystemClock().now())
    (tmp_path / "pair.pem").write_bytes(made.dump())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    async with server(b"HTTP/1.1 204 No Content\r\n\r\n", tls=context) as (port, _):
        with pytest.raises(CannotConnect, match=r"TLS with a\.test failed"):
            await exchange(Peer("127.0.0.1", port, tls="a.test"), "GET", "/", HEADERS, b"")
        peer = Peer("127.0.0.1", port, tls="a.test", verify=False)
        assert await exchange(peer, "GET", "/", HEADERS, b"") == Answer(204)
