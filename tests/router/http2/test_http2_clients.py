"""Clients of HTTP/2 that nobody here wrote, to servers that nobody here wrote either."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.router.test_foreign_clients import SIZE, curl, platform, run, upload  # noqa: F401 - fixtures
from tests.router.test_server import Platform
from tests.support.ports import free_port

pytestmark = pytest.mark.sockets


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:  # noqa: F811
    base = f"http://127.0.0.1:{platform.port}"
    async with httpx.AsyncClient(http1=False, http2=True, base_url=base, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
async def nghttpd(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a server that speaks HTTP/2 only."""
    if shutil.which("nghttpd") is None:
        pytest.skip("there is no nghttpd here: apt-get install nghttp2-server")
    (tmp_path / "big").write_bytes(b"b" * SIZE)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", str(tmp_path), "--trailer=x-last: yes", str(port)
    )
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.02)
    writer.close()
    yield port
    process.terminate()
    await process.wait()


async def test_httpx_gets_many_answers_at_once_over_one_connection(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(f"/{n}", content=b"x" * n) for n in range(0, 60_000, 1000)))
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    got = [answer.json() for answer in answers]
    assert [(one["path"], one["size"]) for one in got] == [(f"/{n}", n) for n in range(0, 60_000, 1000)]
    assert {tuple(one["version"]) for one in got} == {(1, 1)}


async def test_httpx_streams_both_ways(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"p" * 50_000

    got = (await client.post("/up", content=pieces())).json()
    assert got["size"] == 2_000_000
    assert got["headers"]["transfer-encoding"] == "chunked"
    async with client.stream("GET", "/stream") as answer:
        assert sum([len(piece) async for piece in answer.aiter_raw()]) == SIZE
    assert (await client.get("/empty")).status_code == 204
    assert (await client.head("/big")).headers["content-length"] == str(SIZE)


async def test_curl_with_prior_knowledge(platform: Platform, upload: Path) -> None:  # noqa: F811
    url = f"http://127.0.0.1:{platform.port}"
    knowing = "--http2-prior-knowledge"
    got = json.loads(await curl(knowing, "-T", upload, f"{url}/a?b=c"))
    assert (got["method"], got["path"], got["size"]) == ("PUT", "/a?b=c", SIZE)
    assert len(await curl(knowing, f"{url}/big")) == SIZE
    said = await curl(knowing, "-sSi", f"{url}/empty")
    assert said.startswith(b"HTTP/2 204")


async def test_h2load_through_the_router_to_an_instance_of_http2(tmp_path: Path, nghttpd: int) -> None:
    made = Platform(tmp_path)
    made.hosts = ["127.0.0.1"]
    await made.start(ports=[nghttpd], h2c=True)
    try:
        url = f"http://127.0.0.1:{made.port}"
        code, out, _ = await run("h2load", "-n", "2000", "-c", "5", "-m", "20", f"{url}/missing")
        assert code == 0
        assert re.search(rb"2000 done, .* 0 errored, 0 timeout", out), out
        code, out, _ = await run("h2load", "-n", "60", "-c", "3", "-m", "10", f"{url}/big")
        assert re.search(rb"60 succeeded, 0 failed", out), out
        # A client of HTTP/1.1 as well.
        assert len(await curl("--http1.1", f"{url}/big")) == SIZE
    finally:
        await made.close()
