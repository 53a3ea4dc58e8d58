"""Programs that nobody here wrote, through the router, to a server that nobody here wrote either."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from tests.router.test_server import Platform

pytestmark = pytest.mark.sockets

SIZE = 3_000_000


async def answer(request: web.Request) -> web.StreamResponse:
    """What it got, as JSON; or, by path, some other way of answering."""
    if request.path == "/stream":
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(30):
            await response.write(b"x" * 100_000)
        return response
    if request.path == "/empty":
        return web.Response(status=204)
    if request.path == "/big":
        return web.Response(body=b"x" * SIZE)
    if request.path == "/zipped":
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        body = b"hello" * 1000
        return (
            web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}) if zipped else web.Response()
        )
    body = await request.read()
    got = {"method": request.method, "path": request.path_qs, "version": list(request.version), "size": len(body)}
    return web.json_response(got | {"headers": {key.lower(): value for key, value in request.headers.items()}})


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = Platform(tmp_path)
    made.hosts = ["127.0.0.1"]
    await made.start(ports=[runner.addresses[0][1]])
    yield made
    await made.close()
    await runner.cleanup()


@pytest.fixture
def url(platform: Platform) -> str:
    return f"http://127.0.0.1:{platform.port}"


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"u" * SIZE)
    return path


async def run(*command: str | Path, stdin: bytes | None = None) -> tuple[int, bytes, bytes]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out, err


async def curl(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    code, out, err = await run("curl", "-sS", "--noproxy", "*", *arguments, stdin=stdin)
    assert code == 0, err
    return out


@pytest.mark.parametrize("arguments", [(), ("--http1.0",), ("--http1.1",), ("--http2",), ("--http0.9",)])
async def test_curl_gets_whatever_it_speaks(url: str, arguments: tuple[str, ...]) -> None:
    got = json.loads(await curl(*arguments, f"{url}/a?b=c"))
    assert (got["method"], got["path"], got["version"]) == ("GET", "/a?b=c", [1, 1])
    assert got["headers"]["user-agent"].startswith("curl/")
    assert "upgrade" not in got["headers"]


@pytest.mark.parametrize(
    ("arguments", "chunked"),
    [
        (("-T", "FILE"), False),
        (("-T", "-"), True),
        (("-T", "-", "-X", "POST"), True),
        (("--data-binary", "@FILE"), False),
        (("--data-binary", "@FILE", "-H", "Transfer-Encoding: chunked"), True),
        (("--data-binary", "@FILE", "-H", "Expect: 100-continue", "--expect100-timeout", "30"), False),
        (("--data-binary", "@FILE", "-H", "Expect:"), False),
        (("--data-binary", "@FILE", "--http1.0"), False),
        (("--data-binary", "@FILE", "--http2"), False),
        (("-F", "file=@FILE"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_curl_sends(url: str, upload: Path, arguments: tuple[str, ...], chunked: bool) -> None:
    stdin = upload.read_bytes() if "-" in arguments else None
    got = json.loads(await curl(*(a.replace("FILE", str(upload)) for a in arguments), f"{url}/", stdin=stdin))
    assert SIZE <= got["size"] < SIZE + 1000
    assert ("transfer-encoding" in got["headers"]) is chunked
    assert "expect" not in got["headers"]


async def test_curl_hears_of_no_body(url: str) -> None:
    assert (await curl("-I", f"{url}/big")).lower().count(b"content-length: %d" % SIZE) == 1
    assert await curl("-i", f"{url}/empty") and not await curl(f"{url}/empty")


@pytest.mark.parametrize("arguments", [(), ("--http1.0",)])
@pytest.mark.parametrize("path", ["/stream", "/big"])
async def test_curl_receives(url: str, arguments: tuple[str, ...], path: str) -> None:
    assert await curl(*arguments, f"{url}{path}") == b"x" * SIZE


async def test_curl_unzips(url: str) -> None:
    assert await curl("--compressed", f"{url}/zipped") == b"hello" * 1000


async def test_curl_uses_one_connection_for_many_requests(url: str) -> None:
    urls = [argument for number in range(3) for argument in ("-o", "/dev/null", f"{url}/{number}")]
    assert await curl("-w", "%{num_connects}", *urls) == b"100"


async def test_haproxys_protocol_is_refused_and_not_taken_for_a_request(url: str) -> None:
    assert b"400" in await curl("--haproxy-protocol", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/")


async def test_a_body_over_the_limit_is_refused_while_curl_still_sends(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(40 << 20)
    target = f"http://127.0.0.1:{platform.port}/"
    for arguments in (("--data-binary", f"@{path}"), ("-H", "Expect:", "--data-binary", f"@{path}")):
        out = await curl("-w", "%{http_code}", *arguments, target)
        assert out.endswith(b"413"), out


async def test_wrk_sees_no_errors(url: str) -> None:
    code, out, err = await run("wrk", "-t1", "-c8", "-d1s", f"{url}/empty")
    assert code == 0, err
    assert b"Socket errors" not in out and b"Non-2xx" not in out
    found = re.search(rb"(\d+) requests in", out)
    assert found is not None and int(found[1]) > 0


async def test_pythons_own_client(platform: Platform) -> None:
    def talk() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
        for body in (None, b"x" * 1000, iter([b"a" * 1000, b"", b"b" * 1000])):
            connection.request("POST", "/", body, encode_chunked=body is not None and not isinstance(body, bytes))
            response = connection.getresponse()
            assert response.status == 200
            response.read()
        for method, path, size in (("HEAD", "/big", 0), ("GET", "/empty", 0), ("GET", "/stream", SIZE)):
            connection.request(method, path)
            assert len(connection.getresponse().read()) == size
        connection.close()

    await asyncio.to_thread(talk)


async def test_aiohttps_client(url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=chunks(), expect100=True) as response:
            assert (await response.json())["size"] == SIZE
        async with session.get(f"{url}/stream") as response:
            assert len(await response.read()) == SIZE
        gets = [session.get(f"{url}/{number}") for number in range(50)]
        paths = [(await response.json())["path"] for response in await asyncio.gather(*gets)]
        assert paths == [f"/{number}" for number in range(50)]


async def test_httpx(url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.put(url, content=chunks())).json()["size"] == SIZE
        async with client.stream("GET", f"{url}/stream") as response:
            assert sum([len(data) async for data in response.aiter_bytes()]) == SIZE
        assert (await client.head(f"{url}/big")).headers["content-length"] == str(SIZE)


NODE = """
const url = process.argv[1];
const stream = new ReadableStream({
  start(to) { for (let i = 0; i < 30; i++) to.enqueue(new Uint8Array(100000)); to.close(); }
});
const sent = await (await fetch(url, { method: "POST", body: stream, duplex: "half" })).json();
const read = await (await fetch(url + "/stream")).arrayBuffer();
const all = await Promise.all([...Array(20).keys()].map(async n => (await (await fetch(`${url}/${n}`)).json()).path));
console.log(JSON.stringify({ sent: sent.size, read: read.byteLength, all: all.length }));
"""


async def test_nodes_fetch(url: str) -> None:
    code, out, err = await run("node", "--input-type=module", "-e", NODE, url)
    assert code == 0, err
    assert json.loads(out) == {"sent": SIZE, "read": SIZE, "all": 20}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_that_ends_its_sending_gets_its_answer_and_one_that_leaves_is_missed(
    platform: Platform, version: str
) -> None:
    """As `nc -N` does it."""
    reader, writer = await platform.connect()
    writer.write(f"GET /big HTTP/{version}\r\nHost: 127.0.0.1\r\n\r\n".encode())
    writer.write_eof()
    async with asyncio.timeout(30):
        got = await reader.read(-1)
    assert got.endswith(b"x" * SIZE) and got.count(b"HTTP/1.1 200 OK") == 1
    writer.close()


async def test_one_that_leaves_altogether_leaves_the_queue(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    await platform.start()
    client = socket.create_connection(("127.0.0.1", platform.port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: hello.example\r\n\r\n")
    await until(lambda: _waiting(platform) == 1)
    client.close()
    await until(lambda: _waiting(platform) == 0)
    await platform.close()


def _waiting(platform: Platform) -> int | None:
    """As the router told it last."""
    told = [message.waiting for message in platform.messages if hasattr(message, "waiting")]
    return told[-1] if told else None


async def until(what: Any) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.01)
