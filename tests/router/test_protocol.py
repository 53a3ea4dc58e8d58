"""Whole conversations of clients."""

from __future__ import annotations

import asyncio
import re

import pytest

from homerun.router.options import Options
from homerun.router.protocol import ClientConnection
from tests.support.router import GET, OK, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime

POST = b"POST /form HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = (
    b"POST /form HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
)


def body(message: bytes) -> bytes:
    return message.split(b"\r\n\r\n", 1)[1]


def status(answer: bytes) -> int:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert match is not None, answer
    return int(match[1])


def steady(request: bytes) -> bytes:
    """Without what differs from one request to the next."""
    return re.sub(rb"(?m)^(X-Cloud-Trace-Context|traceparent): .*\r\n", b"", request)


async def test_a_request_reaches_the_instance_and_the_answer_the_client(world: World) -> None:
    world.service(1)
    client = world.client(b"GET /path?q=1 HTTP/1.1\r\nHost: Hello.Example:8080\r\nX-Mine: yes\r\n\r\n")
    request = await world.serve(1)
    assert request.startswith(b"GET /path?q=1 HTTP/1.1\r\nHost: Hello.Example:8080\r\nX-Mine: yes\r\n")
    assert client.take() == OK
    assert not client.closing


async def test_the_next_request_uses_the_same_connections(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    client.feed(GET)
    await world.serve(1)
    assert client.take() == OK + OK
    assert len(world.network.connections[1]) == 1


async def test_a_connection_used_a_moment_ago_is_sent_the_request_at_once(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    client.feed(GET)
    assert world.instance(1).take().startswith(b"GET / ")


async def test_pipelined_requests_are_answered_one_by_one_in_order(world: World) -> None:
    world.service(1, concurrency=80)
    client = world.client(GET.replace(b"/ ", b"/1 ") + POST + GET.replace(b"/ ", b"/3 "))
    assert not client.reading
    seen = []
    for number in b"123":
        request = await world.serve(1, OK.replace(b"hello", b"hell%c" % number))
        seen.append((request.split(b" ")[1], body(request)))
    assert seen == [(b"/1", b""), (b"/form", b"0123456789"), (b"/3", b"")]
    assert re.findall(rb"hell(\d)", client.take()) == [b"1", b"2", b"3"]
    assert client.reading


async def test_a_body_of_known_length_is_passed_on(world: World) -> None:
    world.service(1)
    client = world.client(POST)
    request = await world.serve(1)
    assert b"Content-Length: 10\r\n" in request
    assert body(request) == b"0123456789"
    assert client.take() == OK


async def test_a_body_is_streamed_as_it_comes(world: World) -> None:
    world.service(1)
    client = world.client(POST[:-8])
    await world.settle()
    assert body(world.instance(1).take()) == b"01"
    client.feed(b"234")
    assert world.instance(1).take() == b"234"
    client.feed(b"56789")
    assert world.instance(1).take() == b"56789"
    world.instance(1).feed(OK)
    assert client.take() == OK
    client.feed(GET)
    assert world.instance(1).take().startswith(b"GET")


async def test_a_chunked_body_is_passed_on_in_chunks(world: World) -> None:
    world.service(1)
    client = world.client(CHUNKED)
    request = await world.serve(1)
    assert b"Transfer-Encoding: chunked\r\n" in request
    assert body(request) == b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert client.take() == OK


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKED], ids=["GET", "POST", "chunked"])
async def test_a_request_split_anywhere_means_the_same(world: World, request_bytes: bytes) -> None:
    world.service(1)
    world.client(request_bytes)
    whole = dechunked(steady(await world.serve(1)))
    for at in range(1, len(request_bytes)):
        client = world.client(request_bytes[:at])
        await world.settle()
        client.feed(request_bytes[at:])
        assert dechunked(steady(await world.serve(1))) == whole, f"split at {at}"
        assert client.take() == OK
        client.hang_up()


async def test_a_request_that_comes_byte_by_byte_means_the_same(world: World) -> None:
    world.service(1)
    client = world.client()
    for byte in CHUNKED:
        client.feed(bytes([byte]))
    request = await world.serve(1)
    assert dechunked(request).endswith(b"\r\n\r\nhello world")


