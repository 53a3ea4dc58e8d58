"""Clients of HTTP/2: every stream a request of its own."""

from __future__ import annotations

import asyncio

import h2.events
import pytest

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code
from homerun.router.http2.client import MAX_STREAMS, STREAM_WINDOW
from homerun.wire.link import Access, KeySet, RouteSet, Target
from tests.support.http2 import GRPC, Client, Server
from tests.support.router import GET, HOST, OK, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime


async def settle(world: World, *peers: Client | Server) -> None:
    for _ in range(3):
        await world.settle()
        for peer in peers:
            peer.hear()


async def answered(world: World, client: Client, port: int, answer: bytes = OK) -> bytes:
    request = await world.serve(port, answer)
    await settle(world, client)
    return request


# To instances of HTTP/1.1


async def test_a_request_reaches_an_instance_of_http1_and_the_answer_the_client(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/path?q=1", more=[("x-mine", "yes")])
    request = await answered(world, client, 1)
    assert request.startswith(b"GET /path?q=1 HTTP/1.1\r\nHost: hello.example\r\nx-mine: yes\r\n")
    assert b"X-Forwarded-For: 192.0.2.7\r\n" in request
    assert client.headers(stream) == {":status": "200", "content-length": "5"}
    assert client.body(stream) == b"hello"
    assert client.ended(stream)


@pytest.mark.parametrize("cut", [1, 3, 10, 18, 23, 24, 30])
async def test_the_preface_may_come_in_pieces(world: World, cut: int) -> None:
    world.service(1)
    transport = world.client()
    said = frames.PREFACE + frames.settings({}) + frames.frame(frames.PING, 0, 0, b"12345678")
    transport.feed(said[:cut])
    transport.feed(said[cut:])
    await world.settle()
    assert frames.frame(frames.PING, frames.ACK, 0, b"12345678") in transport.take()


async def test_a_preface_behind_a_request_is_no_preface(world: World) -> None:
    world.service(1)
    transport = world.client(GET + frames.PREFACE)
    await world.serve(1)
    assert transport.take().startswith(OK)
    assert transport.eof or transport.closing


async def test_streams_go_to_different_instances_and_the_rest_waits(world: World) -> None:
    world.service(1, 2, concurrency=1)
    client = Client(world)
    first, second, third = client.ask("/1"), client.ask("/2"), client.ask("/3")
    await world.settle()
    requests = {port: world.instance(port).take() for port in (1, 2)}
    assert sorted(request.split()[1] for request in requests.values()) == [b"/1", b"/2"]
    port = next(port for port, request in requests.items() if b"/2" in request)
    world.instance(port).feed(OK)
    await settle(world, client)
    assert client.body(second) == b"hello"
    assert world.instance(port).take().startswith(b"GET /3 ")
    client.h2.reset_stream(third, error_code=8)
    client.send()
    await world.settle()
    assert not client.ended(first)


async def test_a_body_goes_in_chunks_or_with_its_length(world: World) -> None:
    world.service(1)
    client = Client(world)
    client.ask("/", "POST", body=b"0123456789")
    assert (await answered(world, client, 1)).endswith(b"\r\n\r\na\r\n0123456789\r\n0\r\n\r\n")
    client.ask("/", "POST", more=[("content-length", "10")], body=b"0123456789")
    request = await answered(world, client, 1)
    assert b"content-length: 10\r\n" in request
    assert request.endswith(b"\r\n\r\n0123456789")


async def test_trailers_go_both_ways(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/", "POST", more=[("te", "trailers")], body=b"x", end=False)
    client.h2.send_headers(stream, [("x-sum", "7")], end_stream=True)
    client.send()
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 8\r\n\r\n"
    request = await answered(world, client, 1, answer)
    assert request.endswith(b"1\r\nx\r\n0\r\nx-sum: 7\r\n\r\n")
    assert client.body(stream) == b"hi"
    assert client.trailers(stream) == {"x-sum": "8"}
    assert client.ended(stream)


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\n\r\nall", b"HTTP/1.1 200 OK\r\n\r\nall"])
async def test_an_answer_may_end_with_the_connection(world: World, answer: bytes) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask()
    await world.serve(1, answer)
    world.instance(1).hang_up()
    await settle(world, client)
    assert client.body(stream) == b"all"
    assert client.ended(stream)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_ends(world: World, method: str, answer: bytes) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask(method=method)
    await answered(world, client, 1, answer)
    assert client.body(stream) == b""
    assert client.ended(stream)


async def test_interim_answers_are_passed_on(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask()
    await answered(world, client, 1, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    hints = client.of(h2.events.InformationalResponseReceived, stream)
    assert [dict(hint.headers or ())["link"] for hint in hints] == ["</a>"]
    assert client.status(stream) == 200


async def test_who_waits_for_continue_is_told_when_an_instance_has_the_head(world: World) -> None:
    world.service()
    client = Client(world)
    stream = client.ask("/", "POST", more=[("expect", "100-continue"), ("content-length", "2")], body=b"", end=False)
    await settle(world, client)
    assert not client.of(h2.events.InformationalResponseReceived)
    world.up(1)
    await settle(world, client)
    assert len(client.of(h2.events.InformationalResponseReceived, stream)) == 1


async def test_a_client_that_resets_a_stream_cancels_the_request(world: World) -> None:
    world.service(1, concurrency=1)
    client = Client(world)
    stream = client.ask()
    await world.settle()
    client.h2.reset_stream(stream, error_code=8)
    client.send()
    await world.settle()
    assert world.instance(1).eof
    world.instance(1).hang_up()
    assert world.router.activators["r"].dispatcher.in_flight == 0


async def test_a_client_that_leaves_cancels_all_of_its_requests(world: World) -> None:
    world.service(1, concurrency=1)
    client = Client(world)
    client.ask()
    client.ask()
    await world.settle()
    assert world.router.activators["r"].dispatcher.waiting == 1
    client.transport.hang_up()
    await world.settle()
    assert world.router.activators["r"].dispatcher.waiting == 0
    assert world.instance(1).eof
    assert not world.router.clients


async def test_an_instance_that_breaks_off_resets_the_stream_that_has_an_answer(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask()
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbegun")
    world.instance(1).hang_up()
    await settle(world, client)
    assert client.reset(stream) == Code.INTERNAL_ERROR
    client.ask("/next")
    assert (await answered(world, client, 1)).startswith(b"GET /next")


async def test_the_end_of_a_request_may_come_after_its_answer(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/", "POST", more=[("content-length", "4")], body=b"body", end=False)
    await answered(world, client, 1)
    assert client.ended(stream)
    assert client.reset(stream) is None
    client.h2.send_data(stream, b"", end_stream=True)
    client.send()
    client.ask("/next")
    assert (await answered(world, client, 1)).startswith(b"GET /next")
    assert len(world.network.connections[1]) == 1
    late = client.ask("/", "POST", more=[("content-length", "4")], body=b"body", end=False)
    await answered(world, client, 1)
    await asyncio.sleep(62)
    client.events += client.h2.receive_data(client.transport.take())
    assert client.reset(late) == Code.CANCEL


async def test_an_early_answer_ends_the_request(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/", "POST", body=b"beginning", end=False)
    await answered(world, client, 1)
    assert client.body(stream) == b"hello"
    assert client.reset(stream) == Code.NO_ERROR


# Refusals


@pytest.mark.parametrize(("more", "expected"), [((), "404"), (GRPC, "200")])
async def test_unknown_hosts_are_refused(world: World, more: tuple[tuple[str, str], ...], expected: str) -> None:
    client = Client(world)
    stream = client.ask(host="other.example", more=more)
    await settle(world, client)
    headers = client.headers(stream)
    assert headers[":status"] == expected
    assert headers.get("grpc-status", "12") == "12"
    assert client.ended(stream)


async def test_a_queue_that_takes_too_long_is_429_and_unavailable(world: World) -> None:
    world.service()
    client = Client(world)
    plain, grpc = client.ask(), client.ask("/a.B/C", "POST", more=GRPC, body=b"\0\0\0\0\0")
    await asyncio.sleep(11)
    await settle(world, client)
    assert client.status(plain) == 429
    assert client.headers(grpc)["grpc-status"] == "14"


async def test_a_request_that_takes_too_long_is_504_and_the_instance_lives_on(world: World) -> None:
    world.service(1, timeout=5)
    client = Client(world)
    stream = client.ask()
    await asyncio.sleep(6)
    await settle(world, client)
    assert client.status(stream) == 504
    assert world.instance(1).eof


async def test_an_answer_that_takes_too_long_is_reset(world: World) -> None:
    world.service(1, timeout=5)
    client = Client(world)
    stream = client.ask()
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbegun")
    await asyncio.sleep(6)
    await settle(world, client)
    assert client.reset(stream) == Code.INTERNAL_ERROR


async def test_a_private_service_is_private_here_too(world: World) -> None:
    world.service(1)
    world.router.apply(KeySet({}))
    access = Access(["https://hello.example"], ["1"], [])
    world.router.apply(RouteSet("projects/p/locations/l/services/hello", [HOST], [Target("r", 100)], access))
    client = Client(world)
    plain, grpc = client.ask(), client.ask(more=GRPC)
    bad = client.ask(more=[*GRPC, ("authorization", "Bearer rubbish")])
    await settle(world, client)
    assert client.status(plain) == 403
    assert client.headers(grpc)["grpc-status"] == "7"
    assert client.headers(bad)["grpc-status"] == "16"


async def test_heads_that_are_too_long_are_refused(world: World) -> None:
    world.service(1)
    client = Client(world)
    many = [("x-many", "1")] * 501
    stream = client.ask(more=many)
    await settle(world, client)
    assert client.status(stream) == 431


@pytest.mark.parametrize("fields", [[("connection", "close")], [("te", "gzip")], [("X-Upper", "1")]])
async def test_malformed_requests_are_reset_and_the_others_go_on(world: World, fields: list[tuple[str, str]]) -> None:
    world.service(1)
    client = Client(world, strict=False)
    bad = client.ask(more=fields)
    good = client.ask()
    await answered(world, client, 1)
    assert client.reset(bad) == Code.PROTOCOL_ERROR
    assert client.status(good) == 200


async def test_a_body_of_another_length_is_a_fault(world: World) -> None:
    world.service(1)
    client = Client(world, strict=False)
    short = client.ask("/", "POST", more=[("content-length", "3")], body=b"ab")
    long = client.ask("/", "POST", more=[("content-length", "3")], body=b"abcd", end=False)
    await settle(world, client)
    assert client.reset(short) == client.reset(long) == Code.PROTOCOL_ERROR


async def test_connect_is_not_supported(world: World) -> None:
    client = Client(world, strict=False)
    stream = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream, [(":method", "CONNECT"), (":authority", HOST)], end_stream=True)
    client.send()
    await settle(world, client)
    assert client.status(stream) == 405


# Bounds


async def test_more_streams_than_allowed_are_refused(world: World) -> None:
    world.service()
    client = Client(world)
    client.hear()
    client.h2.remote_settings.max_concurrent_streams = 1000
    streams = [client.ask() for _ in range(MAX_STREAMS + 1)]
    await settle(world, client)
    assert client.reset(streams[-1]) == Code.REFUSED_STREAM
    assert client.reset(streams[0]) is None
    assert world.router.activators["r"].dispatcher.waiting == MAX_STREAMS


async def test_rapid_reset_ends_the_connection(world: World) -> None:
    world.service()
    client = Client(world)
    for _ in range(1200):
        if client.transport.closing or client.goaway is not None:
            break
        client.h2.reset_stream(client.ask(), error_code=8)
        client.send()
        await world.settle()
        client.events += client.h2.receive_data(client.transport.take())
    assert client.goaway == Code.ENHANCE_YOUR_CALM
    assert world.router.activators["r"].dispatcher.waiting == 0
    await asyncio.sleep(3)
    assert client.transport.closing


async def test_acknowledgements_without_end_end_the_connection(world: World) -> None:
    transport = world.client(frames.PREFACE + frames.settings({}) + frames.SETTINGS_ACK * 1100)
    assert frames.goaway(0, Code.ENHANCE_YOUR_CALM, "too much of it: acknowledgements of SETTINGS") in transport.take()


async def test_a_slow_client_stops_the_instance(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask()
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(100_000))
    client.events += client.h2.receive_data(client.transport.take())
    assert len(client.body(stream)) == 65535
    assert not world.instance(1).reading
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.h2.increment_flow_control_window(1 << 20)
    client.send()
    assert world.instance(1).reading
    world.instance(1).feed(bytes(200_000))
    await settle(world, client)
    assert len(client.body(stream)) == 300_000
    assert client.ended(stream)


async def test_a_connection_that_is_not_read_stops_its_instances(world: World) -> None:
    world.service(1)
    client = Client(world)
    client.ask()
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbegun")
    client.transport.choke()
    assert not world.instance(1).reading
    client.transport.relieve()
    assert world.instance(1).reading


async def test_the_rest_of_an_answer_does_not_wait_for_ever_for_its_client(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask()
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000))
    assert world.router.activators["r"].dispatcher.in_flight == 0, "for the instance it is over"
    await asyncio.sleep(50)
    client.h2.increment_flow_control_window(1000, stream)
    client.h2.increment_flow_control_window(1000)
    client.send()
    await asyncio.sleep(50)
    client.events += client.h2.receive_data(client.transport.take())
    assert client.reset(stream) is None, "there was progress"
    await asyncio.sleep(70)
    client.events += client.h2.receive_data(client.transport.take())
    assert client.reset(stream) == Code.CANCEL


async def test_a_body_waits_for_an_instance_within_its_window(world: World) -> None:
    world.service()
    client = Client(world)
    client.hear()
    stream = client.ask("/", "POST", body=b"", end=False)
    sent = 0
    while client.h2.local_flow_control_window(stream):
        size = min(16384, client.h2.local_flow_control_window(stream))
        client.h2.send_data(stream, bytes(size))
        sent += size
        client.send()
        await settle(world, client)
    assert sent == STREAM_WINDOW
    world.up(1)
    await settle(world, client)
    assert client.h2.local_flow_control_window(stream) > 0, "now it may go on"
    assert len(world.instance(1).take()) > sent


async def test_an_instance_that_takes_the_body_slowly_stops_the_client(world: World) -> None:
    world.service(1)
    client = Client(world)
    stream = client.ask("/", "POST", body=b"", end=False)
    await settle(world, client)
    world.instance(1).choke()
    sent = 0
    while (size := min(16384, client.h2.local_flow_control_window(stream))) > 0:
        client.h2.send_data(stream, bytes(size))
        sent += size
        client.send()
        await settle(world, client)
    assert sent <= STREAM_WINDOW
    world.instance(1).relieve()
    await settle(world, client)
    assert client.h2.local_flow_control_window(stream) > 0


# The life of a connection


async def test_idle_connections_are_closed(world: World) -> None:
    world.service(1)
    client = Client(world)
    client.ask()
    await answered(world, client, 1)
    await asyncio.sleep(600)
    assert not client.transport.closing
    await asyncio.sleep(30)
    client.events += client.h2.receive_data(client.transport.take())
    assert client.goaway == Code.NO_ERROR
    assert client.transport.closing


async def test_who_sends_a_preface_and_nothing_more_is_not_waited_for_long(world: World) -> None:
    transport = world.client(frames.PREFACE)
    await asyncio.sleep(61)
    assert transport.closing


async def test_a_router_that_stops_lets_streams_end_and_takes_no_more(world: World) -> None:
    world.service(1)
    client = Client(world)
    first = client.ask()
    await world.settle()
    for connection in list(world.router.clients):
        connection.stop()
    late = client.ask()
    await world.settle()
    said = client.transport.take()
    assert frames.goaway(first, Code.NO_ERROR) in said
    assert frames.rst_stream(late, Code.REFUSED_STREAM) in said
    assert not client.transport.closing
    world.instance(1).feed(OK)
    await world.settle()
    assert frames.frame(frames.DATA, 0, first, b"hello") in client.transport.take()
    assert client.transport.closing


async def test_each_stream_is_one_request_in_the_log(world: World) -> None:
    world.service(1)
    client = Client(world)
    client.ask("/a", more=[("user-agent", "me")])
    await answered(world, client, 1)
    client.ask("/b")
    await answered(world, client, 1)
    world.router.stats.flush()
    logs = [report for report in world.reports() if type(report).__name__ == "RequestLog"]
    urls = [f"http://{HOST}/{path}".encode() for path in "ab"]
    assert [(log.url, log.status, log.protocol) for log in logs] == [(url, 200, "HTTP/2") for url in urls]


async def test_over_an_error_the_client_gets_to_know_why(world: World) -> None:
    transport = world.client(frames.PREFACE + frames.settings({}) + frames.frame(frames.PING, 0, 0, b"short"))
    assert isinstance(transport, MockTransport)
    assert frames.goaway(0, Code.FRAME_SIZE_ERROR, "PING without 8 bytes") in transport.take()
    assert transport.eof
    await asyncio.sleep(3)
    assert transport.closing
