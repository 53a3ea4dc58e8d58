"""The gRPC library behind the API port: it listens on a Unix socket, and connections are handed through to it.

It starts with the first connection, because its threads wake up some eight times a second even when nobody calls.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from homerun.aio.splice import splice
from homerun.aio.tasks import Supervisor
from homerun.apis.protocol import TLS
from homerun.apis.rpc import RpcApp
from homerun.model.limits import REQUEST_BODY
from homerun.wire.certificate import Certificate

STOP_SECONDS = 0.5
"""How long calls in progress may take to end when homerun does."""

_OPTIONS = (
    ("grpc.max_receive_message_length", REQUEST_BODY),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_concurrent_streams", 1000),
)


class RpcServer:
    """`path`: of the socket, in a folder that only we may enter. Without `certificate` TLS is not spoken."""

    def __init__(self, app: RpcApp, path: Path, certificate: Certificate | None = None) -> None:
        self._app, self._path, self._certificate = app, path, certificate
        self._secure = path.with_name(f"{path.name}s")
        self._joining = Supervisor()
        self._starting = asyncio.Lock()
        self._server: grpc.aio.Server | None = None

    def take(self, client: asyncio.Transport, said: bytes) -> None:
        """Serve a connection whose first bytes were HTTP/2's or those of TLS (apis.protocol.Take)."""
        self._joining.spawn(self._join(client, said), name="gRPC connection")

    async def close(self) -> None:
        await self._joining.close()
        if self._server is not None:
            await self._server.stop(STOP_SECONDS)

    async def _join(self, client: asyncio.Transport, said: bytes) -> None:
        try:
            async with self._starting:
                self._server = self._server or await self._start()
            await splice(client, said, self._secure if said.startswith(TLS) else self._path)
        except BaseException:
            client.abort()
            raise

    async def _start(self) -> grpc.aio.Server:
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._app,))
        server.add_insecure_port(f"unix:{self._path}")
        self._path.chmod(0o600)
        if self._certificate is not None:
            pair = (self._certificate.private, self._certificate.public)
            server.add_secure_port(f"unix:{self._secure}", grpc.ssl_server_credentials([pair]))
            self._secure.chmod(0o600)
        await server.start()
        return server
