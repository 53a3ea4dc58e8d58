"""Headers of requests, answers and trailers: what RFC 9113 §8 demands of them, and both their notations.

Here are HPACK blocks, there are lines (name, ": ", value, CRLF, name, ...), as HTTP/1.1 has them and all of the router
works on them. What was read once is remembered by its bytes: most blocks are the same as one before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Self

from homerun.lib.http2.codes import Code, StreamFault
from homerun.router.headers import SPECIAL, Asked, RequestHead
from homerun.router.http2.hpack import MEMORABLE_FIELD, BlockReader, Fields, encode
from homerun.router.memory import Memory
from homerun.router.origin import Origin
from homerun.router.trace import Trace

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_VALUE = re.compile(rb"(?:[^\r\n\0 \t](?:[^\r\n\0]*[^\r\n\0 \t])?)?").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
_PATH = re.compile(rb"/[!-\"$-~\x80-\xff]*|\*").fullmatch
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_ONE_CONNECTION = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"))
_HTTP1_ONLY = _ONE_CONNECTION | {b"http2-settings", b"te", b"trailer"}
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
_STATUS = {b"%d" % status: status for status in range(100, 600)}
_BODILESS = frozenset((204, 304))
_ON_THE_WAY = frozenset((b"forwarded", b"x-forwarded-for", b"x-cloud-trace-context", b"traceparent"))
_OF_UPGRADES = frozenset((b"sec-websocket-key", b"sec-websocket-accept"))
"""Which have no meaning over HTTP/2 (RFC 8441 §5)."""
_GRPC = b"application/grpc"


class Head(RequestHead):
    """A request's head that came over HTTP/2. `block` is what an instance gets of it in HTTP/2."""

    __slots__ = ("block", "direct", "grpc", "method", "sized", "target", "websocket")

    def __init__(self) -> None:
        super().__init__()
        self.method = self.target = b""
        self.grpc = False
        self.sized = False
        """It says how long its body is."""
        self.direct = True
        """It says nothing of proxies and traces."""
        self.websocket = False
        """It asks for one (websocket.py)."""
        self.block = b""

    def fresh(self, bodiless: bool) -> Head:
        """For one request: whether its body comes in chunks, to an instance of HTTP/1.1, does not depend on the head
        alone. `lines` and `others` are those of all."""
        head = _new(Head)
        head.method, head.grpc, head.sized, head.direct = self.method, self.grpc, self.sized, self.direct
        head.target, head.lines, head.host, head.hosts = self.target, self.lines, self.host, self.hosts
        head.user_agent, head.length, head.continues = self.user_agent, self.length, self.continues
        head.others, head.block, head._fixed = self.others, self.block, b""
        head.websocket = self.websocket
        head._via = head._context = None
        head.chunked = not bodiless and not self.sized and not self.websocket
        if head.chunked and head.others is None:
            head.others = {}
        return head

    def replaced(self, at: int, value: bytes) -> Self:
        other = super().replaced(at, value)
        other.settle()
        return other

    def encode(self, asked: Asked, origin: Origin, trace: Trace, h2c: bool = False) -> bytes:
        if not h2c:
            return super().encode(asked, origin, trace)
        if self.direct:
            return self.block + _origin_block(origin) + trace.start_block(asked)
        own = origin.appended_to(self.other(b"x-forwarded-for"), self.other(b"forwarded"))
        traced = trace.resume(asked, self.other(b"x-cloud-trace-context"), self.other(b"traceparent"))
        return self.block + encode_text(b"".join((own, *traced)))

    def settle(self) -> None:
        """The lines are as they are to be."""
        self.direct = self.others is None or _ON_THE_WAY.isdisjoint(self.others)
        fields = [
            encode(b":method", self.method),
            encode(b":scheme", b"http"),
            encode(b":authority", self.host),
            encode(b":path", self.target),
            encode_lines(self.lines),
        ]
        if self.takes_trailers:
            fields.append(encode(b"te", b"trailers"))
        if trailer := self.other(b"trailer"):
            fields.append(encode(b"trailer", trailer))
        self.block = b"".join(fields)


_new = Head.__new__


class Answer:
    """`length` None: it does not say. `block` for clients of HTTP/2, `lines` for those of HTTP/1.1."""

    __slots__ = ("block", "length", "lines", "status")

    def __init__(self, status: int, lines: list[bytes], length: int | None) -> None:
        self.status = status
        self.lines = lines
        self.length = length
        self.block = encode(b":status", b"%d" % status) + encode_lines(lines)

    @property
    def interim(self) -> bool:
        return self.status < 200


class Trailers:
    __slots__ = ("block", "lines")

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.block = encode_lines(lines)


