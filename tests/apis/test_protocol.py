"""What a client hears that asks the API port for a tunnel."""

import asyncio
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from homerun.apis.protocol import NO_TUNNELS, ApiProtocol


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def talk(request: bytes) -> Wire:
    config = uvicorn.Config(app=lambda *_: None, log_config=None, lifespan="off")
    config.load()
    protocol = ApiProtocol(config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(cast(asyncio.Transport, wire))
    protocol.data_received(request)
    return wire


async def test_a_tunnel_is_refused_with_the_reason() -> None:
    wire = await talk(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert NO_TUNNELS.encode() in wire.written
    assert wire.closed


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
async def test_other_nonsense_is_just_that(request_: bytes) -> None:
    wire = await talk(request_)
    assert b"Invalid HTTP request received." in wire.written
