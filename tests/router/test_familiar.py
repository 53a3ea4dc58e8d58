"""Requests that come in one piece are read without the parser once their headers are known, and read the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.router.familiar import first_line, memorable
from homerun.router.headers import RequestHead
from homerun.router.options import Options
from tests.router.test_protocol import body, status
from tests.router.test_smuggling import REFUSED, UNDERSTOOD, conversation
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime

POST = b"POST /a HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 5\r\nX: y\r\n\r\n"


def parsed(world: World) -> bool:
    """Whether the only client's bytes went through a parser."""
    (client,) = world.router.clients
    found = client._parser is not None  # type: ignore[union-attr]
    client.transport.abort()
    return found


async def ask(world: World, request: bytes) -> bytes:
    """What the instance gets of it, but for the trace."""
    client = world.client(request)
    got = await world.serve(1)
    assert client.take() == OK
    return re.sub(rb"(?m)^(X-Cloud-Trace-Context|traceparent): .*\r\n", b"", got)


@pytest.mark.parametrize(
    "request_",
    [
        GET,
        POST + b"hello",
        GET.replace(b"Host", b"Connection: keep-alive\r\nX-Forwarded-For: 1.2.3.4\r\nTE: trailers\r\nhost"),
        GET.replace(b"Host", b"Content-Length: 0\r\nX-Hop: 1\r\nConnection: x-hop\r\nHost"),
    ],
)
async def test_the_third_time_no_parser_is_asked_and_the_instance_gets_the_same(world: World, request_: bytes) -> None:
    world.service(1)
    first = await ask(world, request_)
    assert parsed(world)
    assert await ask(world, request_) == first
    assert parsed(world)
    assert await ask(world, request_) == first
    assert not parsed(world)


async def test_only_the_headers_have_to_be_the_same(world: World) -> None:
    world.service(1)
    for target in (b"/", b"/a?b=c", b"/%20~"):
        got = await ask(world, GET.replace(b"/ ", target + b" ", 1))
        assert got.startswith(b"GET %b HTTP/1.1\r\n" % target)
    for method in (b"HEAD", b"DELETE"):
        client = world.client(GET.replace(b"GET", method))
        assert (await world.serve(1)).startswith(method + b" / ")
        assert client.take().startswith(b"HTTP/1.1 200 OK")
        world.router.clients.discard(client.protocol)  # type: ignore[arg-type]
        assert client.protocol._parser is None  # type: ignore[attr-defined]
        client.abort()


async def test_a_body_is_passed_on_however_it_comes(world: World) -> None:
    world.service(1)
    for pieces in ([b"hello"], [b"hello"], [b"world"], [b"", b"piece"], [b"he", b"llo"]):
        client = world.client(POST + pieces[0])
        for piece in pieces[1:]:
            client.feed(piece)
        await world.settle()
        assert body(await world.serve(1)) == b"".join(pieces)
        assert client.take() == OK


async def test_requests_behind_each_other_are_all_seen(world: World) -> None:
    world.service(1, concurrency=80)
    await ask(world, GET)
    await ask(world, GET)
    for together in (GET + GET, GET + POST + b"hello" + GET):
        client = world.client(together)
        for _ in range(together.count(b"HTTP/1.1")):
            await world.serve(1)
        assert client.take().count(b"200 OK") == together.count(b"HTTP/1.1")


async def test_a_request_behind_one_without_headers_is_not_taken_for_its_headers(world: World) -> None:
    world.service(1)
    for _ in range(4):
        client = world.client(b"GET / HTTP/1.1\r\n\r\n" + GET)
        assert status(client.take()) == 400
    assert not world.router.familiar.known


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: close",
        b"Transfer-Encoding: chunked",
        b"Connection: upgrade\r\nUpgrade: a",
        b"Expect: 100-continue",
    ],
)
async def test_what_changes_how_it_is_read_is_not_remembered(world: World, line: bytes) -> None:
    world.service(1)
    for _ in range(4):
        client = world.client(GET.replace(b"Host", line + b"\r\nHost"))
        client.abort()
    assert not world.router.familiar.known


