"""Instances that speak HTTP/2, with clients that do and clients that do not."""

from __future__ import annotations

import asyncio

import h2.events
import pytest

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code
from homerun.wire.link import InstanceFailed
from tests.support.http2 import GRPC, Client, Server
from tests.support.router import GET, World

pytestmark = pytest.mark.looptime
TRAILERS = (("grpc-status", "0"), ("grpc-message", ""))


async def settle(world: World, *peers: Client | Server) -> None:
    for _ in range(4):
        await world.settle()
        for peer in peers:
            peer.hear()


async def server(world: World, port: int = 1, connection: int = -1) -> Server:
    await world.settle()
    return Server(world.instance(port, connection))


def in_flight(world: World) -> int:
    return world.router.activators["r"].dispatcher.in_flight


# Clients of HTTP/2


async def test_a_grpc_call_goes_through(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask("/pkg.Service/Method", "POST", more=GRPC, body=b"\0\0\0\0\2hi")
    instance = await server(world)
    assert instance.requests() == [1]
    headers = instance.headers(1)
    assert headers[":path"] == "/pkg.Service/Method"
    assert headers["grpc-timeout"] == "5S"
    assert headers["te"] == "trailers"
    assert headers["x-forwarded-for"] == "192.0.2.7"
    assert headers["traceparent"].startswith("00-")
    assert instance.body(1) == b"\0\0\0\0\2hi"
    assert instance.ended(1)
    instance.answer(1, b"\0\0\0\0\3yes", more=[("content-type", "application/grpc")], trailers=TRAILERS)
    await settle(world, client)
    assert client.headers(stream) == {":status": "200", "content-type": "application/grpc"}
    assert client.body(stream) == b"\0\0\0\0\3yes"
    assert client.trailers(stream) == dict(TRAILERS)
    assert client.ended(stream)
    assert in_flight(world) == 0


async def test_many_streams_share_one_connection_up_to_the_concurrency(world: World) -> None:
    world.service(1, h2c=True, concurrency=10)
    client = Client(world)
    for _ in range(15):
        client.ask()
    instance = await server(world)
    assert len(instance.requests()) == 10
    assert len(world.network.connections[1]) == 1
    assert world.router.activators["r"].dispatcher.waiting == 5
    instance.answer(1)
    await settle(world, instance)
    assert len(instance.requests()) == 11


async def test_with_concurrency_1_each_stream_has_an_instance_of_its_own(world: World) -> None:
    world.service(1, 2, 3, h2c=True, concurrency=1)
    client = Client(world)
    streams = [client.ask(f"/{number}") for number in range(3)]
    instances = [await server(world, port) for port in (1, 2, 3)]
    assert [len(instance.requests()) for instance in instances] == [1, 1, 1]
    for instance in reversed(instances):
        instance.answer(1, instance.headers(1)[":path"].encode())
        await settle(world, client)
    assert [client.body(stream) for stream in streams] == [b"/0", b"/1", b"/2"]


async def test_both_directions_stream_at_the_same_time(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask("/", "POST", more=GRPC, body=b"ping", end=False)
    instance = await server(world)
    instance.answer(1, b"pong", end=False)
    await settle(world, client)
    assert client.body(stream) == b"pong"
    client.h2.send_data(stream, b"ping 2", end_stream=True)
    client.send()
    await settle(world, instance)
    assert instance.body(1) == b"pingping 2"
    instance.h2.send_data(1, b"pong 2")
    instance.h2.send_headers(1, TRAILERS, end_stream=True)
    instance.send()
    await settle(world, client)
    assert client.body(stream) == b"pongpong 2"
    assert client.ended(stream)


@pytest.mark.parametrize("early", [True, False])
async def test_trailers_of_a_request_are_passed_on(world: World, early: bool) -> None:
    world.service(*([] if early else [1]), h2c=True)
    client = Client(world)
    stream = client.ask("/", "POST", body=b"x", end=False)
    client.h2.send_headers(stream, [("x-sum", "7")], end_stream=True)
    client.send()
    world.up(1)
    instance = await server(world)
    assert instance.body(1) == b"x"
    assert dict(instance.of(h2.events.TrailersReceived, 1)[0].headers or ())["x-sum"] == "7"


async def test_a_cancelled_stream_frees_its_slot_once_the_instance_has_read_of_it(world: World) -> None:
    world.service(1, h2c=True, concurrency=1)
    client = Client(world)
    stream = client.ask("/", "POST", more=GRPC, body=b"x", end=False)
    instance = await server(world)
    client.h2.reset_stream(stream, error_code=8)
    client.send()
    await world.settle()
    assert in_flight(world) == 1, "the instance may not know yet"
    await settle(world, instance)
    assert instance.reset(1) == Code.CANCEL
    assert in_flight(world) == 0


async def test_an_instance_that_reads_nothing_keeps_the_slot_for_the_time_of_a_request_only(world: World) -> None:
    world.service(1, h2c=True, concurrency=1, timeout=100)
    client = Client(world)
    stream = client.ask()
    await world.settle()
    client.h2.reset_stream(stream, error_code=8)
    client.send()
    await asyncio.sleep(90)
    assert in_flight(world) == 1
    await asyncio.sleep(80)
    assert in_flight(world) == 0


async def test_a_slow_client_stops_the_instance(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask()
    instance = await server(world)
    instance.answer(1, b"", end=False)
    sent = 0
    for _ in range(100):
        size = min(16384, instance.h2.local_flow_control_window(1))
        if not size:
            break
        instance.h2.send_data(1, bytes(size))
        instance.send()
        sent += size
        await world.settle()
        instance.hear()
    assert sent < 400_000, "what the client has room for, and one window"
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.h2.increment_flow_control_window(1 << 20)
    client.send()
    await settle(world, instance)
    assert instance.h2.local_flow_control_window(1) > 100_000


async def test_an_instance_that_takes_a_body_slowly_stops_the_client(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask("/", "POST", body=b"", end=False)
    instance = await server(world)
    sent = 0
    for _ in range(100):
        size = min(16384, client.h2.local_flow_control_window(stream))
        if not size:
            break
        client.h2.send_data(stream, bytes(size))
        client.send()
        sent += size
        await world.settle()
        client.hear()
    assert sent < 400_000
    instance.hear()
    instance.h2.increment_flow_control_window(1 << 20, 1)
    instance.h2.increment_flow_control_window(1 << 20)
    instance.send()
    await settle(world, client)
    assert client.h2.local_flow_control_window(stream) > 100_000


# What goes wrong


async def test_what_an_instance_refuses_is_sent_again_with_its_body(world: World) -> None:
    world.service(1, h2c=True, concurrency=1)
    client = Client(world)
    stream = client.ask("/", "POST", more=GRPC, body=b"message")
    instance = await server(world)
    instance.requests()
    instance.h2.reset_stream(1, error_code=Code.REFUSED_STREAM)
    instance.send()
    await settle(world, instance)
    assert instance.requests() == [1, 3]
    assert instance.body(3) == b"message"
    instance.answer(3, b"done", trailers=TRAILERS)
    await settle(world, client)
    assert client.body(stream) == b"done"


async def test_an_instance_that_always_refuses_is_given_up(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask()
    instance = await server(world)
    refused = 0
    for _ in range(10):
        for id in instance.requests()[refused:]:
            refused += 1
            instance.h2.reset_stream(id, error_code=Code.REFUSED_STREAM)
            instance.send()
        await settle(world, client)
    assert refused == 4
    assert client.status(stream) == 503
    assert in_flight(world) == 0


async def test_goaway_sends_what_was_not_begun_elsewhere_and_lets_the_rest_end(world: World) -> None:
    world.service(1, h2c=True, concurrency=10)
    client = Client(world)
    first, second = client.ask("/1"), client.ask("/2", "POST", body=b"body")
    instance = await server(world)
    assert instance.requests() == [1, 3]
    # The `h2` library would not go on after a GOAWAY of its own.
    instance.transport.feed(frames.goaway(1, Code.NO_ERROR))
    await world.settle()
    other = await server(world)
    assert other.transport is not instance.transport
    assert other.requests() == [1]
    assert (other.headers(1)[":path"], other.body(1)) == ("/2", b"body")
    other.answer(1, b"from the second")
    instance.answer(1, b"from the first")
    await settle(world, client)
    assert client.body(first) == b"from the first"
    assert client.body(second) == b"from the second"
    assert instance.transport.closing
    assert not other.transport.closing


async def test_an_instance_that_breaks_off_is_503_or_a_reset(world: World) -> None:
    world.service(1, h2c=True, concurrency=10)
    client = Client(world)
    begun, waiting, grpc = client.ask(), client.ask(), client.ask("/", "POST", more=GRPC, body=b"")
    instance = await server(world)
    instance.answer(1, b"beginning", end=False)
    instance.transport.hang_up()
    await asyncio.sleep(1)
    await settle(world, client)
    assert client.reset(begun) == Code.INTERNAL_ERROR
    assert client.status(waiting) == 503
    assert client.headers(grpc)["grpc-status"] == "14"
    assert in_flight(world) == 0


async def test_a_reset_in_the_middle_of_an_answer_is_passed_on(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask()
    instance = await server(world)
    instance.answer(1, b"beginning", end=False)
    instance.h2.reset_stream(1, error_code=Code.CANCEL)
    instance.send()
    await settle(world, client)
    assert client.reset(stream) == Code.CANCEL


BAD = [
    ("no frames at all", b"HTTP/1.1 400 Bad Request\r\n\r\n", "which is named h2c"),
    ("rubbish", b"\xff" * 20, "a frame of"),
    ("another first frame", frames.frame(frames.PING, 0, 0, bytes(8)), "not SETTINGS"),
]


@pytest.mark.parametrize(("what", "said", "cause"), BAD)
async def test_an_instance_that_does_not_speak_http2_is_503(world: World, what: str, said: bytes, cause: str) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    stream = client.ask()
    await world.settle()
    world.instance(1).feed(said)
    await asyncio.sleep(1)
    await settle(world, client)
    assert client.status(stream) == 503
    assert cause.encode() in client.body(stream)
    assert in_flight(world) == 0


async def test_an_instance_that_lies_about_its_length_resets_the_stream(world: World) -> None:
    world.service(1, h2c=True, concurrency=3)
    client = Client(world)
    short, long = client.ask(), client.ask()
    instance = await server(world)
    instance.h2.config.validate_outbound_headers = False
    instance.answer(1, b"ab", more=[("content-length", "3")])
    instance.answer(3, b"abcd", more=[("content-length", "3")], end=False)
    await settle(world, client, instance)
    assert client.reset(short) == client.reset(long) == Code.PROTOCOL_ERROR
    assert in_flight(world) == 0


async def test_an_instance_that_cannot_be_reached_is_reported(world: World) -> None:
    world.network.refused.add(1)
    world.service(1, h2c=True, concurrency=10)
    client = Client(world)
    client.ask()
    client.ask()
    await world.settle()
    failed = [report for report in world.reports() if isinstance(report, InstanceFailed)]
    assert [report.instance for report in failed] == ["i1"]
    assert world.router.activators["r"].dispatcher.waiting == 2
    world.up(2)
    assert len((await server(world, 2)).requests()) == 2


async def test_an_instance_that_allows_few_streams_gets_more_connections(world: World) -> None:
    world.service(1, h2c=True, concurrency=10)
    client = Client(world)
    client.ask()
    first = await server(world)
    first.h2.update_settings({3: 1})
    first.send()
    client.ask()
    second = await server(world)
    assert second.transport is not first.transport
    assert (len(first.requests()), len(second.requests())) == (1, 1)


async def test_connections_that_are_not_used_are_closed(world: World) -> None:
    world.service(1, h2c=True)
    client = Client(world)
    client.ask()
    instance = await server(world)
    instance.requests()
    instance.answer(1)
    await settle(world, client, instance)
    await asyncio.sleep(130)
    assert instance.transport.closing
    client.ask()
    assert len((await server(world)).requests()) == 1


async def test_an_instance_that_is_gone_lets_everybody_know(world: World) -> None:
    world.service(1, h2c=True, concurrency=1)
    client = Client(world)
    stream, waiting = client.ask(), client.ask()
    await world.settle()
    world.router.activators["r"].gone(world.router.instances.pop("i1"))
    await asyncio.sleep(1)
    await settle(world, client)
    assert client.status(stream) == 503
    assert not client.ended(waiting)


async def test_affinity_works_with_http2(world: World) -> None:
    world.service(1, 2, h2c=True, affinity=True, concurrency=5)
    client = Client(world)
    stream = client.ask()
    await world.settle()
    port = next(iter(world.network.connections))
    instance = await server(world, port)
    instance.requests()
    instance.answer(1, more=[("cache-control", "public")])
    await settle(world, client)
    headers = client.headers(stream)
    assert headers["set-cookie"].startswith("GAESA=")
    assert headers["cache-control"] == "private"
    for _ in range(3):
        client.ask(more=[("cookie", headers["set-cookie"].partition(";")[0])])
    await settle(world, instance)
    assert len(instance.requests()) == 4


# Clients of HTTP/1.1


async def test_a_client_of_http1_is_answered_in_http1(world: World) -> None:
    world.service(1, h2c=True)
    client = world.client(b"POST /x HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 4\r\nX-Mine: 1\r\n\r\nbody")
    instance = await server(world)
    assert instance.requests() == [1]
    assert instance.headers(1)["x-mine"] == "1"
    assert instance.headers(1)[":authority"] == "hello.example"
    assert instance.body(1) == b"body"
    assert instance.ended(1)
    instance.answer(1, b"hello", more=[("content-length", "5")])
    await world.settle()
    assert client.take() == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    client.feed(GET)
    await world.settle()
    assert instance.requests() == [1, 3]
    assert instance.ended(3)


async def test_chunks_of_a_client_are_data_for_the_instance(world: World) -> None:
    world.service(h2c=True)
    client = world.client(b"POST / HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    world.up(1)
    instance = await server(world)
    assert instance.requests() == [1]
    client.feed(b"1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n")
    await settle(world, instance)
    assert instance.body(1) == b"hello!"
    assert "transfer-encoding" not in instance.headers(1)
    assert dict(instance.of(h2.events.TrailersReceived, 1)[0].headers or ())["x-sum"] == "7"
    instance.answer(1, b"ok", trailers=[("x-done", "1")])
    await world.settle()
    assert client.take().endswith(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n")


async def test_an_upgrade_is_not_offered_to_instances_of_http2(world: World) -> None:
    world.service(1, h2c=True)
    client = world.client(b"GET / HTTP/1.1\r\nHost: hello.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    instance = await server(world)
    assert instance.requests() == [1]
    assert "upgrade" not in instance.headers(1)
    instance.answer(1, b"no", more=[("content-length", "2")])
    await world.settle()
    assert client.take().endswith(b"no")
    client.feed(GET)
    await world.settle()
    assert instance.requests() == [1, 3]


async def test_a_client_of_http1_that_leaves_cancels_its_stream(world: World) -> None:
    world.service(1, h2c=True)
    client = world.client(GET)
    instance = await server(world)
    instance.requests()
    client.hang_up()
    await settle(world, instance)
    assert instance.reset(1) == Code.CANCEL
    assert in_flight(world) == 0


async def test_a_slow_client_of_http1_stops_the_instance(world: World) -> None:
    world.service(1, h2c=True)
    client = world.client(GET)
    instance = await server(world)
    instance.requests()
    instance.answer(1, b"", end=False)
    await world.settle()
    client.choke()
    sent = 0
    for _ in range(100):
        size = min(16384, instance.h2.local_flow_control_window(1))
        if not size:
            break
        instance.h2.send_data(1, bytes(size))
        sent += size
        instance.send()
        await world.settle()
        instance.hear()
    assert sent < 400_000
    client.relieve()
    await settle(world, instance)
    assert instance.h2.local_flow_control_window(1) > 100_000
