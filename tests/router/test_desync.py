"""Random variations of requests and answers: another parser (h11) reads whatever gets through as the router does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from homerun.wire.link import InstanceGone
from tests.support.examples import examples
from tests.support.router import GET, OK, World

HOST = b"Host: hello.example\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
REQUESTS = (
    GET,
    b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    b"POST /b HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    b"PUT /c HTTP/1.1\r\n"
    + HOST
    + b"TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: t\r\n\r\n",
    b"GET /d HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
    b"GET http://hello.example/e HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD /f HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n",
)
ANSWERS = (
    OK,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\n\r\n5;x\r\nhello\r\n0\r\nT: t\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello",
)
PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b";",
            b"0",
            b"\x0b",
            b"5",
            b"-",
            b"+",
            b"x",
            b"\x80",
            b'"',
        ),
        *(b"\r\n\r\n", b"\r\n ", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
        *(
            b"Transfer-Encoding: identity\r\n",
            b"Host: evil\r\n",
            b"Expect: 100-continue\r\n",
            b"HTTP/1.0",
            b"0\r\n\r\n",
        ),
    ]
)


@st.composite
def variations(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(PIECES)
    return bytes(data)


def read_requests(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Target and body of each request that is there completely. Raises what h11 raises."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    target, body = b"", b""
    while True:
        event = server.next_event()
        if isinstance(event, h11.Request):
            target, body = event.target, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            yield target, body
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
        else:
            assert event is h11.NEED_DATA, event
            return


async def what_the_instance_gets(data: bytes) -> tuple[list[bytes], int]:
    """On each connection, one after the other; and the requests that have been answered."""
    world = World()
    world.service(1, concurrency=1)
    client = world.client(data)
    got: list[bytes] = []
    answers = 0
    for _ in range(6):
        await world.settle()
        for connection in world.network.connections.get(1, []):
            if message := connection.take():
                got.append(message)
                if not connection.closing:
                    connection.feed(
                        OK.replace(b"hello", b"").replace(b"5", b"0") if message.startswith(b"HEAD") else OK
                    )
                    answers += 1
    client.take()
    await world.close()
    return got, answers


@settings(max_examples=examples(300), derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(variations(REQUESTS), st.sampled_from(REQUESTS))
@example(REQUESTS[4], GET)
def test_an_instance_reads_each_request_as_the_router_did(first: bytes, second: bytes) -> None:
    got, _ = asyncio.run(what_the_instance_gets(first + second))
    for message in got:
        read = list(read_requests(message))
        assert len(read) <= 1, "one request has become two"
        if read:
            target, body = read[0]
            assert target.startswith(b"/") or target == b"*"
            again = b"".join(event_body for _, event_body in read_requests(message + GET))
            assert again == body, "a part of the next request is taken for the body of this one"


async def what_the_client_gets(answer: bytes) -> tuple[bytes, bool]:
    world = World()
    world.service(1)
    client = world.client(GET)
    await world.serve(1, answer)
    for connection in world.open(1):
        if connection not in world.router.instances["i1"].idle:
            # It would have to say more.
            connection.hang_up()
            world.router.apply(InstanceGone("i1"))
            world.up(1)
    await world.settle()
    data, closed = client.take(), client.closing
    if not closed:
        client.feed(GET)
        await world.serve(1)
        data += client.take()
    await world.close()
    return data, closed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=examples(300), derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(variations(ANSWERS))
def test_a_client_reads_each_answer_as_the_router_did(answer: bytes) -> None:
    data, closed = asyncio.run(what_the_client_gets(answer))
    client = h11.Connection(h11.CLIENT)
    client.receive_data(data)
    for last in (False, True):
        if last and closed:
            return
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                # Only where the connection has been cut.
                assert closed
                return
            if isinstance(event, h11.EndOfMessage):
                break
            if isinstance(event, h11.Response) and last:
                assert event.status_code == 200
        if closed:
            assert client.next_event() in (h11.NEED_DATA, h11.PAUSED, h11.ConnectionClosed()), "more than one answer"
            return
        client.start_next_cycle()