def dechunked(request: bytes) -> bytes:
    if b"Transfer-Encoding: chunked" not in request:
        return request
    head, rest = request.split(b"\r\n\r\n", 1)
    data = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            assert rest == b"\r\n"
            return head + b"\r\n\r\n" + data
        data, rest = data + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


# Persistence


async def test_a_client_that_asks_for_it_is_hung_up_on_after_the_answer(world: World) -> None:
    world.service(1)
    client = world.client(b"GET / HTTP/1.1\r\nHost: hello.example\r\nConnection: close\r\n\r\n")
    request = await world.serve(1)
    assert b"Connection" not in request
    assert b"\r\nConnection: close\r\n" in client.take()
    assert client.closing
    # The connection to the instance is not the client's.
    assert world.open(1)


async def test_http_1_0_is_closed_after_the_answer(world: World) -> None:
    world.service(1)
    client = world.client(b"GET / HTTP/1.0\r\nHost: hello.example\r\n\r\n")
    request = await world.serve(1)
    assert request.startswith(b"GET / HTTP/1.1\r\n")
    assert client.take().endswith(b"hello")
    assert client.closing


async def test_http_1_0_with_keep_alive_stays_open_and_is_told_so(world: World) -> None:
    world.service(1)
    client = world.client(b"GET / HTTP/1.0\r\nHost: hello.example\r\nConnection: keep-alive\r\n\r\n")
    await world.serve(1)
    assert b"\r\nConnection: keep-alive\r\n" in client.take()
    assert not client.closing


