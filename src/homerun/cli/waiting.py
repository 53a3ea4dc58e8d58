"""Waiting for what homerun does: long-running operations, and anything that has to be asked for again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from homerun.cli.client import Client, Json, api_error

ASK_EVERY = 0.2
HOLD = "0.2s"
"""How long the daemon may keep a wait open: it answers the moment the operation ends."""


def ticks(seconds: float = ASK_EVERY) -> Iterator[None]:
    """Now, and then every so many seconds, for ever."""
    while True:
        yield
        time.sleep(seconds)


def finish(client: Client, operation: Json, watch: Callable[[], None]) -> Json:
    """Wait until `operation` is over; its response. `watch` is called in between. Raises ApiError if it failed."""
    for _ in ticks(0.05):
        if operation.get("done"):
            if "error" in operation:
                raise api_error(operation["error"])
            response: Json = operation.get("response", {})
            return response
        watch()
        operation = client.post(f"/v2/{operation['name']}:wait", {"timeout": HOLD})
    raise AssertionError("ticks never end")
