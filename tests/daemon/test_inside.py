"""The doors that settings ask for, and the server behind the first of them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest
from starlette.types import Receive, Scope, Send

from homerun.daemon.inside import HttpServer, Sockets, doors
from homerun.daemon.processes import unbound
from homerun.engine.oci.doors import METADATA, Door
from homerun.settings import Settings

pytestmark = pytest.mark.sockets


def test_metadata_names_and_the_ports_of_services() -> None:
    with ExitStack() as stack:
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM)
        inside = Sockets(*(stack.enter_context(unbound(kind)) for kind in kinds))
        own = [(80, inside.metadata), (53, inside.names), (53, inside.names_tcp)]
        first, last = [Door(port, each, METADATA) for port, each in own], Door(8787, inside.api)
        assert doors(Settings(http="127.0.0.1:8080"), inside) == [*first, Door(8080, "127.0.0.1"), last]
        both = Settings(http="0.0.0.0:80", https="[::]:443", api="0.0.0.0:1234")
        services = [Door(80, "0.0.0.0"), Door(443, "0.0.0.0")]
        assert doors(both, inside) == [*first, *services, Door(1234, inside.api)]
        assert doors(Settings(http="localhost:8080"), inside) == [*first, Door(8080, "127.0.0.1"), last]
        assert doors(Settings(http="[::1]:8080"), inside) == [*first, last], "instances have no IPv6"
        inside.metadata.bind(("127.0.0.5", 0))
        assert inside.gateway == "127.0.0.5"


async def test_requests_are_answered_until_it_is_closed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": scope["client"][0][:2].encode()})

    with unbound() as inner:
        inner.bind(("127.0.0.1", 0))
        server = HttpServer(app)
        await server.open(inner)
        reader, writer = await asyncio.open_connection(*inner.getsockname())
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200") and b"server:" not in head.lower()
            assert await reader.readexactly(2) == b"12"
        server.close()
        assert await reader.read() == b"", "idle connections end with it"
        writer.close()


def test_a_socket_for_later_has_no_port_yet() -> None:
    with unbound() as inner:
        assert inner.getsockname() == ("0.0.0.0", 0)
        assert not inner.getblocking()
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", 1)):
            pass
