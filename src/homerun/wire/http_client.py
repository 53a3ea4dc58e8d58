"""A request to an HTTP server at a known address, of whose answer only the status and a redirect matter.

Names are looked up elsewhere, so that what was checked is what is connected to. Nothing is kept open, and what a server
says is read to its end, so that none has to see its client go in the midst of it.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from homerun.lib.errors import Unavailable

_HEAD_LIMIT = 64 << 10
_PIECE = 64 << 10


class CannotConnect(Unavailable):
    """Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`host`: an IP address. `tls`: the name that it must have a certificate for; None: no TLS. `verify` False: it is
    on this machine, and is believed."""

    host: str
    port: int
    tls: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str = ""


async def exchange(peer: Peer, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """`target`: path and query. `headers` include Host; framing is added. Raises Unavailable."""
    context = await asyncio.to_thread(_context, peer.verify) if peer.tls is not None else None
    try:
        reader, writer = await asyncio.open_connection(peer.host, peer.port, ssl=context, server_hostname=peer.tls)
    except ssl.SSLError as error:
        raise CannotConnect(f"TLS with {peer.tls} failed: {_words(error)}") from error
    except OSError as error:
        raise CannotConnect(f"cannot connect to {peer.host} port {peer.port}: {_words(error)}") from error
    try:
        writer.write(_request(method, target, headers, body))
        return await _answer(reader, method)
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(f"the connection to {peer.host} port {peer.port} broke: {_words(error)}") from error
    finally:
        writer.close()


def _request(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    parsed = _Parsed(bodiless=method == "HEAD")
    while not parsed.complete:
        data = await reader.read(_PIECE)
        if not data:
            break
        parsed.feed(data)
    if not parsed.ended:
        raise Unavailable("the target closed the connection before its answer was complete")
    return Answer(parsed.status, parsed.location)


class _Parsed:
    """What is known of an answer so far."""

    def __init__(self, *, bodiless: bool) -> None:
        self.status, self.location = 0, ""
        self.complete = False
        self._bodiless, self._framed, self._in_head = bodiless, False, True
        self._size = 0
        self._parser = HttpResponseParser(self)

    @property
    def ended(self) -> bool:
        """With the connection, if not before."""
        return self.complete or (not self._in_head and not self._framed)

    def feed(self, data: bytes) -> None:
        if self._in_head:
            self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.complete:
                raise Unavailable("the target's answer is not one of HTTP/1") from None
        if self._in_head and self._size > _HEAD_LIMIT:
            raise Unavailable("the head of the target's answer is too long")

    # For httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"location":
                self.location = value.decode("latin-1")
            case b"content-length" | b"transfer-encoding":
                self._framed = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._framed = False
            return  # the answer proper follows
        self._in_head = False
        self.complete = self._bodiless

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200


@functools.cache
def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
