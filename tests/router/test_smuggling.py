"""Requests and answers on whose boundaries two programs might disagree: each is refused, or what the other side gets is
the one thing that it can mean.

A follow-up request comes right behind each case. Were the router and an instance of two minds about where a request
ends, a part of it would be taken for a request, or a request for a part of something.
"""

from __future__ import annotations

import re

import pytest

from tests.router.test_protocol import SWITCHED, UPGRADE, status
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime

HOST = b"Host: hello.example\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
ONE_CHUNK = b"5\r\nhello\r\n0\r\n\r\n"


def post(*lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST / HTTP/%b\r\n%b%b\r\n%b" % (version, HOST, b"".join(line + b"\r\n" for line in lines), body)


def get(*lines: bytes, target: bytes = b"/", host: bytes = HOST) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (target, host, b"".join(line + b"\r\n" for line in lines))


def length(value: bytes, body: bytes = b"hello") -> bytes:
    return post(b"Content-Length: " + value, body=body)


def coding(*lines: bytes, body: bytes = ONE_CHUNK) -> bytes:
    return post(*lines, body=body)


async def conversation(world: World, data: bytes) -> tuple[list[bytes], list[int]]:
    """The messages that the instance gets, without what the router adds to all of them, and the answers' status."""
    world.service(1, concurrency=80)
    client = world.client(data)
    got: list[bytes] = []
    for _ in range(5):
        await world.settle()
        for connection in world.open(1):
            if message := connection.take():
                got.append(
                    re.sub(rb"(?m)^(X-Cloud-Trace-Context|traceparent|X-Forwarded-\w+|Forwarded): .*\r\n", b"", message)
                )
                connection.feed(OK)
    return got, [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+)", client.take())]


# Requests

ASK_CHUNKED = post(CHUNKED, body=ONE_CHUNK)
ASK_LENGTH = post(b"Content-Length: 5", body=b"hello")
ASK = get()

UNDERSTOOD = {
    "a length": (length(b"5"), ASK_LENGTH),
    "a length with zeros": (length(b"0005"), ASK_LENGTH),
    "a length and spaces": (length(b" \t5 \t"), ASK_LENGTH),
    "a length of nothing": (post(b"Content-Length: 0"), post(b"Content-Length: 0")),
    "a GET with a body": (get(b"Content-Length: 5") + b"hello", get(b"Content-Length: 5") + b"hello"),
    "a length named by Connection": (
        post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
        ASK_LENGTH,
    ),
    "chunks": (coding(CHUNKED), ASK_CHUNKED),
    "chunks in capitals": (coding(b"TRANSFER-ENCODING: CHUNKED"), ASK_CHUNKED),
    "chunks after a tab": (coding(b"Transfer-Encoding:\tchunked"), ASK_CHUNKED),
    "chunks without a space": (coding(b"Transfer-Encoding:chunked"), ASK_CHUNKED),
    "chunks and a space": (coding(b"Transfer-Encoding: chunked "), ASK_CHUNKED),
    "chunks named by Connection": (coding(b"Connection: Transfer-Encoding", CHUNKED), ASK_CHUNKED),
    "chunks with an extension": (coding(CHUNKED, body=b'5;a="b;c"\r\nhello\r\n0;x\r\n\r\n'), ASK_CHUNKED),
    "chunk sizes with zeros": (coding(CHUNKED, body=b"0005\r\nhello\r\n000\r\n\r\n"), ASK_CHUNKED),
    "trailers": (
        coding(CHUNKED, body=b"5\r\nhello\r\n0\r\nDigest: x\r\nHost: evil\r\nCookie: a\r\n\r\n"),
        coding(CHUNKED, body=b"5\r\nhello\r\n0\r\nDigest: x\r\n\r\n"),
    ),
    "no coding at all": (
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
    ),
    "another protocol and a body": (
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello"),
        ASK_LENGTH,
    ),
    "another protocol and chunks": (coding(b"Connection: Upgrade", b"Upgrade: h2c", CHUNKED), ASK_CHUNKED),
    "h2c beside another protocol": (
        get(b"Connection: Upgrade", b"Upgrade: h2c, websocket"),
        get(b"Connection: upgrade", b"Upgrade: websocket"),
    ),
    "another protocol of HTTP/1.0": (
        get(b"Connection: Upgrade, keep-alive", b"Upgrade: websocket").replace(b"1.1", b"1.0"),
        ASK,
    ),
    "h2c": (get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), ASK),
    "the absolute form": (get(target=b"http://hello.example/a?b"), get(target=b"/a?b")),
    "the absolute form of nothing": (get(target=b"HTTP://hello.example"), ASK),
    "the absolute form of a query": (get(target=b"http://hello.example?b"), get(target=b"/?b")),
    "the absolute form and another host": (get(target=b"http://hello.example/", host=b"Host: evil.example\r\n"), ASK),
    "empty lines before": (b"\r\n\r\n" + ASK, ASK),
    "two spaces": (ASK.replace(b"GET /", b"GET  /"), ASK),
    "a host and a tab": (get(host=b"Host: hello.example\t\r\n"), ASK),
    "an empty value": (get(b"A:"), get(b"A: ")),
    "an encoded line": (get(target=b"/%0d%0aA:%20b"), get(target=b"/%0d%0aA:%20b")),
    "letters beyond ASCII": (get("A: é".encode()), get("A: é".encode())),
}


