"""The head of a request: what came from the client, and what the container gets (contract §1.4).

Headers are passed on as they came, in their order, except for those that mean one connection only, and those that say
where the request came from and what trace it belongs to: these are continued or made here.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from homerun.router import errors
from homerun.router.errors import Refusal

_TRACE = re.compile(rb"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=(\d+))?")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_AUTHORITY = re.compile(rb"https?://([^/?#@]+)(/[^#]*|\?[^#]*)?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d*)?")


class RequestHead:
    """Filled by the parser, header by header."""

    __slots__ = (
        "chunked",
        "connection",
        "continues",
        "expectation",
        "forwarded",
        "forwarded_for",
        "host",
        "hosts",
        "length",
        "lines",
        "target",
        "trace",
        "traceparent",
        "transfer_encoding",
        "upgrade",
        "user_agent",
    )

    def __init__(self) -> None:
        self.target = b""
        self.lines: list[bytes] = []
        """The headers that are passed on as they are: name, ": ", value, CRLF, name, ..."""
        self.host = b""
        self.hosts = 0
        self.length = 0
        self.chunked = False
        self.transfer_encoding = b""
        self.connection = b""
        self.upgrade = b""
        self.expectation = b""
        self.continues = False
        self.user_agent = b""
        self.forwarded_for = b""
        self.forwarded = b""
        self.trace = b""
        self.traceparent = b""

    def check(self, version: str, body_limit: int) -> Refusal | None:
        """Called when all headers are there. What the parser lets pass and we do not."""
        if self.hosts > 1:
            return errors.bad_request("it has more than one Host header")
        if not self.hosts and version == "1.1":
            return errors.bad_request("it has no Host header")
        if self.transfer_encoding:
            if version != "1.1":
                return errors.bad_request("Transfer-Encoding needs HTTP/1.1")
            if self.transfer_encoding.strip().lower() != b"chunked":
                return errors.unsupported_encoding(self.transfer_encoding.decode("latin-1"))
            self.chunked = True
        if self.length > body_limit:
            return errors.body_too_large(body_limit)
        if self.expectation:
            if self.expectation.strip().lower() != b"100-continue":
                return Refusal(417, "The only expectation that is supported is 100-continue.")
            # Clients of HTTP/1.0 do not know interim answers.
            self.continues = version == "1.1"
        if not self.target.startswith(b"/"):
            return self._resolve_target()
        return None

    def _resolve_target(self) -> Refusal | None:
        """The absolute form (RFC 9112 §3.2.2): its authority replaces Host, and the container gets the path."""
        if self.target == b"*":
            return None
        match = _AUTHORITY.fullmatch(self.target)
        if match is None:
            return errors.bad_request("its target is neither a path nor an http URL")
        self.host = match[1]
        path = match[2] or b"/"
        self.target = path if path.startswith(b"/") else b"/" + path
        return None

    def well_formed_host(self) -> bool:
        return _HOST.fullmatch(self.host) is not None

    def encode(self, method: bytes, origin: Origin, trace: Trace) -> bytes:
        """As the container gets it. Sets `trace` and `traceparent`."""
        lines = self.lines
        if self.connection:
            lines = self._without_named(lines)
        if not self.trace and not self.traceparent:
            tracing = trace.start(self)
        else:
            tracing = trace.resume(self)
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b%b" % (
            method,
            self.target,
            self.host,
            b"".join(lines),
            origin.lines if not self.forwarded_for and not self.forwarded else origin.appended_to(self),
            tracing,
        )
        if self.chunked:
            head += b"Transfer-Encoding: chunked\r\n"
        if self.upgrade:
            head += b"Connection: upgrade\r\nUpgrade: %b\r\n" % self.upgrade
        return head + b"\r\n"

    def _without_named(self, lines: list[bytes]) -> list[bytes]:
        """Drop the headers that the Connection header names: they were for us only."""
        named = {name.strip().lower() for name in self.connection.split(b",")} - {b"keep-alive", b"close", b"upgrade"}
        if not named:
            return lines
        kept: list[bytes] = []
        for at in range(0, len(lines), 4):
            if lines[at].lower() not in named:
                kept += lines[at : at + 4]
        return kept


def _append(old: bytes, value: bytes) -> bytes:
    """Several headers of one name mean the same as one with commas."""
    return b"%b, %b" % (old, value) if old else value


def _set_host(head: RequestHead, name: bytes, value: bytes) -> None:
    head.host = value.rstrip(b" \t")
    head.hosts += 1


def _set_length(head: RequestHead, name: bytes, value: bytes) -> None:
    head.length = int(value)
    head.lines += (name, b": ", value, b"\r\n")


def _set_agent(head: RequestHead, name: bytes, value: bytes) -> None:
    head.user_agent = value
    head.lines += (name, b": ", value, b"\r\n")


def _set_transfer_encoding(head: RequestHead, name: bytes, value: bytes) -> None:
    head.transfer_encoding = _append(head.transfer_encoding, value)


def _set_connection(head: RequestHead, name: bytes, value: bytes) -> None:
    head.connection = _append(head.connection, value)


def _set_upgrade(head: RequestHead, name: bytes, value: bytes) -> None:
    head.upgrade = _append(head.upgrade, value)


def _set_expectation(head: RequestHead, name: bytes, value: bytes) -> None:
    head.expectation = value


def _set_forwarded_for(head: RequestHead, name: bytes, value: bytes) -> None:
    head.forwarded_for = _append(head.forwarded_for, value)


def _set_forwarded(head: RequestHead, name: bytes, value: bytes) -> None:
    head.forwarded = _append(head.forwarded, value)


def _set_trace(head: RequestHead, name: bytes, value: bytes) -> None:
    head.trace = value.strip()


def _set_traceparent(head: RequestHead, name: bytes, value: bytes) -> None:
    head.traceparent = value.strip()


def _drop(head: RequestHead, name: bytes, value: bytes) -> None:
    """For this connection only, or ours to say."""


SPECIAL: dict[bytes, Callable[[RequestHead, bytes, bytes], None]] = {
    b"host": _set_host,
    b"content-length": _set_length,
    b"user-agent": _set_agent,
    b"transfer-encoding": _set_transfer_encoding,
    b"connection": _set_connection,
    b"upgrade": _set_upgrade,
    b"expect": _set_expectation,
    b"x-forwarded-for": _set_forwarded_for,
    b"forwarded": _set_forwarded,
    b"x-cloud-trace-context": _set_trace,
    b"traceparent": _set_traceparent,
    b"x-forwarded-proto": _drop,
    b"keep-alive": _drop,
    b"proxy-connection": _drop,
    b"te": _drop,
    b"trailer": _drop,
    b"http2-settings": _drop,
}


class Origin:
    """Where the requests of one connection come from, in all the ways in which containers want to know."""

    __slots__ = ("_element", "_ip", "_proto", "ip", "lines")

    def __init__(self, ip: str, proto: str) -> None:
        self.ip = ip
        self._ip = ip.encode("ascii", "replace")
        # RFC 7239: an IPv6 address is quoted and in brackets.
        node = f'"[{ip}]"' if ":" in ip else f'"{ip}"'
        self._element = f"for={node};proto={proto}".encode("ascii", "replace")
        self._proto = b"X-Forwarded-Proto: %b\r\n" % proto.encode()
        self.lines = b"X-Forwarded-For: %b\r\n%bForwarded: %b\r\n" % (self._ip, self._proto, self._element)

    def appended_to(self, head: RequestHead) -> bytes:
        """The client was a proxy, or says that it was: only the last entry is ours."""
        return b"X-Forwarded-For: %b\r\n%bForwarded: %b\r\n" % (
            _append(head.forwarded_for, self._ip),
            self._proto,
            _append(head.forwarded, self._element),
        )


class Trace:
    """Trace ids without a call to the system per request: a random start, then a Weyl sequence.

    Ids must not repeat, and their low bits must look random, as samplers decide by them; they need not be secret.
    """

    _STEP = 0x9E3779B97F4A7C15
    _MASK = (1 << 64) - 1

    def __init__(self, seed: int | None = None) -> None:
        seed = secrets.randbits(128) if seed is None else seed
        self._prefix = b"%016x" % (seed >> 64)
        self._state = seed & self._MASK

    def start(self, head: RequestHead) -> bytes:
        """A new trace, not sampled."""
        state = self._state = (self._state + self._STEP) & self._MASK
        trace = head.trace = b"%b%016x" % (self._prefix, state)
        span = state or 1
        return b"X-Cloud-Trace-Context: %b/%d;o=0\r\ntraceparent: 00-%b-%016x-00\r\n" % (trace, span, trace, span)

    def resume(self, head: RequestHead) -> bytes:
        """The client's trace: the header that it sent, and the other one made from it."""
        if head.traceparent and (match := _TRACEPARENT.fullmatch(head.traceparent)):
            trace, span, flags = match.groups()
            context = head.trace or b"%b/%d;o=%d" % (trace, int(span, 16), int(flags, 16) & 1)
            head.trace = trace
            return b"X-Cloud-Trace-Context: %b\r\ntraceparent: %b\r\n" % (context, head.traceparent)
        if match := _TRACE.fullmatch(head.trace):
            context = head.trace
            trace = head.trace = match[1].lower()
            span = int(match[2] or 0) & self._MASK or self._next()
            sampled = 1 if (match[3] or b"0") != b"0" else 0
            return b"X-Cloud-Trace-Context: %b\r\ntraceparent: 00-%b-%016x-%02x\r\n" % (context, trace, span, sampled)
        # Neither can be understood: it is no trace of anybody's.
        return self.start(head)

    def _next(self) -> int:
        self._state = (self._state + self._STEP) & self._MASK
        return self._state or 1
