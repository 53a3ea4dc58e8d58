"""homerun's API on a real port: the whole control process on a fake engine, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvloop

from homerun.daemon.control import ApiServer, Control, api, server_config
from homerun.engine.fake import FakeEngine
from homerun.lib.clock import SystemClock
from homerun.settings import Settings
from homerun.store.memory import MemoryStore
from tests.support.api import IMAGES


class Server:
    """One port and all that is behind it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()), name="homerun")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(20), "the server did not start"

    def close(self) -> None:
        assert self._loop is not None and self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock = SystemClock()
        control = Control(Settings(api=f"127.0.0.1:{self.port}"), MemoryStore(), FakeEngine(clock, IMAGES), clock)
        await control.open()
        app = api(control, self._stop.set)
        server = ApiServer(server_config(app))
        serving = control.supervisor.spawn(server.serve(sockets=[self._socket]), name="api server")
        self._started.set()
        await self._stop.wait()
        server.should_exit = True
        await serving
        await control.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    made.start()
    yield made
    made.close()
