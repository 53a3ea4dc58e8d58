"""The name server of instances: names of homerun's own, and of everything else what this machine's name servers say.

Services are called `….run.localhost`, which no name server knows. Instances find the router under these names: at the
address of their bridge. All other questions go on as they are, each from a port of its own, so that nobody who does not
see them can guess how to answer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from homerun.engine.oci.doors import METADATA, METADATA_NAMES
from homerun.wire import dns

RESOLV = Path("/etc/resolv.conf")
PATIENCE, IN_ALL = 1.5, 5.0
"""Seconds until the next name server is asked as well, and until nobody waits any more: the client asks again then."""
MOST = 1024
"""Questions on their way. Beyond them, new ones are not taken: they are asked again."""
_LARGEST = 65535

Locate = Callable[[str], Sequence[str] | None]
"""The addresses of a name of ours; None: it is not ours."""


def names_of_ours(gateway: str) -> Locate:
    """All of `*.localhost` is at `gateway`."""

    def locate(name: str) -> Sequence[str] | None:
        if name.endswith(".localhost"):
            return (gateway,)
        if name == "localhost":
            return ("127.0.0.1",)
        return (METADATA,) if name in METADATA_NAMES else None

    return locate


def name_servers(resolv: Path = RESOLV) -> list[str]:
    """Those of this machine, its own included."""
    try:
        words = [line.split() for line in resolv.read_text().splitlines()]
    except OSError:
        return []
    return [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]


class Upstream:
    """This machine's name servers, read again whenever the file has changed."""

    def __init__(self, resolv: Path = RESOLV, port: int = 53) -> None:
        self._resolv, self._port = resolv, port
        self._seen: float | None = None
        self._servers: list[str] = []

    def servers(self) -> list[tuple[str, int]]:
        try:
            changed = self._resolv.stat().st_mtime
        except OSError:
            changed = 0.0
        if changed != self._seen:
            self._seen, self._servers = changed, name_servers(self._resolv)
        return [(server, self._port) for server in self._servers]


class Relay:
    """One question on its way to others. `done(answer)` is called once; with None if nobody has answered."""

    def __init__(self, query: bytes, servers: Sequence[tuple[str, int]], done: Callable[[bytes | None], None]) -> None:
        self._query, self._servers, self._done = query, list(servers), done
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._timers: list[asyncio.TimerHandle] = []

    def start(self) -> None:
        self._timers.append(self._loop.call_later(IN_ALL, self._finish, None))
        self._ask_next()

    def _ask_next(self) -> None:
        if not self._servers:
            if not self._sockets:
                self._finish(None)
            return
        server = self._servers.pop(0)
        asking = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        asking.setblocking(False)
        try:
            asking.connect(server)
            asking.send(self._query)
        except OSError:
            asking.close()
            self._ask_next()
            return
        self._sockets.append(asking)
        self._loop.add_reader(asking, self._read, asking)
        if self._servers:
            self._timers.append(self._loop.call_later(PATIENCE, self._ask_next))

    def _read(self, asking: socket.socket) -> None:
        try:
            reply = asking.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:  # nobody listens there
            self._drop(asking)
            self._ask_next()
            return
        if reply[:2] == self._query[:2]:
            self._finish(reply)

    def _drop(self, asking: socket.socket) -> None:
        self._sockets.remove(asking)
        self._loop.remove_reader(asking)
        asking.close()

    def _finish(self, reply: bytes | None) -> None:
        for timer in self._timers:
            timer.cancel()
        for asking in list(self._sockets):
            self._drop(asking)
        self._servers.clear()
        self._done(reply)

    def cancel(self) -> None:
        self._done = lambda reply: None
        self._finish(None)


class Resolver(asyncio.DatagramProtocol):
    """Over UDP, and over TCP for answers that are too long for it."""

    def __init__(self, locate: Locate, upstream: Upstream | None = None) -> None:
        self._locate, self._upstream = locate, upstream or Upstream()
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._relays: dict[int, Relay] = {}
        self._count = 0

    async def open(self, udp: socket.socket, tcp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=udp)
        self._server = await asyncio.start_server(self._serve, sock=tcp)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._transport is not None:
            self._transport.close()
        for relay in list(self._relays.values()):
            relay.cancel()
        self._relays.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # that of a datagram protocol

    def _answer(self, query: bytes) -> bytes | None:
        """None: it asks about names of others."""
        asked = dns.question(query)
        found = self._locate(asked.name) if asked is not None else None
        return None if asked is None or found is None else dns.answer(query, asked, found)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self._answer(data)) is not None:
            self._send(answer, addr)
        elif len(self._relays) < MOST:
            self._count += 1
            number = self._count
            done = partial(self._answered, number, data, addr)
            relay = self._relays[number] = Relay(data, self._upstream.servers(), done)
            relay.start()

    def _answered(self, number: int, query: bytes, addr: tuple[str, int], reply: bytes | None) -> None:
        self._relays.pop(number, None)
        if reply is not None:
            self._send(reply, addr)
        elif (asked := dns.question(query)) is not None:
            self._send(dns.answer(query, asked, (), dns.SERVFAIL), addr)

    def _send(self, packet: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(packet, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question after the other, each with its length in front."""
        try:
            while True:
                async with asyncio.timeout(IN_ALL):
                    query = await _read_message(reader)
                    reply = self._answer(query) or await _ask_over_tcp(query, self._upstream.servers())
                writer.write(len(reply).to_bytes(2) + reply)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # it has had enough, or there is no answer
        finally:
            writer.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))


async def _ask_over_tcp(query: bytes, servers: Sequence[tuple[str, int]]) -> bytes:
    """Raises OSError."""
    for host, port in servers:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            continue
        try:
            writer.write(len(query).to_bytes(2) + query)
            return await _read_message(reader)
        finally:
            writer.close()
    raise OSError("no name server can be reached")
