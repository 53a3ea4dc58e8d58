"""What instances reach of homerun itself: the doors to it, and the servers behind them."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from homerun.daemon.options import split_address
from homerun.engine.oci.doors import METADATA, Door
from homerun.settings import Settings


@dataclass(frozen=True, slots=True)
class Sockets:
    """In the order in which `homerun up` passes them to control."""

    metadata: socket.socket
    names: socket.socket
    """Datagrams."""
    names_tcp: socket.socket
    api: socket.socket
    """For those who have an access token."""

    @property
    def gateway(self) -> str:
        """The address of the bridge, once the engine's network is open."""
        return str(self.metadata.getsockname()[0])


def doors(settings: Settings, inside: Sockets) -> list[Door]:
    """To metadata server and name server, to the API, and to the ports on which services take requests. May look up a
    name: blocks."""
    services = [split_address(address) for address in (settings.http, settings.https) if address]
    reachable = [(port, _ipv4(host)) for host, port in services]
    own = [(80, inside.metadata), (53, inside.names), (53, inside.names_tcp)]
    return [
        *(Door(port, listener, METADATA) for port, listener in own),
        *(Door(port, host) for port, host in reachable if host),
        Door(split_address(settings.api)[1], inside.api),
    ]


def _ipv4(host: str) -> str:
    """Instances speak IPv4 only. Empty: they cannot get there."""
    if ":" in host:
        return "0.0.0.0" if host == "::" else ""
    return socket.gethostbyname(host)


class HttpServer:
    """uvicorn's protocol without its server, whose main loop wakes ten times a second for nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app, http="httptools", ws="none", log_config=None, access_log=False, timeout_keep_alive=75
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=listener)

    def _protocol(self) -> asyncio.Protocol:
        return HttpToolsProtocol(self._config, self._state, {})

    def close(self) -> None:
        """Nothing new; what is being answered is answered."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
