"""WebSockets over HTTP/2: the client is the `h2` library, the instance speaks HTTP/1.1 and is played by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence

import h2.settings
import pytest

from homerun.lib.http2.codes import Code
from homerun.router.http2.client import STREAM_WINDOW
from homerun.wire.link import Usage
from tests.support.http2 import Client, Server
from tests.support.router import HOST, World

pytestmark = pytest.mark.looptime

REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"


async def settle(world: World, *peers: Client | Server) -> None:
    for _ in range(3):
        await world.settle()
        for peer in peers:
            peer.hear()


def ask(client: Client, more: Sequence[tuple[str, str]] = (), protocol: str = "websocket", end: bool = False) -> int:
    stream: int = client.h2.get_next_available_stream_id()
    fields = [(":method", "CONNECT"), (":scheme", "http"), (":authority", HOST), (":path", "/chat?q=1")]
    client.h2.send_headers(stream, [*fields, (":protocol", protocol), *more], end_stream=end)
    client.send()
    return stream


def agreement(request: bytes, more: bytes = b"") -> bytes:
    """What a server answers that has understood."""
    found = re.search(rb"\r\nsec-websocket-key: (\S+)\r\n", request)
    assert found is not None and len(base64.b64decode(found[1])) == 16
    proof = base64.b64encode(hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + proof + b"\r\n" + more + b"\r\n"


async def opened(world: World, client: Client, more: bytes = b"") -> int:
    stream = ask(client)
    await world.settle()
    instance = world.instance(1)
    instance.feed(agreement(instance.take()) + more)
    await settle(world, client)
    assert client.status(stream) == 200
    return stream


async def test_a_client_is_told_that_it_may_ask(world: World) -> None:
    client = Client(world)
    await settle(world, client)
    assert client.h2.remote_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1


async def test_the_instance_is_asked_as_in_http1_and_bytes_go_both_ways(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = ask(client, [("sec-websocket-version", "13"), ("sec-websocket-key", "mine"), ("cookie", "a=b")])
    client.h2.send_data(stream, b"early")
    client.send()
    await settle(world, client)
    instance = world.instance(1)
    request = instance.take()
    assert request.startswith(b"GET /chat?q=1 HTTP/1.1\r\nHost: hello.example\r\n")
    assert b"Connection: upgrade\r\nUpgrade: websocket\r\n" in request and b"cookie: a=b\r\n" in request
    assert request.endswith(b"\r\n\r\n"), "what the client says before the instance has agreed would be a request"
    assert b"mine" not in request and b"ransfer-" not in request and request.lower().count(b"sec-websocket-key:") == 1
    instance.feed(agreement(request, b"Sec-WebSocket-Protocol: chat\r\n") + b"welcome")
    await settle(world, client)
    assert client.headers(stream) == {":status": "200", "sec-websocket-protocol": "chat"}
    assert client.body(stream) == b"welcome" and instance.take() == b"early"
    client.h2.send_data(stream, b"ping")
    client.send()
    assert instance.take() == b"ping"
    instance.feed(b"pong")
    await settle(world, client)
    assert client.body(stream) == b"welcomepong" and not client.ended(stream)


async def test_each_has_a_key_of_its_own_even_if_the_heads_are_the_same(world: World) -> None:
    world.service(1, concurrency=9)
    client = Client(world)
    keys = []
    for _ in range(4):
        ask(client)
        await world.settle()
        found = re.search(rb"sec-websocket-key: (\S+)", world.instance(1).take())
        assert found is not None
        keys.append(found[1])
    assert len(set(keys)) == 4


async def test_the_end_of_the_instance_ends_the_stream(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = await opened(world, client, b"bye")
    world.instance(1).hang_up()
    await settle(world, client)
    assert client.body(stream) == b"bye" and client.ended(stream)
    assert client.reset(stream) == Code.NO_ERROR, "or it would stay open for what the client has not ended"
    assert client.goaway is None


async def test_the_end_of_the_client_is_passed_on_and_it_can_still_hear(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = await opened(world, client)
    client.h2.send_data(stream, b"last", end_stream=True)
    client.send()
    instance = world.instance(1)
    assert instance.take() == b"last" and instance.eof and not instance.closing
    instance.feed(b"bye")
    instance.hang_up()
    await settle(world, client)
    assert client.body(stream) == b"bye" and client.ended(stream) and client.reset(stream) is None


@pytest.mark.parametrize("trailers", [False, True])
async def test_an_end_before_the_instance_has_agreed_comes_behind_its_agreement(world: World, trailers: bool) -> None:
    world.service(1)
    client = Client(world)
    stream = ask(client)
    client.h2.send_data(stream, b"all", end_stream=not trailers)
    if trailers:
        client.h2.send_headers(stream, [("x-last", "1")], end_stream=True)
    client.send()
    await world.settle()
    instance = world.instance(1)
    request = instance.take()
    assert b"all" not in request and not instance.eof
    instance.feed(agreement(request))
    assert instance.take() == b"all" and instance.eof


async def test_a_client_that_resets_the_stream_ends_it_for_the_instance(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = await opened(world, client)
    client.h2.reset_stream(stream, error_code=8)
    client.send()
    await settle(world, client)
    assert world.instance(1).closing and client.goaway is None


async def test_it_is_one_request_with_one_slot_until_its_time_is_up(world: World) -> None:
    world.service(1, concurrency=1, timeout=60)
    client = Client(world)
    stream = await opened(world, client)
    await asyncio.sleep(58)
    waiting = client.ask("/next")
    await settle(world, client)
    assert world.router.activators["r"].dispatcher.waiting == 1
    assert client.reset(stream) is None
    await asyncio.sleep(3)
    await settle(world, client)
    assert client.reset(stream) == Code.INTERNAL_ERROR and world.instance(1, 0).closing
    assert (await world.serve(1)).startswith(b"GET /next ")
    await settle(world, client)
    assert client.status(waiting) == 200
    world.router.stats.flush()
    assert sum(report.requests for report in world.reports() if isinstance(report, Usage)) == 2


async def test_an_instance_that_does_not_agree_answers_as_usual(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = ask(client)
    client.h2.send_data(stream, b"GET /smuggled HTTP/1.1\r\nHost: hello.example\r\n\r\n")
    client.send()
    request = await world.serve(1, REFUSED)
    assert b"smuggled" not in request and not world.instance(1).take()
    await settle(world, client)
    assert client.status(stream) == 403 and client.body(stream) == b"no" and client.ended(stream)
    assert client.reset(stream) == Code.NO_ERROR
    other = client.ask("/other")
    await world.serve(1)
    await settle(world, client)
    assert client.status(other) == 200
    assert len(world.network.connections[1]) == 1, "the refused one has left nothing behind"


@pytest.mark.parametrize("proof", [b"", b"Sec-WebSocket-Accept: bm90aGluZw==\r\n"])
async def test_an_instance_that_proves_nothing_is_not_believed(world: World, proof: bytes) -> None:
    world.service(1)
    client = Client(world)
    stream = ask(client)
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await world.serve(1, head + proof + b"\r\n")
    await settle(world, client)
    assert client.status(stream) == 503 and world.instance(1).closing


async def test_nobody_is_switched_who_did_not_ask(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/")
    await world.serve(1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    await settle(world, client)
    assert client.status(stream) == 503


async def test_other_protocols_and_containers_of_http2_are_refused(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    other, websocket = ask(client, protocol="connect-udp"), ask(client)
    await settle(world, client)
    assert client.status(other) == 405 and client.status(websocket) == 501
    assert not world.network.connections


async def test_a_client_that_says_much_before_the_instance_agrees_waits(world: World) -> None:
    world.service()
    client = Client(world)
    stream = ask(client)
    sent = 0
    for _ in range(100):
        await settle(world, client)
        room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
        if not room:
            break
        client.h2.send_data(stream, b"x" * room)
        client.send()
        sent += room
    assert STREAM_WINDOW / 2 <= sent <= 2 * STREAM_WINDOW
    world.up(1)
    await world.settle()
    instance = world.instance(1)
    instance.feed(agreement(instance.take()))
    await settle(world, client)
    assert len(instance.take()) == sent
    assert client.h2.local_flow_control_window(stream) > 0


async def test_each_end_slows_the_other_down(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = await opened(world, client)
    instance = world.instance(1)
    instance.choke()
    for _ in range(100):
        room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
        if not room:
            break
        client.h2.send_data(stream, b"x" * room)
        client.send()
        await settle(world, client)
    assert not client.h2.local_flow_control_window(stream)
    instance.relieve()
    await settle(world, client)
    assert client.h2.local_flow_control_window(stream)
    instance.feed(b"y" * 100_000)
    assert not instance.reading, "more than the client's window"
