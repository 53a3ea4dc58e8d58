"""Who may talk to the API port."""

from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from homerun.apis.guard import Guard
from tests.support.asgi import Answer, call


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    host = dict(scope["headers"])[b"host"].decode()
    await PlainTextResponse(f"{scope['method']} {scope['path']} {host}")(scope, receive, send)


async def ask(host: str, method: str = "GET", path: str = "/x", **headers: str) -> Answer:
    return await call(Guard(inner, names={"box.example"}), method, f"http://{host}{path}", headers=headers)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8787",
        "127.0.0.1:8787",
        "127.1.2.3",
        "[::1]:8787",
        "us-central1-run.homerun.localhost:8787",
        "RUN.HOMERUN.LOCALHOST",
        "us-central1-run.googleapis.com",
        "localhost.:8787",
        "box.example",
    ],
)
async def test_our_own_names_are_answered(host: str) -> None:
    assert (await ask(host)).status == 200


@pytest.mark.parametrize(
    "host", ["", "example.com", "127.0.0.1.nip.io", "evil-localhost", "notgoogleapis.com", "8.8.8.8", "[::", "10.0.0.1"]
)
async def test_a_foreign_host_is_refused_so_that_dns_rebinding_leads_nowhere(host: str) -> None:
    answer = await call(Guard(inner), "GET", "http://x/x", headers={"host": host})
    assert answer.status == 403
    assert "not a name of this API" in answer.json()["error"]["message"]


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://localhost.example.com"])
async def test_a_page_of_another_site_may_not_use_it(origin: str) -> None:
    answer = await ask("localhost", "POST", origin=origin)
    assert answer.status == 403
    assert "may not use this API" in answer.json()["error"]["message"]


async def test_our_own_pages_may() -> None:
    assert (await ask("localhost:8787", origin="http://localhost:8787")).status == 200


async def test_it_opens_no_tunnels() -> None:
    answer = await ask("example.com:443", "CONNECT")
    assert answer.status == 405
    assert "no tunnels" in answer.json()["error"]["message"]


def absolute(target: str) -> Any:
    """What uvicorn makes of a request line with a whole URL in it, with either of its parsers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Guard(inner)({**scope, "path": target, "raw_path": target.encode()}, receive, send)

    return app


async def test_as_a_proxy_it_answers_for_its_own_names() -> None:
    target = "http://us-central1-run.homerun.localhost:8787/v2/x"
    answer = await call(absolute(target), "GET", "http://us-central1-run.homerun.localhost:8787/")
    assert answer.body == b"GET /v2/x us-central1-run.homerun.localhost:8787"


async def test_as_a_proxy_it_goes_nowhere_else() -> None:
    answer = await call(absolute("http://example.com/"), "GET", "http://localhost/")
    assert answer.status == 403
    assert "own names only" in answer.json()["error"]["message"]
