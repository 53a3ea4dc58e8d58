"""homerun's API, called from inside: by schedules that run a job at `https://REGION-run.googleapis.com/…`.

It is the application that instances reach, for which everybody needs a token: a schedule may what the service account
may that it names, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message

from homerun.core.http_attempt import request_target
from homerun.lib.errors import Unavailable
from homerun.model.schedule import HttpRequest


class OwnApi:
    """`make`: makes the application, when it is first called."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make

    @cached_property
    def _app(self) -> ASGIApp:
        return self._make()

    async def __call__(self, request: HttpRequest, headers: Iterable[tuple[str, str]]) -> int:
        """The status of the answer. Raises Unavailable when there is none."""
        pieces = [request.body]
        status = 0

        async def receive() -> Message:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        await self._app(_scope(request, headers), receive, send)
        if not status:
            raise Unavailable("homerun's API has not answered")
        return status


def _scope(request: HttpRequest, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    path, _, query = request_target(request.url).partition("?")
    parts = urlsplit(request.url)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname, parts.port),
    }
