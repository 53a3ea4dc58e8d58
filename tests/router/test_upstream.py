"""Whole conversations with instances."""

from __future__ import annotations

import asyncio
import re

import pytest

from homerun.router.options import Options
from homerun.wire.link import InstanceFailed
from tests.router.test_protocol import POST, body, status
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime

HEAD = GET.replace(b"GET", b"HEAD")
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: t\r\n\r\n"
)


def payload(answer: bytes) -> bytes:
    """The body of an answer in chunks."""
    rest, data = body(answer), b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            assert rest == b"\r\n"
            return data
        data, rest = data + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


async def test_an_answer_in_chunks_is_passed_on_in_chunks(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, CHUNKED)
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert payload(answer) == b"hello world"
    client.feed(GET)
    await world.serve(1)
    assert client.take() == OK
    assert len(world.network.connections[1]) == 1


async def test_trailers_go_to_those_who_want_them(world: World) -> None:
    world.service(1)
    trailing = CHUNKED.replace(b"X: y", b"Trailer: T\r\nX: y").replace(b"T: t", b"T: t\r\nSet-Cookie: a=b")
    client = world.client(GET[:-2] + b"TE: trailers\r\n\r\n")
    assert b"TE: trailers\r\nConnection: TE\r\n" in await world.serve(1, trailing)
    answer = client.take()
    assert b"\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n" in answer
    assert answer.endswith(b" world\r\n0\r\nT: t\r\n\r\n")
    other = world.client(GET)
    await world.serve(1, trailing)
    answer = other.take()
    assert b"Trailer" not in answer and answer.endswith(b" world\r\n0\r\n\r\n")


async def test_chunks_are_streamed_as_they_come(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert client.take().endswith(b"\r\n\r\n")
    for event in (b"one", b"three"):
        world.instance(1).feed(b"%x\r\n%b\r\n" % (len(event), event))
        assert client.take() == b"%x\r\n%b\r\n" % (len(event), event)


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        CHUNKED,
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    ],
    ids=["length", "chunked", "changed", "interim", "empty"],
)
async def test_an_answer_split_anywhere_means_the_same(world: World, answer: bytes) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, answer)
    whole = joined(client.take())
    for at in range(1, len(answer)):
        client.feed(GET)
        await world.settle()
        instance = world.instance(1)
        instance.feed(answer[:at])
        instance.feed(answer[at:])
        assert joined(client.take()) == whole, f"split at {at}"
    assert len(world.network.connections[1]) == 1


def joined(answer: bytes) -> bytes:
    return answer if b"chunked" not in answer else answer.split(b"\r\n\r\n")[0] + payload(answer)


