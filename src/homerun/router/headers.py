"""The head of a request: what came from the client, and what the container gets (contract §1.4).

Headers are passed on as they came, in their order, except for those that mean one connection only, and those that say
where the request came from and what trace it belongs to: these are continued or made here. Few requests have more of
these than Host, so all that is done for the others is done only when there are any.
"""

from __future__ import annotations

import copy
import re
from typing import Protocol, Self

from homerun.router import errors
from homerun.router.errors import Refusal
from homerun.router.origin import Origin
from homerun.router.trace import Trace, Traced

_AUTHORITY = re.compile(rb"https?://([^/?#@]+)(/[^#]*|\?[^#]*)?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d*)?")

SPECIAL = frozenset(
    (
        b"host",
        b"content-length",
        b"user-agent",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"expect",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-cloud-trace-context",
        b"traceparent",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"http2-settings",
    )
)
"""Headers that are not just passed on: for us, or ours to say, or worth a look."""


class Asked(Traced, Protocol):
    """What is of one request only."""

    method: bytes
    target: bytes


class RequestHead:
    """All but the first line. Filled by the parser, header by header; once it is checked nothing changes in it, and
    several requests may share it (familiar.py)."""

    __slots__ = (
        "_context",
        "_end",
        "_fixed",
        "_via",
        "chunked",
        "continues",
        "host",
        "hosts",
        "length",
        "lines",
        "others",
        "user_agent",
    )

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        """The headers that are passed on as they are: name, ": ", value, CRLF, name, ..."""
        self.host = b""
        self.hosts = 0
        self.user_agent = b""
        self.length = 0
        self.chunked = False
        self.continues = False
        """It waits for "100 Continue" before it sends the body."""
        self.others: dict[bytes, bytes] | None = None
        """The other special headers, by name in lower case; of several with one name, joined by commas."""
        self._fixed = self._end = b""
        """What is the same in each request with this head, before and behind what is not. Empty: not put together."""
        self._via: tuple[bytes, bytes] | None = None
        """X-Forwarded-For and Forwarded, if it has one of them."""
        self._context: tuple[bytes, bytes] | None = None
        """X-Cloud-Trace-Context and traceparent, if it has one of them."""

    def add_special(self, key: bytes, name: bytes, value: bytes) -> None:
        """A header of SPECIAL; `key` is its name in lower case."""
        if key == b"host":
            self.host = value.rstrip(b" \t")
            self.hosts += 1
        elif key == b"user-agent":
            self.user_agent = value
            self.lines += (name, b": ", value, b"\r\n")
        elif key == b"content-length":
            # The parser has seen to it that it is one number, and that there is no Transfer-Encoding with it.
            length = self.length = int(value)
            self.lines += (name, b": ", b"%d" % length, b"\r\n")
        else:
            if self.others is None:
                self.others = {}
            old = self.others.get(key)
            self.others[key] = value.strip(b" \t") if old is None else _append(old, value.strip(b" \t"))

    def other(self, key: bytes) -> bytes:
        return self.others.get(key, b"") if self.others is not None else b""

    @property
    def upgrade(self) -> bytes:
        """The protocol that the client wants to switch to."""
        return self.other(b"upgrade")

    @property
    def takes_trailers(self) -> bool:
        """The client wants to have the trailers of an answer."""
        codings = self.other(b"te").lower().split(b",")
        return any(coding.partition(b";")[0].strip(b" \t") == b"trailers" for coding in codings)

    def settle_upgrade(self, possible: bool) -> None:
        """Ask the instance for another protocol only where that is possible, and never for h2c: what went through
        such a tunnel would be requests that nobody counts, or checks."""
        if self.others is not None:
            offered = [protocol.strip() for protocol in self.others.pop(b"upgrade", b"").split(b",")]
            left = [protocol for protocol in offered if protocol and protocol.lower() != b"h2c"]
            if possible and left:
                self.others[b"upgrade"] = b", ".join(left)

    def asked_for(self, protocol: bytes) -> bool:
        return protocol.lower() in [each.lower() for each in self.upgrade.split(b", ")]

    def check(self, version: str, body_limit: int) -> Refusal | None:
        """Called when all headers are there. What the parser lets pass and we do not."""
        if self.hosts != 1 and (self.hosts or version == "1.1"):
            return errors.bad_request("it has more than one Host header" if self.hosts else "it has no Host header")
        if self.length > body_limit:
            return errors.body_too_large(body_limit)
        return self._check_others(version) if self.others is not None else None

    def resolve(self, target: bytes) -> bytes:
        """The path that the target means. Raises ValueError, saying why it means none. It may be in the absolute form
        (RFC 9112 §3.2.2): its authority replaces Host."""
        if target[:1] == b"/" or target == b"*":
            return target
        match = _AUTHORITY.fullmatch(target)
        if match is None:
            raise ValueError("its target is neither a path nor an http URL")
        self.host = match[1]
        path: bytes = match[2] or b"/"
        return path if path.startswith(b"/") else b"/" + path

    def replaced(self, at: int, value: bytes) -> Self:
        """This head with another piece in `lines`."""
        other = copy.copy(self)
        other.lines = [*self.lines]
        other.lines[at] = value
        other._fixed = b""
        return other

    def encode(self, asked: Asked, origin: Origin, trace: Trace, h2c: bool = False) -> bytes:
        """A request as the container gets it. Sets `asked.trace`. `h2c`: for one that is spoken to in HTTP/2, if the
        head came that way too."""
        if not self._fixed:
            self._put_together()
        own = origin.lines if self._via is None else origin.appended_to(*self._via)
        traced = trace.start(asked) if self._context is None else trace.resume(asked, *self._context)
        return b"".join([asked.method, b" ", asked.target, self._fixed, own, *traced, self._end])

    def well_formed_host(self) -> bool:
        return _HOST.fullmatch(self.host) is not None

    # The uncommon ones

    def _check_others(self, version: str) -> Refusal | None:
        encoding, expectation = self.other(b"transfer-encoding"), self.other(b"expect")
        if encoding:
            if version != "1.1":
                return errors.bad_request("Transfer-Encoding needs HTTP/1.1")
            if encoding.lower() != b"chunked":
                return errors.unsupported_encoding(encoding.decode("latin-1"))
            self.chunked = True
        if expectation:
            if expectation.lower() != b"100-continue":
                return errors.EXPECTATION
            # Clients of HTTP/1.0 do not know interim answers.
            self.continues = version == "1.1" and (self.chunked or self.length > 0)
        return None

    def _put_together(self) -> None:
        self._fixed = b"".join((b" HTTP/1.1\r\nHost: ", self.host, b"\r\n", *self._without_named()))
        self._end = b"\r\n"
        if self.others is not None:
            self._end = self._connection() + b"\r\n"
            via = self.other(b"x-forwarded-for"), self.other(b"forwarded")
            self._via = via if any(via) else None
            context = self.other(b"x-cloud-trace-context"), self.other(b"traceparent")
            self._context = context if any(context) else None

    def _connection(self) -> bytes:
        lines = b""
        if self.chunked:
            lines = b"Transfer-Encoding: chunked\r\n"
            if trailer := self.other(b"trailer"):
                lines += b"Trailer: %b\r\n" % trailer
        if self.takes_trailers:
            lines += b"TE: trailers\r\n"
        options = [b"upgrade"] * bool(self.upgrade) + [b"TE"] * self.takes_trailers
        if options:
            lines += b"Connection: %b\r\n" % b", ".join(options)
        return lines + b"Upgrade: %b\r\n" % self.upgrade if self.upgrade else lines

    def _without_named(self) -> list[bytes]:
        """Drop the headers that the Connection header names: they were for us only."""
        options = {option.strip().lower() for option in self.other(b"connection").split(b",")}
        # Content-Length says how the message is framed, whoever names it.
        named = options - {b"", b"keep-alive", b"close", b"upgrade", b"content-length"}
        if not named:
            return self.lines
        kept: list[bytes] = []
        for at in range(0, len(self.lines), 4):
            if self.lines[at].lower() not in named:
                kept += self.lines[at : at + 4]
        return kept


class Trailers(RequestHead):
    """What follows a body in chunks. None of the special ones: they say how to read a head, which is too late here."""

    __slots__ = ()

    def add_special(self, key: bytes, name: bytes, value: bytes) -> None:
        pass


def _append(old: bytes, value: bytes) -> bytes:
    """Several headers of one name mean the same as one with commas."""
    return b"%b, %b" % (old, value) if old else value
