"""Call an ASGI application without a socket: one request in, one whole answer out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from homerun.apis.access import CALLER, THE_OWNER


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Any,
    method: str,
    url: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    chunk: int = 1 << 16,
    client: str = "127.0.0.1",
) -> Answer:
    """`chunk`: the body comes in pieces of this size. Exceptions of the application come through."""
    parts = urlsplit(url)
    given = {"host": parts.netloc or "localhost", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme or "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
        CALLER: THE_OWNER,
    }
    pieces = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]
    answer = Answer()

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.Event().wait()  # the client stays, and says nothing more
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer
