"""What the API port speaks, and what a client hears that asks it for a tunnel."""

import asyncio
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from homerun.apis.protocol import CONNECTED, NO_TUNNELS, PREFACE, TLS, ApiProtocol


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False


class Connection:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        config = uvicorn.Config(app=lambda *_: None, log_config=None, lifespan="off")
        config.load()
        self.state = ServerState()
        self.protocol = ApiProtocol(
            config=config,
            server_state=self.state,
            app_state={},
            _loop=asyncio.get_running_loop(),
            http2=lambda transport, said: self.taken.append(said),
        )
        self.wire = Wire()
        self.protocol.connection_made(cast(asyncio.Transport, self.wire))


async def talk(request: bytes) -> Wire:
    connection = Connection()
    connection.protocol.data_received(request)
    return connection.wire


OURS = (
    b"CONNECT us-central1-run.homerun.localhost:8787 HTTP/1.1\r\nHost: us-central1-run.homerun.localhost:8787\r\n\r\n"
)


async def test_tls_is_handed_on_with_all_that_it_said() -> None:
    connection = Connection()
    connection.protocol.data_received(TLS[:1])
    connection.protocol.data_received(TLS[1:] + b"hello")
    assert connection.taken == [TLS + b"hello"]
    assert not connection.wire.reading


@pytest.mark.parametrize("step", [1, 10, 1000])
@pytest.mark.parametrize("then", [TLS + b"hello", PREFACE])
async def test_a_tunnel_to_ourselves_begins_the_connection_anew(step: int, then: bytes) -> None:
    """gcloud takes the API port for its proxy, for gRPC too."""
    connection, said = Connection(), OURS + then
    for start in range(0, len(said), step):
        if connection.wire.reading:
            connection.protocol.data_received(said[start : start + step])
    assert connection.wire.written == CONNECTED
    assert len(connection.taken) == 1
    assert then.startswith(connection.taken[0])


async def test_what_comes_through_a_tunnel_may_be_http1_as_well() -> None:
    connection = Connection()
    connection.protocol.data_received(OURS + b"nonsense\r\n\r\n")
    assert connection.wire.written.startswith(CONNECTED)
    assert b"Invalid HTTP request received." in connection.wire.written


async def test_a_connect_without_end_is_not_waited_for_for_ever() -> None:
    connection = Connection()
    connection.protocol.data_received(b"CONNECT run.homerun.localhost:1 HTTP/1.1\r\nX: ")
    for _ in range(20):
        connection.protocol.data_received(b"y" * 8192)
    assert connection.protocol._said is None, "it is kept no longer"
    assert CONNECTED not in connection.wire.written


@pytest.mark.parametrize("step", [1, 10, 100])
async def test_http2_is_handed_on_with_all_that_it_said(step: int) -> None:
    connection, said = Connection(), PREFACE + b"frames"
    for start in range(0, len(said), step):
        if connection.wire.reading:
            connection.protocol.data_received(said[start : start + step])
    assert len(connection.taken) == 1
    assert connection.taken[0].startswith(PREFACE) and said.startswith(connection.taken[0])
    assert not connection.wire.reading, "what comes now is for whoever took it"
    assert connection.state.connections == set(), "uvicorn has nothing to do with it any more"


async def test_what_only_begins_like_it_is_http1() -> None:
    connection = Connection()
    connection.protocol.data_received(b"PR")
    assert connection.wire.written == b""
    connection.protocol.data_received(b"OPFIND")
    connection.protocol.data_received(b" / nonsense\r\n\r\n")
    assert b"Invalid HTTP request received." in connection.wire.written
    assert connection.taken == []


async def test_a_tunnel_has_no_tunnel_inside() -> None:
    connection = Connection()
    connection.protocol.data_received(OURS * 3000)
    assert connection.wire.written.startswith(CONNECTED + b"HTTP/1.1 400")
    assert connection.wire.closed


@pytest.mark.parametrize(
    "target", [b"example.com:443", b"homerun.localhost.example.com:443", b"evilhomerun.localhost:1"]
)
async def test_a_tunnel_to_anywhere_else_is_refused_with_the_reason(target: bytes) -> None:
    wire = await talk(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert NO_TUNNELS.encode() in wire.written
    assert wire.closed


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
async def test_other_nonsense_is_just_that(request_: bytes) -> None:
    wire = await talk(request_)
    assert b"Invalid HTTP request received." in wire.written
