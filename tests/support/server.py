"""homerun's API on a real port: the whole control process on a fake engine, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any

import uvloop

from homerun.apis.identity.issuer import Issuer
from homerun.apis.rpc_server import RpcServer
from homerun.daemon.control import ApiServer, Control, api, rpc, server_config
from homerun.daemon.keys import issuer_url, open_certificate
from homerun.engine.fake.engine import FakeEngine
from homerun.lib.clock import SystemClock
from homerun.model.identity import OWNER
from homerun.settings import Settings
from homerun.store.memory import MemoryStore
from tests.support.api import IMAGES
from tests.support.identity import keys


class Server:
    """One port and all that is behind it. `host`: where it believes to listen; elsewhere than on loopback, callers need
    a token."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self._folder = folder
        self.certificate = open_certificate(folder)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._settings = Settings(api=f"{host}:{self.port}", allow_host_path=(Path("/srv/data"),))
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()), name="homerun")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def token(self, email: str = OWNER, age: float = 0) -> str:
        """An access token, as `homerun auth print-access-token` printed it `age` seconds ago."""
        issuer = Issuer(keys(), issuer_url(self._settings))
        return issuer.access_token(email, SystemClock().now() - age).text

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._started.wait(20), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None and self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def get(self, path: str) -> Any:
        """The JSON that the API answers with."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:
            return json.load(answer)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock = SystemClock()
        control = Control(self._settings, MemoryStore(), FakeEngine(clock, IMAGES), clock, keys())
        await control.open()
        app = api(control, self._stop.set, self.certificate.public.decode())
        grpc_server = RpcServer(rpc(control), self._folder / "grpc.sock", self.certificate)
        server = ApiServer(server_config(app, grpc_server.take))
        serving = control.supervisor.spawn(server.serve(sockets=[self._socket]), name="api server")
        self._started.set()
        await self._stop.wait()
        server.should_exit = True
        await serving
        await control.close()
        await grpc_server.close()