async def test_nor_is_what_is_refused(world: World) -> None:
    world.service(1)
    for _ in range(4):
        world.client(GET.replace(b"Host", b"Host: a\r\nHost")).abort()
        world.client(GET.replace(b"Host", b"Content-Length: 99999999999\r\nHost")).abort()
    assert not world.router.familiar.known


async def test_a_body_too_large_is_refused_though_its_headers_were_fine_elsewhere() -> None:
    world = World(Options(request_limit=4))
    world.service(1)
    for _ in range(4):
        assert status(world.client(POST + b"hello").take()) == 413
    assert not world.router.familiar.known
    await world.close()


@pytest.mark.parametrize(
    "line",
    [
        b"get / HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET /a b HTTP/1.1\r\n",
        b"GET /\xe9 HTTP/1.1\r\n",
        b"GET /a#b HTTP/1.1\r\n",
        b"GET http://hello.example/ HTTP/1.1\r\n",
        b"GET * HTTP/1.1\r\n",
        b"CONNECT /a HTTP/1.1\r\n",
        b"PRI /a HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"GET /\t HTTP/1.1\r\n",
        b"GET /\x7f HTTP/1.1\r\n",
    ],
)
def test_first_lines_that_leave_doubt_are_left_to_the_parser(line: bytes) -> None:
    assert first_line(line) is None


def test_heads_that_say_how_they_are_read_are_not_memorable() -> None:
    head = RequestHead()
    assert memorable(head)
    head.others = {b"connection": b"keep-alive"}
    assert memorable(head)
    head.others = {b"upgrade": b"websocket"}
    assert not memorable(head)


@pytest.mark.parametrize("data", [case for case, _ in (*UNDERSTOOD.values(), *REFUSED.values())])
async def test_whatever_comes_is_read_as_if_it_were_the_first_time(world: World, data: bytes) -> None:
    """The cases of test_smuggling.py, on routers that have heard all of them before, and in one piece each."""
    first = await conversation(world, data)
    for _ in range(3):
        again = World()
        again.router.familiar = world.router.familiar
        assert await conversation(again, data) == first
        await again.close()


WORD = st.sampled_from([b"", b"a", b"5", b"0", b"close", b"keep-alive", b"chunked", b"hello.example", b" x ", b"a,b"])
NAME = st.sampled_from(
    [b"Host", b"Connection", b"Content-Length", b"Transfer-Encoding", b"X-A", b"TE", b"Expect", b"Upgrade", b"A B"]
)
LINE = st.builds(lambda name, value: name + b":" + value + b"\r\n", NAME, WORD)


@given(
    method=st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"BREW"]),
    target=st.sampled_from([b"/", b"/a?b#c", b"*", b"/ x", b"http://hello.example/", b"//"]),
    lines=st.lists(LINE, max_size=4),
    rest=st.sampled_from([b"", b"hello", b"h", b"\r\n", GET]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_in_one_piece_or_in_two_requests_mean_the_same(
    method: bytes, target: bytes, lines: list[bytes], rest: bytes
) -> None:
    """What comes in two pieces always goes through the parser."""
    data = b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method, target, GET.split(b"\r\n")[1] + b"\r\n", b"".join(lines), rest)
    world = World()
    world.service(1, concurrency=80)
    heard = []
    for pieces in ([data[:3], data[3:]], [data], [data], [data]):
        transport = world.client()
        for piece in pieces:
            transport.feed(piece)
        got = []
        for _ in range(3):
            await world.settle()
            for connection in world.open(1):
                if message := connection.take():
                    got.append(re.sub(rb"(?m)^(X-Cloud-Trace-Context|traceparent): .*\r\n", b"", message))
                    connection.feed(OK)
        heard.append((got, transport.take(), transport.eof, transport.closing))
        transport.abort()
        await world.settle()
    assert heard[1:] == heard[:1] * 3
    await world.close()