@pytest.mark.parametrize(("data", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
async def test_what_has_one_meaning_reaches_the_instance_in_one_form(
    world: World, data: bytes, expected: bytes
) -> None:
    got, codes = await conversation(world, data + NEXT)
    assert got == [expected, NEXT]
    assert codes == [200, 200]


REFUSED = {
    # CL.TE, TE.CL and TE.TE
    "a length and chunks": (post(b"Content-Length: 5", CHUNKED, body=ONE_CHUNK), 400),
    "chunks and a length": (post(CHUNKED, b"Content-Length: 5", body=ONE_CHUNK), 400),
    "a length and a wrong coding": (post(b"Content-Length: 5", b"Transfer-Encoding: xchunked", body=ONE_CHUNK), 400),
    "a length and an empty coding": (post(b"Content-Length: 5", b"Transfer-Encoding:", body=ONE_CHUNK), 400),
    "xchunked": (coding(b"Transfer-Encoding: xchunked"), 501),
    "chunked-x": (coding(b"Transfer-Encoding: chunked-x"), 501),
    "chunked with a parameter": (coding(b"Transfer-Encoding: chunked;q=1"), 501),
    "chunked in quotes": (coding(b'Transfer-Encoding: "chunked"'), 501),
    "chunked after a vertical tab": (coding(b"Transfer-Encoding: \x0bchunked"), 400),
    "chunked before a vertical tab": (coding(b"Transfer-Encoding: chunked\x0b"), 400),
    "chunked before a tab": (coding(b"Transfer-Encoding: chunked\t"), 400),
    "chunked twice": (coding(CHUNKED, CHUNKED), 400),
    "chunked, chunked": (coding(b"Transfer-Encoding: chunked, chunked"), 400),
    "chunked, identity": (coding(b"Transfer-Encoding: chunked, identity"), 400),
    "identity, chunked": (coding(b"Transfer-Encoding: identity, chunked"), 501),
    "identity and chunked": (coding(b"Transfer-Encoding: identity", CHUNKED), 501),
    "chunked and identity": (coding(CHUNKED, b"Transfer-Encoding: identity"), 400),
    "a comma after": (coding(b"Transfer-Encoding: chunked,"), 400),
    "a comma before": (coding(b"Transfer-Encoding: ,chunked"), 501),
    "gzip, chunked": (coding(b"Transfer-Encoding: gzip, chunked"), 501),
    "identity": (coding(b"Transfer-Encoding: identity"), 501),
    "no coding": (coding(b"Transfer-Encoding:"), 400),
    "a space before the colon": (coding(b"Transfer-Encoding : chunked"), 400),
    "a folded coding": (coding(b"Transfer-Encoding:\r\n chunked"), 400),
    "a coding behind LF": (coding(b"A: b\nTransfer-Encoding: chunked"), 400),
    "a coding behind CR": (coding(b"A: b\rTransfer-Encoding: chunked"), 400),
    "a NUL in the name": (coding(b"Transfer-Encoding\0: chunked"), 400),
    "chunks of HTTP/1.0": (post(CHUNKED, body=ONE_CHUNK, version=b"1.0"), 400),
    # Lengths
    "two lengths": (length(b"5\r\nContent-Length: 6"), 400),
    "two equal lengths": (length(b"5\r\ncontent-length: 5"), 400),
    "a length of nothing and one": (length(b"0\r\nContent-Length: 5"), 400),
    "a list of lengths": (length(b"5, 5"), 400),
    "plus": (length(b"+5"), 400),
    "minus": (length(b"-5"), 400),
    "hexadecimal": (length(b"0x5"), 400),
    "a fraction": (length(b"5.0"), 400),
    "an exponent": (length(b"5e0"), 400),
    "an underscore": (length(b"5_0"), 400),
    "a semicolon": (length(b"5;5"), 400),
    "two numbers": (length(b"5 5"), 400),
    "no number": (length(b"five"), 400),
    "no length": (length(b""), 400),
    "a digit of Latin-1": (length(b"\xb25"), 400),
    "a NUL after": (length(b"5\0"), 400),
    "a length of 2^64": (length(b"18446744073709551616"), 400),
    "a length of 2^64 and 5": (length(b"18446744073709551621"), 400),
    "a length of 2^63": (length(b"9223372036854775808"), 413),
    # Lines
    "LF everywhere": (ASK.replace(b"\r\n", b"\n"), 400),
    "LF after a header": (get(b"A: b\nC: d"), 400),
    "LF at the end of the head": (ASK[:-2] + b"\n", 400),
    "CR in a value": (get(b"A: b\rC: d"), 400),
    "CR CR LF": (get(b"A: b\r"), 400),
    "a folded header": (get(b"A: b\r\n c"), 400),
    "a header folded with a tab": (get(b"A: b\r\n\tc"), 400),
    "a folded first line": (b"GET / HTTP/1.1\r\n A: b\r\n" + HOST + b"\r\n", 400),
    "NUL in a value": (get(b"A: b\0c"), 400),
    "a control character": (get(b"A: b\x01c"), 400),
    "DEL": (get(b"A: b\x7f"), 400),
    "a space in a name": (get(b"A B: c"), 400),
    "a tab before the colon": (get(b"A\t: b"), 400),
    "an empty name": (get(b": b"), 400),
    "no colon": (get(b"AB"), 400),
    "a name beyond ASCII": (get("É: b".encode()), 400),
    # Hosts and targets
    "two hosts": (get(host=HOST + b"Host: evil.example\r\n"), 400),
    "two equal hosts": (get(host=HOST + HOST), 400),
    "a list of hosts": (get(host=b"Host: hello.example, evil.example\r\n"), 400),
    "a user before the host": (get(host=b"Host: evil@hello.example\r\n"), 400),
    "a path behind the host": (get(host=b"Host: hello.example/x\r\n"), 400),
    "a port that is none": (get(host=b"Host: hello.example:8x\r\n"), 400),
    "a space behind the host": (get(host=b"Host : hello.example\r\n"), 400),
    "a folded host": (get(host=b"Host:\r\n hello.example\r\n"), 400),
    "the absolute form without Host": (get(target=b"http://hello.example/", host=b""), 400),
    "a user in the absolute form": (get(target=b"http://a@hello.example/"), 400),
    "a fragment in the absolute form": (get(target=b"http://hello.example/#a"), 400),
    "a backslash in the absolute form": (get(target=b"http://evil.example\\hello.example/"), 400),
    "the absolute form of another host": (get(target=b"http://evil.example/"), 404),
    "a space in the target": (get(target=b"/a b"), 400),
    "a tab in the target": (get(target=b"/a\tb"), 400),
    "NUL in the target": (get(target=b"/\0"), 400),
    "a target beyond ASCII": (get(target="/é".encode()), 400),
    # First lines
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "HTTP/1.2": (ASK.replace(b"1.1", b"1.2"), 400),
    "HTTP/1.10": (ASK.replace(b"1.1", b"1.10"), 400),
    "HTTP/01.1": (ASK.replace(b"1.1", b"01.1"), 400),
    "a small http": (ASK.replace(b"HTTP", b"http"), 400),
    "a small get": (ASK.replace(b"GET", b"get"), 400),
    "tabs between": (ASK.replace(b"GET / ", b"GET\t/\t"), 400),
    "more behind the version": (ASK.replace(b"1.1", b"1.1 x"), 400),
    "a space before": (b" " + ASK, 400),
    "HAProxy's first line": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + ASK, 400),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED)
async def test_what_may_mean_two_things_is_refused_and_so_is_what_follows(world: World, data: bytes, code: int) -> None:
    got, codes = await conversation(world, data + NEXT)
    assert codes[0] == code
    # Where only the host is wrong what follows can be told; after all else nothing more is understood.
    assert (got, codes[1:]) in (([], []), ([NEXT], [200]))


BROKEN_CHUNKS = {
    "LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a line in a quoted extension": b'5;a="\r\nhello\r\n0\r\n\r\n',
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "17 digits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space after": b"5 \r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "CR after the size": b"5\rhello\r0\r\r",
    "LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "more data than said": b"5\r\nhelloXX\r\n0\r\n\r\n",
    "less data than said": b"6\r\nhello\r\n0\r\n\r\n",
    "LF at the end": b"5\r\nhello\r\n0\n\n",
    "LF after the trailers": b"5\r\nhello\r\n0\r\nA: b\r\n\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "NUL in a trailer": b"5\r\nhello\r\n0\r\nA: b\0\r\n\r\n",
    "a request as a trailer": b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    "a length as a trailer": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("chunks", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "when the instance has the head"])
async def test_wrong_chunks_end_the_request_on_both_sides(world: World, chunks: bytes, late: bool) -> None:
    world.service(1)
    head = post(CHUNKED)
    client = world.client(head if late else head + chunks + NEXT)
    await world.settle()
    if late:
        client.feed(chunks + NEXT)
        await world.settle()
        sent = world.instance(1).take()
        assert sent.count(b"HTTP/1.1") == 1 and not sent.endswith(b"0\r\n\r\n")
        assert world.instance(1).eof
    else:
        assert not world.open(1)
    assert status(client.take()) == 400
    assert client.eof


# Answers

HOSTILE = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "two different lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "plus": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "minus": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "a huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE_CHUNK,
    "chunks twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE_CHUNK,
    "xchunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n" + ONE_CHUNK,
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + ONE_CHUNK,
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE_CHUNK,
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n",
    "LF in a header": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 9\r\nContent-Length: 5\r\n\r\nhello",
    "CR in a header": b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\nContent-Length: 5\r\n\r\nhello",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 5\r\n\r\nhello",
    "ESC in a header": b"HTTP/1.1 200 OK\r\nA: \x1b[2J\r\nContent-Length: 5\r\n\r\nhello",
    "DEL in a header": b"HTTP/1.1 200 OK\r\nA: \x7f\r\nContent-Length: 5\r\n\r\nhello",
    "VT in the reason": b"HTTP/1.1 200 \x0bOK\r\nContent-Length: 5\r\n\r\nhello",
    "a folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "an empty name": b"HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 5\r\n\r\nhello",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status 600": b"HTTP/1.1 600 What\r\nContent-Length: 5\r\n\r\nhello",
    "status 000": b"HTTP/1.1 000 What\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/2": b"HTTP/2 200\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "another protocol unasked": SWITCHED,
    "another protocol without its name": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "another request": GET,
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    "an endless line": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
async def test_nothing_of_an_answer_that_may_mean_two_things_reaches_the_client(world: World, answer: bytes) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1, answer)
    got = client.take()
    assert status(got) == 503 and got.count(b"HTTP/1.1 ") == 1
    assert b"A: b" not in got
    assert not world.open(1)
    client.feed(NEXT)
    assert (await world.serve(1)).startswith(b"GET /next")
    assert client.take() == OK


