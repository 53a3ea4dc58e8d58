"""The gRPC library behind a port that also speaks HTTP/1.1: hostile clients, deadlines, many connections."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud import run_v2
from google.rpc.status_pb2 import Status
from starlette.responses import PlainTextResponse

from homerun.aio.tasks import Supervisor
from homerun.apis.access import Caller
from homerun.apis.protocol import PREFACE
from homerun.apis.rest import Call
from homerun.apis.rpc import RpcApp
from homerun.apis.rpc_server import RpcServer
from homerun.daemon.control import ApiServer, server_config
from homerun.lib.clock import SystemClock
from homerun.lib.errors import Invalid, Unauthenticated
from homerun.model.limits import REQUEST_BODY
from homerun.wire.certificate import Certificate
from tests.support.api import LOCATION

pytestmark = pytest.mark.sockets

GET = "/google.cloud.run.v2.Services/GetService"
WAIT = "/google.longrunning.Operations/WaitOperation"


def named(name: str) -> bytes:
    """A request that has nothing but a name, whichever it is: they all have it in the same place."""
    return run_v2.GetServiceRequest.serialize(run_v2.GetServiceRequest(name=f"{LOCATION}/{name}"))


CERTIFICATE = Certificate.generate(["127.0.0.1", "*.homerun.localhost"], SystemClock().now())


class Port:
    """A port as the API's, with two handlers of its own: one answers, one waits until its caller goes away."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "grpc.sock"
        self.waiting = 0
        self.given_up = asyncio.Event()
        self.http = PlainTextResponse("plain")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self.server = RpcServer(
            RpcApp(
                {
                    "run.projects.locations.services.get": self._get,
                    "run.projects.locations.operations.wait": self._wait,
                },
                self._authenticate,
            ),
            self.path,
            CERTIFICATE,
        )
        self._api = ApiServer(server_config(self.http, self.server.take))

    async def serve(self) -> None:
        await self._api.serve(sockets=[self._socket])

    async def close(self) -> None:
        self._api.should_exit = True
        await self.server.close()

    def _authenticate(self, authorization: str) -> Caller:
        if authorization == "Bearer bad":
            raise Unauthenticated("the token is bad")
        return Caller(authorization)

    async def _get(self, call: Call) -> Any:
        match call.variables["servicesId"]:
            case "wrong":
                raise Invalid.field("name", "is wrong")
            case "who":
                return {"name": call.caller.email}
            case "bug":
                raise ZeroDivisionError
        return {"name": call.variables["servicesId"]}

    async def _wait(self, call: Call) -> Any:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
            self.given_up.set()

    def channel(self) -> grpc.aio.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.address[1]}", options)

    async def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """What is answered until the other end closes, or, with `end`, until we do."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        if end:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    async with Supervisor() as tasks:
        made = Port(tmp_path)
        serving = tasks.spawn(made.serve(), name="port")
        yield made
        await made.close()
        await serving


async def refused(channel: grpc.aio.Channel, path: str, data: bytes, **options: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(path)(data, timeout=20, **options)
    return caught.value


async def test_one_port_speaks_both(port: Port) -> None:
    assert not port.path.exists(), "nothing is started before somebody asks"
    async with port.channel() as channel:
        answer = await channel.unary_unary(GET)(named("services/s"))
        assert run_v2.Service.deserialize(answer).name == "s"
    assert stat.S_IMODE(port.path.stat().st_mode) == 0o600
    answer = await port.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"plain")


async def test_first_bytes_may_come_one_by_one(port: Port) -> None:
    for first in (PREFACE + b"\0\0\0\4\0\0\0\0\0", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"):
        reader, writer = await asyncio.open_connection(*port.address)
        for byte in first:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await asyncio.wait_for(reader.read(9), 10)
        writer.close()


async def test_a_failure_has_its_details_where_clients_look(port: Port) -> None:
    async with port.channel() as channel:
        error = await refused(channel, GET, named("services/wrong"))
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "name: is wrong")
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    status = Status.FromString(packed)  # type: ignore[arg-type]
    assert (status.code, status.message) == (3, "name: is wrong")
    assert [d.TypeName() for d in status.details] == ["google.rpc.BadRequest", "google.rpc.ErrorInfo"]


async def test_who_calls_is_found_out_from_the_metadata(port: Port) -> None:
    async with port.channel() as channel:
        answer = await channel.unary_unary(GET)(named("services/who"), metadata=[("authorization", "Bearer ann")])
        assert run_v2.Service.deserialize(answer).name == "Bearer ann"
        answer = await channel.unary_unary(GET)(named("services/who"))
        assert run_v2.Service.deserialize(answer).name == ""
        error = await refused(channel, GET, named("services/who"), metadata=[("authorization", "Bearer bad")])
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "the token is bad")


async def test_a_bug_is_our_fault_and_is_logged(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    async with port.channel() as channel:
        error = await refused(channel, GET, named("services/bug"))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "ZeroDivisionError" in (error.details() or "")
    assert "GetService failed" in caplog.text


async def test_bad_calls_are_refused_one_by_one_without_a_word_in_the_log(
    port: Port, caplog: pytest.LogCaptureFixture
) -> None:
    code = grpc.StatusCode
    cases = {
        ("/no.such/Method", b""): code.UNIMPLEMENTED,
        (GET, b"\xff\xff"): code.INVALID_ARGUMENT,
        (GET, b""): code.INVALID_ARGUMENT,
        ("/google.cloud.run.v2.Jobs/GetJob", named("jobs/j")): code.UNIMPLEMENTED,
        (GET, bytes(REQUEST_BODY + 1)): code.RESOURCE_EXHAUSTED,
    }
    async with port.channel() as channel:
        for (path, data), expected in cases.items():
            assert (await refused(channel, path, data)).code() == expected
        assert (await refused(channel, GET, b"", metadata=(("x", "y" * 100_000),))).code() == code.RESOURCE_EXHAUSTED
        assert await channel.unary_unary(GET)(named("services/s")), "the connection is as good as before"
    assert caplog.records == []


async def test_a_small_message_that_unpacks_to_a_huge_one_is_refused(port: Port) -> None:
    async with port.channel() as channel:
        huge = bytes(16 * REQUEST_BODY)
        error = await refused(channel, GET, huge, compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "data", [PREFACE + b"garbage" * 1000, PREFACE + os.urandom(5000), PREFACE + b"GET / HTTP/1.1\r\n\r\n"]
)
async def test_http2_that_is_none_ends_the_connection(
    port: Port, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await port.raw(data)
    assert [r for r in caplog.records if r.exc_info] == []


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03" * 5000, b"\x16\x03\x01\x02\x00\x01\xff"])
async def test_tls_that_is_none_ends_the_connection(port: Port, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    await port.raw(data, end=True)
    assert [r for r in caplog.records if r.exc_info] == []


async def test_what_only_begins_like_http2_is_no_valid_http1(port: Port) -> None:
    assert (await port.raw(PREFACE[:10] + b"?\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert await port.raw(PREFACE[:10], end=True) == b""
    assert await port.raw(PREFACE, end=True) is not None


async def test_who_goes_away_waits_no_longer(port: Port) -> None:
    async with port.channel() as channel:
        waiting = channel.unary_unary(WAIT)(named("operations/o"))
        sent = asyncio.ensure_future(waiting)
        while not port.waiting:
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait_for(port.given_up.wait(), 10)
        assert port.waiting == 0
        with pytest.raises(asyncio.CancelledError):
            await sent


async def test_a_deadline_ends_the_call_on_our_side_too(port: Port) -> None:
    async with port.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(WAIT)(named("operations/o"), timeout=1)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(port.given_up.wait(), 10)


async def test_a_connection_that_breaks_ends_its_calls(port: Port) -> None:
    channel = port.channel()
    asyncio.ensure_future(channel.unary_unary(WAIT)(named("operations/o"))).add_done_callback(lambda f: f.cancelled())
    while not port.waiting:
        await asyncio.sleep(0.01)
    await channel.close()
    await asyncio.wait_for(port.given_up.wait(), 10)


async def test_a_thousand_calls_wait_on_one_connection_while_others_are_answered(port: Port) -> None:
    async with port.channel() as channel:
        waiting = [channel.unary_unary(WAIT)(named("operations/o")) for _ in range(900)]
        sent = [asyncio.ensure_future(call) for call in waiting]
        while port.waiting < 900:
            await asyncio.sleep(0.01)
        assert await channel.unary_unary(GET)(named("services/s"))
        for call in waiting:
            call.cancel()
        await asyncio.gather(*sent, return_exceptions=True)
        while port.waiting:
            await asyncio.sleep(0.01)


def descriptors() -> Sequence[str]:
    return os.listdir("/proc/self/fd")


async def test_connections_leave_nothing_behind(port: Port) -> None:
    async def one(index: int) -> None:
        if index % 3 == 0:
            await port.raw(PREFACE, end=True)
        elif index % 3 == 1:
            await port.raw(PREFACE + b"x" * 100)
        else:
            _, writer = await asyncio.open_connection(*port.address)
            writer.write(PREFACE)
            writer.transport.abort()

    await asyncio.gather(*[one(index) for index in range(60)])  # what grpc opens once, it opens now
    await asyncio.sleep(0.2)
    before = len(descriptors())
    for _ in range(10):
        await asyncio.gather(*[one(index) for index in range(60)])
    gc.collect()
    async with asyncio.timeout(20):
        while len(descriptors()) > before + 5:
            await asyncio.sleep(0.05)


async def test_a_socket_left_behind_by_a_killed_process_is_no_obstacle(port: Port) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(port.path))
    left.close()
    async with port.channel() as channel:
        assert await channel.unary_unary(GET)(named("services/s"))


async def test_closing_ends_calls_in_progress(tmp_path: Path) -> None:
    async with Supervisor() as tasks:
        port = Port(tmp_path)
        serving = tasks.spawn(port.serve(), name="port")
        async with port.channel() as channel:
            waiting = asyncio.ensure_future(channel.unary_unary(WAIT)(named("operations/o"), wait_for_ready=False))
            while not port.waiting:
                await asyncio.sleep(0.01)
            await port.close()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await waiting
            assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        await serving


async def test_tls_is_spoken_too_by_itself_and_through_the_proxy_that_the_port_is(port: Port) -> None:
    credentials = grpc.ssl_channel_credentials(CERTIFICATE.public)
    number = port.address[1]
    proxy = [("grpc.http_proxy", f"http://127.0.0.1:{number}"), ("grpc.use_local_subchannel_pool", 1)]
    for target, options in (
        (f"127.0.0.1:{number}", [("grpc.enable_http_proxy", 0)]),
        (f"us-central1-run.homerun.localhost:{number}", proxy),
    ):
        async with grpc.aio.secure_channel(target, credentials, options) as channel:
            answer = await channel.unary_unary(GET)(named("services/hello"), timeout=20)
            assert run_v2.Service.deserialize(answer).name == "hello"
    assert stat.S_IMODE(port.path.with_name("grpc.socks").stat().st_mode) == 0o600


async def test_who_does_not_have_the_certificate_does_not_trust_us(port: Port) -> None:
    other = Certificate.generate(["127.0.0.1"], SystemClock().now())
    target = f"127.0.0.1:{port.address[1]}"
    async with grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(other.public)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(GET)(named("services/hello"), timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