async def test_http_1_0_gets_no_chunks(world: World) -> None:
    world.service(1)
    client = world.client(b"GET / HTTP/1.0\r\nHost: hello.example\r\nConnection: keep-alive\r\n\r\n")
    await world.serve(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    answer = client.take()
    assert b"Transfer-Encoding" not in answer
    assert body(answer) == b"abcde"
    assert client.closing


async def test_an_idle_connection_is_closed_after_a_while(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    await asyncio.sleep(Options().idle_timeout - 1)
    assert not client.closing
    await asyncio.sleep(2)
    assert client.closing


async def test_a_head_that_does_not_end_in_time_is_refused_with_408(world: World) -> None:
    client = world.client(GET[:20])
    for _ in range(12):
        await asyncio.sleep(5.1)
        client.feed(b"A")
    assert status(client.take()) == 408
    assert client.closing


async def test_a_connection_on_which_nothing_comes_is_closed(world: World) -> None:
    client = world.client()
    await asyncio.sleep(Options().header_timeout + 1)
    assert client.closing
    assert client.take() == b""


# Bad input


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: +1\r\n\r\na", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 1_0\r\n\r\na", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/1.0\r\nHost: hello.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : hello.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nA: b\0c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nA: b\rc\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example\r\nB(d: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: hello.example\n\n", 400),
        (b"GET / HTTP/2.0\r\nHost: hello.example\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"BREW / HTTP/1.1\r\nHost: hello.example\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: hello.example\r\n\r\n", 400),
        (b"GET ftp://hello.example/ HTTP/1.1\r\nHost: hello.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: hello.example/x?<>\r\n\r\n", 400),
        (b"CONNECT hello.example:80 HTTP/1.1\r\nHost: hello.example\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 1\r\nExpect: more\r\n\r\n", 417),
    ],
)
async def test_what_is_no_proper_http_is_refused_and_never_reaches_an_instance(
    world: World, request_bytes: bytes, expected: int
) -> None:
    world.service(1)
    client = world.client(request_bytes)
    await world.settle()
    answer = client.take()
    assert status(answer) == expected
    assert 1 not in world.network.connections
    if expected != 400 or b"<>" not in request_bytes:
        assert b"Connection: close" in answer
        await asyncio.sleep(5)
        assert client.closing


async def test_a_wrong_chunk_size_breaks_off_the_request(world: World) -> None:
    world.service(1)
    client = world.client(CHUNKED[: CHUNKED.index(b"6;x=y")] + b"zz\r\n")
    await world.settle()
    assert status(client.take()) == 400
    assert not world.open(1)


async def test_what_follows_a_refused_request_is_not_read_as_another_one(world: World) -> None:
    world.service(1)
    smuggled = b"GET / HTTP/1.1\r\nHost: hello.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + GET
    client = world.client(smuggled)
    client.feed(GET)
    await world.settle()
    assert client.take().count(b"HTTP/1.1 ") == 1
    assert 1 not in world.network.connections


async def test_the_requests_before_a_malformed_one_are_answered_first(world: World) -> None:
    world.service(1)
    client = world.client(GET + b"nonsense\r\n\r\n")
    await world.serve(1)
    answer = client.take()
    assert answer.startswith(OK)
    assert status(answer[len(OK) :]) == 400


async def test_a_head_over_the_limit_gets_431() -> None:
    world = World(Options(head_limit=3000))
    world.service(1)
    at_once = world.client(GET[:-2] + b"A: " + b"x" * 3000 + b"\r\n\r\n")
    assert status(at_once.take()) == 431
    slowly = world.client(GET[:-2] + b"A: ")
    for _ in range(31):
        slowly.feed(b"x" * 100)
    assert status(slowly.take()) == 431
    await world.close()


async def test_a_body_over_the_limit_gets_413_before_it_is_sent() -> None:
    world = World(Options(request_limit=9))
    world.service(1)
    client = world.client(POST[:-10])
    assert status(client.take()) == 413
    assert 1 not in world.network.connections
    await world.close()


async def test_a_chunked_body_that_grows_over_the_limit_gets_413() -> None:
    world = World(Options(request_limit=9))
    world.service(1)
    client = world.client(CHUNKED)
    await world.settle()
    assert status(client.take()) == 413
    assert not world.open(1)
    await world.close()


async def test_the_client_can_read_the_answer_while_it_still_sends() -> None:
    """Closing with unread data would reset the connection and lose the answer."""
    world = World(Options(request_limit=9))
    world.service(1)
    client = world.client(POST[:-10])
    assert client.eof and not client.closing
    client.feed(b"x" * 100_000)
    await asyncio.sleep(Options().linger + 1)
    assert client.closing
    await world.close()


# Expect: 100-continue


async def test_a_client_is_told_to_continue_when_an_instance_has_the_request(world: World) -> None:
    world.service()
    expecting = POST[:-14] + b"\r\nExpect: 100-continue\r\n\r\n"
    client = world.client(expecting)
    await world.settle()
    assert client.take() == b""
    world.up(1)
    await world.settle()
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.feed(b"0123456789")
    request = await world.serve(1)
    assert b"Expect" not in request
    assert body(request) == b"0123456789"
    assert client.take() == OK


async def test_a_refused_expectation_closes_since_the_body_may_or_may_not_follow(world: World) -> None:
    client = world.client(POST[:-14] + b"\r\nExpect: 100-continue\r\n\r\n")
    assert status(client.take()) == 404
    assert client.eof


# Back-pressure


async def test_a_slow_client_slows_the_instance_down(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    instance = world.instance(1)
    instance.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    client.choke()
    assert not instance.reading
    instance.feed(b"def")
    assert client.take().endswith(b"abc")
    client.relieve()
    assert client.take() == b"def"
    client.choke()
    client.relieve()
    instance.feed(b"ghi")
    assert client.take() == b"ghi"


async def test_a_connection_on_which_an_answer_was_slow_is_read_again(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    client.choke()
    world.instance(1).protocol.data_received(OK)
    assert world.instance(1).reading


async def test_a_slow_instance_slows_the_client_down(world: World) -> None:
    world.service(1)
    client = world.client(POST[:-5])
    await world.settle()
    world.instance(1).choke()
    assert not client.reading
    client.feed(POST[-5:])
    assert client.unread == 5
    world.instance(1).relieve()
    assert body(world.instance(1).take()) == b"0123456789"
    assert client.reading


async def test_a_body_that_has_to_wait_for_an_instance_is_read_up_to_a_bound(world: World) -> None:
    world.service()
    client = world.client(b"PUT / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(10):
        client.feed(b"x" * 100_000)
    assert not client.reading
    assert client.unread >= 800_000
    world.up(1)
    request = await world.serve(1)
    assert len(body(request)) == 1_000_000
    assert client.take() == OK


async def test_a_client_that_reads_nothing_gets_no_further_request_served(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.settle()
    client.choke()
    world.instance(1).take()
    world.instance(1).feed(OK)
    client.protocol.data_received(GET)
    await world.settle()
    assert world.instance(1).take() == b""
    client.relieve()
    assert world.instance(1).take().startswith(b"GET")


# Leaving


async def test_a_client_that_leaves_before_the_answer_is_noticed_by_the_instance(world: World) -> None:
    world.service(1, concurrency=1)
    client = world.client(GET)
    await world.settle()
    client.hang_up()
    assert world.instance(1).eof
    # The instance works on: its slot is still taken.
    world.client(GET)
    await world.settle()
    assert len(world.network.connections[1]) == 1
    world.instance(1).hang_up()
    await world.settle()
    assert len(world.network.connections[1]) == 2


async def test_a_client_that_leaves_in_the_middle_of_the_answer_ends_the_stream(world: World) -> None:
    world.service(1, concurrency=1)
    client = world.client(GET)
    await world.settle()
    world.instance(1).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    client.hang_up()
    await world.settle()
    assert world.instance(1).aborted


async def test_a_client_that_leaves_the_queue_is_not_served(world: World) -> None:
    world.service()
    world.client(GET).hang_up()
    world.up(1)
    await world.settle()
    assert 1 not in world.network.connections


async def test_a_client_that_leaves_while_its_instance_is_being_connected_frees_the_slot(world: World) -> None:
    world.service(1, concurrency=1)
    world.network.silent.add(1)
    client = world.client(GET)
    await world.settle()
    client.hang_up()
    world.network.silent.clear()
    await world.settle()
    second = world.client(GET)
    await world.serve(1)
    assert second.take() == OK


# Half-closed


async def test_a_client_that_ends_its_sending_gets_its_answer(world: World) -> None:
    world.service()
    client = world.client(GET)
    client.end()
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await asyncio.sleep(5)
    world.up(1)
    await world.serve(1)
    answer = client.take()
    assert status(answer) == 200 and b"Connection: close\r\n" in answer and body(answer) == b"hello"
    assert client.closing


async def test_pipelined_requests_are_answered_after_the_end_of_sending(world: World) -> None:
    world.service(1)
    client = world.client(GET + POST)
    await world.serve(1)
    assert client.reading
    client.end()
    await world.serve(1)
    assert re.findall(rb"HTTP/1.1 (\d+)", client.take()) == [b"200", b"100", b"200"]
    assert client.closing


async def test_a_client_of_http_1_0_gets_nothing_but_its_answer(world: World) -> None:
    world.service(1)
    client = world.client(GET.replace(b"1.1", b"1.0"))
    client.end()
    await world.serve(1)
    assert client.take().startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.closing


async def test_an_answer_of_known_length_goes_on_after_the_end_of_sending(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
    client.end()
    world.instance(1).feed(b"def")
    assert client.take().endswith(b"abcdef")
    await world.settle()
    assert client.closing and not world.instance(1).aborted


async def test_who_ends_sending_while_a_stream_is_coming_has_left(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    client.end()
    await world.settle()
    assert client.closing and world.instance(1).aborted


@pytest.mark.parametrize("data", [b"", GET[:-2], POST[:-3], CHUNKED[:-9]], ids=["idle", "head", "body", "chunks"])
async def test_who_ends_sending_in_the_middle_of_a_request_has_left(world: World, data: bytes) -> None:
    world.service(1)
    client = world.client(data)
    await world.settle()
    client.end()
    await world.settle()
    assert client.closing and not client.take()


# Trailers


async def test_trailers_of_a_request_follow_its_body(world: World) -> None:
    world.service(1)
    trailing = CHUNKED.replace(b"Trailer: t\r\n", b"Digest: abc\r\nAuthorization: x\r\nHost: y\r\nTE: z\r\n")
    client = world.client(trailing)
    request = await world.serve(1)
    assert body(request) == b"5\r\nhello\r\n6\r\n world\r\n0\r\nDigest: abc\r\n\r\n"
    assert client.take() == OK


async def test_trailers_of_a_request_in_line_are_no_headers_of_it(world: World) -> None:
    world.service(1)
    client = world.client(GET + CHUNKED.replace(b"Trailer: t", b"X-Admin: yes"))
    await world.serve(1)
    request = await world.serve(1)
    head, _, rest = request.partition(b"\r\n\r\n")
    assert b"X-Admin" not in head and rest.endswith(b"0\r\nX-Admin: yes\r\n\r\n")
    assert client.take() == OK + OK


@pytest.mark.parametrize("rest", [b"0\r\nA: ", b"5;"], ids=["trailer", "extension"])
async def test_what_is_no_body_between_chunks_is_bounded(rest: bytes) -> None:
    world = World(Options(head_limit=3000))
    world.service(1)
    client = world.client(CHUNKED[: CHUNKED.index(b"5\r\nhello")] + rest)
    for _ in range(40):
        client.feed(b"x" * 100)
    assert status(client.take()) == 431
    await world.close()


async def test_a_body_in_chunks_of_one_byte_is_fine() -> None:
    world = World(Options(head_limit=3000))
    world.service(1)
    client = world.client(CHUNKED[: CHUNKED.index(b"5\r\nhello")])
    for _ in range(2000):
        client.feed(b"1\r\nx\r\n")
    client.feed(b"0\r\n\r\n")
    await world.serve(1)
    assert client.take() == OK
    await world.close()


# Limits


async def test_more_headers_than_the_limit_get_431() -> None:
    world = World(Options(header_count=400))
    world.service(1)
    for count, expected in ((399, 200), (401, 431)):
        client = world.client(GET[:-2] + b"A: b\r\n" * count + b"\r\n")
        if expected == 200:
            await world.serve(1)
        assert status(client.take()) == expected
    await world.close()


async def test_one_connection_too_many_is_turned_away_and_the_others_are_not_harmed() -> None:
    world = World(Options(max_connections=2))
    world.service(1)
    inside = [world.client(), world.client()]
    outside = world.client(GET)
    answer = outside.take()
    assert status(answer) == 503 and b"Retry-After: 1\r\n" in answer and b"Connection: close" in answer
    assert outside.eof and not outside.closing
    # Even of these there can be too many.
    assert world.client().aborted
    for client in inside:
        client.feed(GET)
        await world.serve(1)
        assert client.take() == OK
    # Those who are being turned away take nobody's place.
    inside.pop().hang_up()
    again = world.client(GET)
    await world.serve(1)
    assert again.take() == OK
    await asyncio.sleep(Options().linger + 1)
    assert outside.closing and not world.router.turned_away
    await world.close()


async def test_a_client_that_never_reads_is_cut_off_in_the_end(world: World) -> None:
    class Stuck(MockTransport):
        def close(self) -> None:
            """Waits until all is written."""
            self.stuck = True

        def is_closing(self) -> bool:
            return hasattr(self, "stuck")

    world.service(1)
    client = Stuck(ClientConnection(world.router))
    client.feed(GET)
    await world.serve(1)
    client.choke()
    await asyncio.sleep(Options().idle_timeout + Options().linger + 1)
    assert client.aborted
    client.closing = False
    client.hang_up()


async def test_after_an_early_answer_the_rest_of_the_body_is_no_request(world: World) -> None:
    world.service(1)
    client = world.client(POST[:-10])
    await world.serve(1)
    assert client.take() == OK
    client.feed(b"GET / HTTP" + GET)
    await world.serve(1)
    assert client.take() == OK


async def test_after_an_early_answer_nonsense_ends_the_connection_without_a_word(world: World) -> None:
    world.service(1)
    client = world.client(CHUNKED[: CHUNKED.index(b"6;x=y")])
    await world.serve(1)
    assert client.take() == OK
    client.feed(b"nonsense\r\n")
    assert client.take() == b"" and client.eof


# Switching protocols

UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: hello.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: x\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def test_after_switching_protocols_bytes_go_both_ways(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE + b"early")
    request = await world.serve(1, SWITCHED + b"welcome")
    assert b"Connection: upgrade\r\nUpgrade: websocket\r\n" in request
    answer = client.take()
    assert status(answer) == 101
    assert b"Upgrade: websocket\r\n" in answer and answer.endswith(b"\r\n\r\nwelcome")
    assert world.instance(1).take() == b"early"
    client.feed(b"ping")
    assert world.instance(1).take() == b"ping"
    world.instance(1).feed(b"pong")
    assert client.take() == b"pong"
    world.instance(1).hang_up()
    await world.settle()
    assert client.closing


async def test_a_client_that_ends_the_tunnel_ends_it_for_the_instance(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE)
    await world.serve(1, SWITCHED)
    client.hang_up()
    await world.settle()
    assert world.instance(1).closing


async def test_a_client_that_sends_no_more_through_the_tunnel_can_still_hear(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE)
    await world.serve(1, SWITCHED)
    client.end()
    assert world.instance(1).eof and not client.closing
    world.instance(1).feed(b"bye")
    assert client.take().endswith(b"bye")
    world.instance(1).hang_up()
    await world.settle()
    assert client.closing


async def test_a_tunnel_counts_as_one_request_and_ends_at_the_timeout(world: World) -> None:
    world.service(1, timeout=60)
    client = world.client(UPGRADE)
    await world.serve(1, SWITCHED)
    await asyncio.sleep(59)
    assert not client.closing
    await asyncio.sleep(2)
    assert client.closing and world.instance(1).closing


async def test_an_instance_that_does_not_switch_answers_as_usual(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE + GET)
    await world.serve(1)
    await world.serve(1)
    assert client.take() == OK + OK


async def test_switching_to_h2c_is_not_offered_to_instances(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE.replace(b"websocket", b"h2c"))
    request = await world.serve(1)
    assert b"pgrade" not in request
    client.feed(GET)
    await world.serve(1)
    assert client.take() == OK + OK


# Timeouts


async def test_a_request_that_takes_too_long_gets_504_and_its_slot_stays_taken(world: World) -> None:
    world.service(1, concurrency=1, timeout=30)
    client = world.client(GET)
    await asyncio.sleep(29)
    assert client.take() == b""
    await asyncio.sleep(1.2)
    answer = client.take()
    assert status(answer) == 504
    assert body(answer) == b"upstream request timeout\n"
    assert not client.closing
    client.feed(GET)
    await world.settle()
    assert len(world.network.connections[1]) == 1
    world.instance(1).feed(OK)
    await world.settle()
    await world.serve(1)
    assert client.take() == OK


async def test_an_instance_that_never_answers_gets_its_slot_back_in_the_end(world: World) -> None:
    world.service(1, concurrency=1, timeout=30)
    world.client(GET)
    await asyncio.sleep(30.2)
    assert world.open(1)
    await asyncio.sleep(30.2)
    assert not world.open(1)


async def test_an_answer_that_takes_too_long_is_cut(world: World) -> None:
    world.service(1, timeout=30)
    client = world.client(GET)
    await world.settle()
    world.instance(1).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await asyncio.sleep(31)
    assert client.aborted and world.instance(1).aborted


async def test_an_hour_is_an_hour_whatever_the_idle_timeouts_are(world: World) -> None:
    world.service(1, timeout=3600)
    client = world.client(GET)
    await asyncio.sleep(3599)
    assert not client.closing and world.open(1)
    await asyncio.sleep(1.2)
    assert status(client.take()) == 504


async def test_a_body_that_comes_slowly_has_the_time_of_its_request(world: World) -> None:
    world.service(1, timeout=30)
    client = world.client(POST[:-10])
    for _ in range(6):
        await asyncio.sleep(5.1)
        client.feed(b"x")
    assert status(client.take()) == 504
    assert world.instance(1).eof


async def test_a_later_request_has_its_own_time(world: World) -> None:
    world.service(1, timeout=30)
    client = world.client(GET)
    await asyncio.sleep(20)
    await world.serve(1)
    client.feed(GET)
    await asyncio.sleep(29)
    assert client.take() == OK
    await world.serve(1)
    assert client.take() == OK


def test_a_connection_says_what_it_is_doing() -> None:
    async def describe() -> str:
        world = World()
        world.service()
        client = world.client(GET)
        said = repr(client.protocol)
        await world.close()
        return said

    assert (
        asyncio.run(describe()) == "<ClientConnection 192.0.2.7 <Exchange GET / unanswered by no instance>, 0 in line>"
    )


async def test_many_connections_do_not_disturb_each_other(world: World) -> None:
    world.service(1, 2, 3, concurrency=80)
    clients: list[MockTransport] = [world.client(GET.replace(b"/ ", b"/%d " % n)) for n in range(60)]
    await world.settle()
    for port in (1, 2, 3):
        for connection in world.open(port):
            path = connection.take().split(b" ")[1][1:]
            connection.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))
    assert [int(body(client.take())) for client in clients] == list(range(60))