# Of blocks whose meaning does not depend on the connection.
_requests: Memory[Head] = Memory()
_answers: Memory[Answer] = Memory()
_trailers: Memory[Trailers] = Memory()
_converted: Memory[Answer] = Memory()


def read_request(reader: BlockReader, block: bytes, bodiless: bool) -> Head:
    """`bodiless`: the stream ends with it. Raises StreamFault, ConnectionFault."""
    head = _requests.known.get(block) if reader.stateless else None
    if head is None:
        stateless = reader.stateless
        fields = reader.read(block)
        head = _request(fields)
        if stateless and reader.stateless:
            _requests.add(block, head)
    if bodiless and head.length:
        raise StreamFault(Code.PROTOCOL_ERROR, "a request without a body has a Content-Length")
    return head.fresh(bodiless)


def read_answer(reader: BlockReader, block: bytes) -> Answer:
    """Raises StreamFault, ConnectionFault."""
    answer = _answers.known.get(block) if reader.stateless else None
    if answer is None:
        stateless = reader.stateless
        answer = _answer(reader.read(block))
        if stateless and reader.stateless:
            _answers.add(block, answer)
    return answer


def read_trailers(reader: BlockReader, block: bytes) -> Trailers:
    """Raises StreamFault, ConnectionFault."""
    trailers = _trailers.known.get(block) if reader.stateless else None
    if trailers is None:
        stateless = reader.stateless
        trailers = Trailers(_lines(reader.read(block), 0))
        if stateless and reader.stateless:
            _trailers.add(block, trailers)
    return trailers


def answer_from_http1(status: int, head: bytes) -> Answer:
    """Of an answer's head as a client of HTTP/1.1 would get it, with its empty line."""
    answer = _converted.known.get(head)
    if answer is None:
        lines: list[bytes] = []
        length = None
        for line in head.split(b"\r\n")[1:-2]:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip(b" \t")
            if name not in _HTTP1_ONLY or name == b"trailer":
                lines += (name, b": ", value, b"\r\n")
                if name == b"content-length":
                    length = int(value)
        answer = Answer(status, lines, length)
        _converted.add(head, answer)
    return answer


def block_from_http1(head: bytes) -> bytes:
    """Of a request's head as an instance of HTTP/1.1 would get it, with its empty line."""
    first, *lines = head.split(b"\r\n")[:-2]
    method, _, rest = first.partition(b" ")
    fields = [(b":method", method), (b":scheme", b"http"), (b":authority", b""), (b":path", rest.rpartition(b" ")[0])]
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"host":
            fields[2] = (b":authority", value)
        elif name == b"te" and b"trailers" in value.lower():
            fields.append((b"te", b"trailers"))
        elif name not in _HTTP1_ONLY or name == b"trailer":
            fields.append((name, value))
    return b"".join([encode(name, value) for name, value in fields if value or name != b":authority"])


def encode_text(text: bytes) -> bytes:
    """Lines of HTTP/1.1, each with its end."""
    fields = (line.partition(b":") for line in text.split(b"\r\n")[:-1])
    return b"".join([encode(name.lower(), value.strip(b" \t")) for name, _, value in fields])


_origin_block = lru_cache(4096)(lambda origin: encode_text(origin.lines))


def encode_lines(lines: Sequence[bytes]) -> bytes:
    return b"".join([encode(lines[at].lower(), lines[at + 2].strip(b" \t")) for at in range(0, len(lines), 4)])


def _request(fields: Fields) -> Head:
    pseudo, at = _pseudo_headers(fields, _PSEUDO)
    head = Head()
    method = head.method = pseudo.get(b":method", b"")
    head.host = pseudo.get(b":authority", b"")
    if _METHOD(method) is None:
        raise StreamFault(Code.PROTOCOL_ERROR, "a request without a method")
    if b":protocol" in pseudo:
        _ask_for_websocket(head, pseudo[b":protocol"])
    if method == b"CONNECT" and b":protocol" not in pseudo:
        if b":scheme" in pseudo or b":path" in pseudo or not head.host:
            raise StreamFault(Code.PROTOCOL_ERROR, "CONNECT with :scheme or :path, or without :authority")
        head.target = b""
    else:
        head.target = pseudo.get(b":path", b"")
        if pseudo.get(b":scheme") not in (b"http", b"https") or _PATH(head.target) is None:
            raise StreamFault(Code.PROTOCOL_ERROR, "a request needs a :scheme and a :path")
    cookies: list[bytes] = []
    for name, value in fields[at:]:
        _check(name, value)
        if name == b"cookie":
            cookies.append(value)
        elif head.websocket and name in _OF_UPGRADES:
            continue
        elif name == b"host":
            _take_host(head, value)
        elif name not in SPECIAL:
            head.lines += (name, b": ", value, b"\r\n")
            if name == b"content-type" and value[: len(_GRPC)] == _GRPC:
                head.grpc = True
        elif name == b"content-length":
            _take_length(head, value)
        elif name == b"te" and value.lower() != b"trailers":
            raise StreamFault(Code.PROTOCOL_ERROR, "te is not `trailers`")
        else:
            head.add_special(name, name, value)
    if cookies:
        # They may come one by one (§8.2.3).
        head.lines += (b"cookie", b": ", b"; ".join(cookies), b"\r\n")
    if head.websocket and head.sized:
        raise StreamFault(Code.PROTOCOL_ERROR, "a request for a WebSocket has a content-length")
    head.continues = head.other(b"expect").lower() == b"100-continue"
    head.settle()
    return head