async def test_an_answer_up_to_the_end_of_the_connection_is_passed_on_in_chunks(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhel")
    world.instance(1).feed(b"lo")
    world.instance(1).hang_up()
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert payload(answer) == b"hello"
    assert not client.closing


async def test_a_connection_that_breaks_is_not_the_end_of_an_answer(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.0 200 OK\r\n\r\nhel")
    world.instance(1).hang_up(ConnectionResetError(104, "Connection reset by peer"))
    assert client.aborted
    assert not client.take().endswith(b"0\r\n\r\n")


async def test_the_answer_to_head_has_no_body_whatever_its_length_says(world: World) -> None:
    world.service(1)
    client = world.client(HEAD)
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    client.feed(GET)
    await world.serve(1)
    assert client.take() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + OK


@pytest.mark.parametrize("code", [b"204 No Content", b"304 Not Modified"])
async def test_some_answers_have_no_body(world: World, code: bytes) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % code)
    client.feed(GET)
    await world.serve(1)
    first, _, rest = client.take().partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 " + code)
    assert rest == OK


async def test_what_an_instance_says_about_its_connection_is_not_for_the_client(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    answer = OK.replace(
        b"\r\n\r\n", b"\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX: y\r\n\r\n"
    )
    await world.serve(1, answer)
    assert client.take() == OK.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n")


async def test_an_instance_that_closes_does_not_close_the_client(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert client.take() == OK
    assert not client.closing
    assert not world.open(1)


async def test_an_answer_that_sets_a_cookie_is_private(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    answer = (
        b"HTTP/1.1 200 OK\r\nCache-Control: public\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\n\r\n"
    )
    await world.serve(1, answer)
    assert client.take() == (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\nCache-Control: private\r\n\r\n"
    )


async def test_early_hints_are_passed_on_and_100_is_not(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert client.take() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    world.instance(1).feed(OK)
    assert client.take() == OK


async def test_an_instance_cannot_go_on_with_interim_answers_for_ever(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000)
    assert status(client.take().rpartition(b"Early Hints\r\n\r\n")[2]) == 503
    assert world.instance(1).aborted


async def test_an_answer_over_the_limit_gets_500_unless_it_is_streamed() -> None:
    world = World(Options(response_limit=1000))
    world.service(1)
    for plain in (b"", b"Connection: close\r\n"):
        client = world.client(GET)
        await world.serve(1, b"HTTP/1.1 206 Partial Content\r\n%bContent-Length: 1001\r\n\r\n" % plain)
        answer = client.take()
        assert status(answer) == 500 and b"has 1001 bytes, more than the limit of 1000" in answer
        assert not world.open(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001)
    world.instance(1).hang_up()
    assert payload(client.take()) == b"x" * 1001
    await world.close()


async def test_an_answer_that_comes_before_the_whole_request_is_an_answer(world: World) -> None:
    world.service(1)
    client = world.client(POST[:-5])
    await world.serve(1, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    assert status(client.take()) == 403
    # The rest of the body goes nowhere, and the next request is one.
    assert not world.open(1)
    client.feed(POST[-5:] + GET)
    await world.serve(1)
    assert client.take() == OK


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xc2\xb2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
    ],
)
async def test_what_is_no_http_gets_503_and_says_so(world: World, answer: bytes) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, answer)
    said = client.take()
    if b"zz" in answer:
        assert said.endswith(b"chunked\r\n\r\n") or status(said) == 503
    else:
        assert status(said) == 503
        assert b"malformed or connection to the instance had an error" in said
    assert not world.open(1)
    assert b"InstanceFailed" not in repr(world.reports()).encode()


async def test_more_than_was_announced_is_not_passed_on(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, OK + b"HTTP/1.1 200 OK\r\n")
    assert client.take() == OK
    assert not world.open(1)


async def test_an_instance_that_speaks_without_being_asked_is_hung_up_on(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    world.instance(1).feed(OK)
    await world.settle()
    assert not world.open(1)
    assert client.take() == OK


# Crashes


async def test_a_crash_before_the_answer_gets_503(world: World) -> None:
    world.service(1)
    client = world.client(POST)
    await world.settle()
    world.instance(1).hang_up()
    await asyncio.sleep(0.6)
    answer = client.take()
    assert status(answer) == 503
    assert b"The request failed because either the HTTP response was malformed" in answer
    assert b"closed the connection without an answer" in answer
    assert not client.closing


async def test_a_crash_in_the_middle_of_an_answer_cuts_it(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    world.instance(1).hang_up()
    assert client.aborted


async def test_a_crash_in_the_middle_of_chunks_cuts_them_without_an_end(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, CHUNKED[:-10])
    world.instance(1).hang_up()
    assert client.aborted
    assert not client.take().endswith(b"0\r\n\r\n")


async def test_a_connection_closed_while_idle_is_not_used(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    world.instance(1).hang_up()
    client.feed(GET)
    await world.serve(1)
    assert client.take() == OK + OK


async def test_a_connection_closed_at_the_moment_of_its_next_use_costs_nobody_a_request(world: World) -> None:
    world.service(1, concurrency=1)
    client = world.client(GET)
    await world.serve(1)
    client.feed(GET)
    world.instance(1).hang_up(ConnectionResetError(104, "Connection reset by peer"))
    await world.serve(1)
    assert client.take() == OK + OK
    assert len(world.network.connections[1]) == 2


async def test_what_must_not_be_done_twice_is_not_sent_twice(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    client.feed(POST)
    world.instance(1).hang_up()
    await asyncio.sleep(0.6)
    assert status(client.take()[len(OK) :]) == 503
    assert len(world.network.connections[1]) == 1


async def test_what_must_not_be_done_twice_does_not_go_over_a_connection_that_has_been_idle(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    await asyncio.sleep(1.5)
    client.feed(POST)
    await world.serve(1)
    assert client.take() == OK + OK
    assert len(world.network.connections[1]) == 2
    assert world.network.connections[1][0].closing


async def test_an_idle_connection_to_an_instance_is_closed_after_a_while(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    await asyncio.sleep(Options().instance_idle_timeout - 10)
    client.feed(GET)
    await world.serve(1)
    await asyncio.sleep(Options().instance_idle_timeout - 1)
    assert world.open(1)
    await asyncio.sleep(3)
    assert not world.open(1)


# Connecting


async def test_a_refused_connection_sends_the_request_to_another_instance(world: World) -> None:
    world.service(1, 2)
    world.network.refused.add(2)
    client = world.client(GET)
    await world.serve(1)
    assert client.take() == OK
    failed = [message for message in world.reports() if isinstance(message, InstanceFailed)]
    assert failed == [InstanceFailed("i2", "connecting to 10.0.0.1:2 failed: Connection refused")]


async def test_an_instance_that_refused_is_not_tried_again_until_it_is_up(world: World) -> None:
    world.service(1)
    world.network.refused.add(1)
    client = world.client(GET)
    await world.settle()
    world.network.refused.clear()
    assert client.take() == b""
    world.up(1)
    await world.serve(1)
    assert client.take() == OK


async def test_a_body_is_not_lost_when_the_connection_is_refused(world: World) -> None:
    world.service(1)
    world.network.refused.add(1)
    client = world.client(POST)
    await world.settle()
    world.up(2)
    assert body(await world.serve(2)) == b"0123456789"
    assert client.take() == OK


async def test_an_instance_that_cannot_be_reached_in_time_has_failed(world: World) -> None:
    world.service(1)
    world.network.silent.add(1)
    client = world.client(GET)
    await asyncio.sleep(Options().connect_timeout + 0.5)
    assert any(isinstance(message, InstanceFailed) for message in world.reports())
    world.up(2)
    await world.serve(2)
    assert client.take() == OK


async def test_never_more_connections_in_use_than_slots(world: World) -> None:
    world.service(1, concurrency=3)
    clients = [world.client(GET) for _ in range(10)]
    served = 0
    while served < 10:
        await world.settle()
        busy = [connection for connection in world.open(1) if connection.written]
        assert 1 <= len(busy) <= 3
        connection = busy[0]
        assert connection.take().count(b"GET / ") == 1
        connection.feed(OK)
        served += 1
    assert [client.take() for client in clients] == [OK] * 10


async def test_two_slow_ends_still_pass_everything_on(world: World) -> None:
    """Both sides refuse to read every other moment; every byte arrives, in order, and nothing piles up."""
    world.service(1)
    data = bytes(range(256)) * 40
    client = world.client(b"PUT / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: %d\r\n\r\n" % len(data))
    await world.settle()
    instance = world.instance(1)
    got = bytearray()
    for at in range(0, len(data), 512):
        if at % 1024:
            instance.choke()
            client.feed(data[at : at + 512])
            assert not client.reading
            instance.relieve()
        else:
            client.feed(data[at : at + 512])
        got += instance.take()
    assert body(bytes(got)) == data
    instance.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    answer = bytearray()
    for at in range(0, len(data), 512):
        if at % 1024:
            client.choke()
            assert not instance.reading
        instance.feed(b"200\r\n%b\r\n" % data[at : at + 512])
        if at % 1024:
            assert instance.unread > 512
            client.relieve()
        answer += client.take()
    instance.feed(b"0\r\n\r\n")
    answer += client.take()
    assert payload(bytes(answer)) == data


def test_a_connection_says_what_it_is_doing() -> None:
    async def describe() -> str:
        world = World()
        world.service(1)
        world.client(GET)
        await world.settle()
        said = repr(world.instance(1).protocol)
        await world.close()
        return said

    assert re.fullmatch("<InstanceConnection i1 head>", asyncio.run(describe()))