SPLIT = {
    "a second answer": OK + OK.replace(b"hello", b"other"),
    "a second answer later": OK + b"HTTP/1.1",
    "a second answer after chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE_CHUNK + OK,
    "a body behind 204": b"HTTP/1.1 204 No Content\r\n\r\n" + OK,
    "a body behind 304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", SPLIT.values(), ids=SPLIT)
async def test_what_follows_an_answer_is_nobodys(world: World, answer: bytes) -> None:
    """The next request must not get it: the connection is not used again."""
    world.service(1)
    client = world.client(GET)
    await world.serve(1, answer)
    assert client.take().count(b"HTTP/1.1 ") == 1
    assert not world.open(1)
    other = world.client(NEXT)
    assert (await world.serve(1)).startswith(b"GET /next")
    assert other.take() == OK


async def test_the_answer_to_head_has_no_body_that_the_next_request_could_get(world: World) -> None:
    world.service(1)
    client = world.client(GET.replace(b"GET", b"HEAD"))
    await world.serve(1, OK)
    assert client.take() == OK[:-5]
    assert not world.open(1)


async def test_wrong_chunks_of_an_answer_cut_it(world: World) -> None:
    world.service(1)
    for chunks in BROKEN_CHUNKS.values():
        if chunks.startswith((b"5 ", b'5;a="', b"5\r\nhello\r\n0\r\nContent-Length")):
            # These are understood, and made anew.
            continue
        client = world.client(GET)
        await world.serve(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        world.instance(1).feed(chunks)
        if world.open(1):
            # It may still become right: a line whose end has not come.
            world.instance(1).hang_up()
            await world.settle()
        await world.settle()
        assert not client.take().endswith(b"\r\n0\r\n\r\n"), chunks
        assert client.closing or client.lost, chunks


@pytest.mark.parametrize("protocol", [b"h2c", b"tcp", b"websocket, h2c"])
async def test_an_instance_cannot_switch_to_what_the_client_did_not_ask_for(world: World, protocol: bytes) -> None:
    world.service(1)
    client = world.client(UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: h2c, websocket"))
    await world.serve(1, SWITCHED.replace(b"websocket", protocol))
    assert status(client.take()) == 503 and not world.open(1)


async def test_a_tunnel_begins_only_where_both_have_agreed(world: World) -> None:
    world.service(1)
    client = world.client(UPGRADE + NEXT)
    await world.serve(1, OK)
    assert (await world.serve(1)).startswith(b"GET /next")
    assert client.take() == OK + OK
