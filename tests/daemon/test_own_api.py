"""An ASGI application, called by those who would send HTTP requests."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.daemon.own_api import OwnApi
from homerun.lib.errors import Unavailable
from homerun.model.schedule import HttpRequest

REQUEST = HttpRequest("POST", "https://run.googleapis.com/v2/a%2Fb:run?x=1", (), b"body")


async def test_a_request_is_what_a_server_would_have_made_of_it() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, await receive(), await receive()])
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    made: list[object] = []
    call = OwnApi(lambda: made.append(1) or app)  # type: ignore[func-returns-value,arg-type,return-value]
    assert await call(REQUEST, [("Host", "run.googleapis.com")]) == 201
    scope, body, end = seen
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("POST", "/v2/a/b:run", b"/v2/a%2Fb:run")
    assert (scope["query_string"], scope["headers"]) == (b"x=1", [(b"host", b"run.googleapis.com")])
    assert body == {"type": "http.request", "body": b"body", "more_body": False}
    assert end == {"type": "http.disconnect"}
    await call(REQUEST, [])
    assert len(made) == 1


async def test_no_answer_is_a_failure() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(Unavailable):
        await OwnApi(lambda: silent)(REQUEST, [])