def _ask_for_websocket(head: Head, protocol: bytes) -> None:
    """Extended CONNECT (RFC 8441 §4). For other protocols it stays what it is, and is refused."""
    if head.method != b"CONNECT" or not head.host:
        raise StreamFault(Code.PROTOCOL_ERROR, ":protocol without CONNECT, or without :authority")
    if protocol == b"websocket":
        head.websocket, head.method = True, b"GET"
        head.add_special(b"upgrade", b"upgrade", protocol)


def _take_length(head: Head, value: bytes) -> None:
    if _LENGTH(value) is None or (head.sized and int(value) != head.length):
        raise StreamFault(Code.PROTOCOL_ERROR, f"a wrong content-length: {value[:40]!r}")
    if not head.sized:
        head.add_special(b"content-length", b"content-length", value)
        head.sized = True


def _take_host(head: Head, value: bytes) -> None:
    """It says the same as :authority, or replaces it (§8.3.1)."""
    if value != (head.host or value):
        raise StreamFault(Code.PROTOCOL_ERROR, "host and :authority are not the same")
    head.host = value


def _answer(fields: Fields) -> Answer:
    pseudo, at = _pseudo_headers(fields, frozenset((b":status",)))
    status = _STATUS.get(pseudo.get(b":status", b""))
    if status is None or status == 101:
        raise StreamFault(Code.PROTOCOL_ERROR, "its answer has no valid status")
    lines = _lines(fields, at)
    length: int | None = None
    for index in range(0, len(lines), 4):
        if lines[index] == b"content-length":
            if _LENGTH(lines[index + 2]) is None or length not in (None, int(lines[index + 2])):
                raise StreamFault(Code.PROTOCOL_ERROR, "its answer has a wrong content-length")
            length = int(lines[index + 2])
    if any(lines[index] == b"set-cookie" for index in range(0, len(lines), 4)):
        # Contract §1.3: an answer that sets a cookie is for one user only.
        lines = private(lines)
    return Answer(status, lines, length)


def private(lines: Sequence[bytes]) -> list[bytes]:
    """The lines of an answer that is for one user only."""
    kept = [piece for at in range(0, len(lines), 4) if lines[at] != b"cache-control" for piece in lines[at : at + 4]]
    return [*kept, b"cache-control", b": ", b"private", b"\r\n"]


def _pseudo_headers(fields: Fields, known: frozenset[bytes]) -> tuple[dict[bytes, bytes], int]:
    """Those at the beginning, and how many they are."""
    pseudo: dict[bytes, bytes] = {}
    for at, (name, value) in enumerate(fields):
        if name[:1] != b":":
            return pseudo, at
        if name not in known or name in pseudo or _VALUE(value) is None:
            raise StreamFault(Code.PROTOCOL_ERROR, f"a pseudo-header too many: {name[:40]!r}")
        pseudo[name] = value
    return pseudo, len(fields)


def _lines(fields: Fields, start: int) -> list[bytes]:
    """Of answers and trailers, which have no pseudo-headers from `start` on."""
    lines: list[bytes] = []
    for name, value in fields[start:]:
        _check(name, value)
        lines += (name, b": ", value, b"\r\n")
    return lines


def _check(name: bytes, value: bytes) -> None:
    """Raises StreamFault."""
    if len(name) + len(value) <= MEMORABLE_FIELD:
        _known_to_be_sound(name, value)
    else:
        _check_anew(name, value)


def _check_anew(name: bytes, value: bytes) -> None:
    if _NAME(name) is None:
        raise StreamFault(Code.PROTOCOL_ERROR, f"a header's name is wrong here: {name[:40]!r}")
    if _VALUE(value) is None:
        raise StreamFault(Code.PROTOCOL_ERROR, f"the value of {name[:40]!r} is not allowed")
    if name in _ONE_CONNECTION:
        raise StreamFault(Code.PROTOCOL_ERROR, f"{name.decode()} has no place in HTTP/2")


_known_to_be_sound = lru_cache(4096)(_check_anew)
