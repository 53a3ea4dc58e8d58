"""gRPC's own client and server, with the router between them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.router.test_server import Platform

pytestmark = pytest.mark.sockets
SERVICE = "test.Echo"
BIG = 3_000_000


class Echo:
    """An instance. It screams when it sees more calls at a time than it may."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: dict[str, str] = {}
        self.active = self.most = 0
        self.cancelled = threading.Event()
        self.proceed = threading.Event()
        self._lock = threading.Lock()
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        calls = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Join": grpc.stream_unary_rpc_method_handler(lambda requests, _: b",".join(requests)),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
        checks = health.HealthServicer()
        checks.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checks, self.server)
        reflection.enable_server_reflection((health.SERVICE_NAME, reflection.SERVICE_NAME), self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.seen = {str(key): str(value) for key, value in context.invocation_metadata()}
        context.send_initial_metadata((("x-initial", "first"),))
        context.set_trailing_metadata((("x-trailing", "last"), ("x-binary-bin", b"\0\xff")))
        return self.name.encode() + b" " + request

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "it is Zürich: 100 %")

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.active += 1
            self.most = max(self.most, self.active)
        context.add_callback(self.cancelled.set)
        self.proceed.wait(30)
        with self._lock:
            self.active -= 1
        return self.name.encode()

    def count(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield b"%d " % number + bytes(2000)

    def talk(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield b"you said " + request


@pytest.fixture
def echoes() -> Iterator[list[Echo]]:
    made = [Echo("first"), Echo("second"), Echo("third")]
    yield made
    for echo in made:
        echo.proceed.set()
    for echo in made:
        echo.server.stop(0).wait()


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    made = Platform(tmp_path)
    yield made
    await made.close()


def call(channel: grpc.aio.Channel, method: str, kind: str = "unary_unary") -> Any:
    return getattr(channel, kind)(f"/{SERVICE}/{method}")


def channel_to(platform: Platform, authority: str = "hello.example") -> grpc.aio.Channel:
    options = [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{platform.port}", options=options)


@pytest.fixture
async def channel(platform: Platform, echoes: list[Echo]) -> AsyncIterator[grpc.aio.Channel]:
    await platform.start(ports=[echoes[0].port], h2c=True)
    async with channel_to(platform) as channel:
        yield channel


async def test_a_call_with_metadata_both_ways(channel: grpc.aio.Channel, echoes: list[Echo]) -> None:
    made = call(channel, "Unary")(b"hello", timeout=20, metadata=(("x-mine", "1"), ("x-mine-bin", b"\0\1")))
    assert await made == b"first hello"
    assert dict(await made.initial_metadata())["x-initial"] == "first"
    trailing = dict(await made.trailing_metadata())
    assert (trailing["x-trailing"], trailing["x-binary-bin"]) == ("last", b"\0\xff")
    seen = echoes[0].seen
    assert seen["x-mine"] == "1"
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["traceparent"].startswith("00-")


async def test_streams_in_all_directions(channel: grpc.aio.Channel) -> None:
    counted = [piece async for piece in call(channel, "Count", "unary_stream")(b"500", timeout=20)]
    assert [int(piece.split()[0]) for piece in counted] == list(range(500))
    assert await call(channel, "Join", "stream_unary")(iter([b"a", b"b", b"c"]), timeout=20) == b"a,b,c"
    talk = call(channel, "Talk", "stream_stream")(timeout=20)
    for word in (b"one", b"two"):
        await talk.write(word)
        assert await talk.read() == b"you said " + word
    await talk.done_writing()
    assert await talk.read() == grpc.aio.EOF
    assert await talk.code() is grpc.StatusCode.OK


async def test_large_messages_both_ways(channel: grpc.aio.Channel) -> None:
    answer = await call(channel, "Unary")(bytes(BIG), timeout=20)
    assert len(answer) == BIG + len(b"first ")


async def test_a_status_with_its_message(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, "Fail")(b"", timeout=20)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "it is Zürich: 100 %"


async def test_a_deadline_reaches_the_instance(channel: grpc.aio.Channel, echoes: list[Echo]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, "Wait")(b"", timeout=1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await asyncio.to_thread(echoes[0].cancelled.wait, 30)


async def test_cancellation_reaches_the_instance(channel: grpc.aio.Channel, echoes: list[Echo]) -> None:
    waiting = asyncio.ensure_future(call(channel, "Wait")(b"", timeout=30))
    await until(lambda: echoes[0].active == 1)
    waiting.cancel()
    assert await asyncio.to_thread(echoes[0].cancelled.wait, 30)
    assert await call(channel, "Unary")(b"next", timeout=20) == b"first next"


async def test_health_checking_and_reflection(channel: grpc.aio.Channel, platform: Platform) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def reflect() -> Any:
        with grpc.insecure_channel(
            f"127.0.0.1:{platform.port}", options=[("grpc.default_authority", "hello.example")]
        ) as plain:
            return list(ProtoReflectionDescriptorDatabase(plain).get_services())

    assert health.SERVICE_NAME in await asyncio.to_thread(reflect)


async def test_with_concurrency_1_each_call_has_an_instance_of_its_own(platform: Platform, echoes: list[Echo]) -> None:
    await platform.start(ports=[echo.port for echo in echoes], concurrency=1, h2c=True)
    async with channel_to(platform) as channel:
        waiting = [asyncio.ensure_future(call(channel, "Wait")(b"", timeout=30)) for _ in range(9)]
        await until(lambda: all(echo.active == 1 for echo in echoes))
        for echo in echoes:
            echo.proceed.set()
        names = [await one for one in waiting]
    assert set(names) == {b"first", b"second", b"third"}
    assert [echo.most for echo in echoes] == [1, 1, 1]


async def test_an_unknown_host_is_unimplemented(platform: Platform, echoes: list[Echo]) -> None:
    await platform.start(ports=[echoes[0].port], h2c=True)
    async with channel_to(platform, "other.example") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "Unary")(b"", timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "other.example" in (caught.value.details() or "")


async def test_an_instance_that_ends_is_unavailable(platform: Platform, echoes: list[Echo]) -> None:
    await platform.start(ports=[echoes[0].port], h2c=True)
    async with channel_to(platform) as channel:
        waiting = asyncio.ensure_future(call(channel, "Wait")(b"", timeout=30))
        await until(lambda: echoes[0].active == 1)
        stopped = echoes[0].server.stop(0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await waiting
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        echoes[0].proceed.set()
        await asyncio.to_thread(stopped.wait)


async def until(what: Any) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.01)
