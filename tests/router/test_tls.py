"""TLS without sockets: clients that are OpenSSL too, and connections that are cut, mixed and broken."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from pathlib import Path

import pytest

from homerun.router.certificates import Certificates
from homerun.router.secure import SecureConnection
from homerun.router.tls import Buffers, TlsTransport
from homerun.wire.authority import Authority
from tests.support.clock import LoopClock
from tests.support.router import GET, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime

NAME = "hello.run.localhost"
AUTHORITY = Authority(Authority.generate(1_700_000_000), "ca.pem")
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


class Listener(asyncio.Protocol):
    """In the place of the router's own protocol: all that is said is kept."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.calls: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        assert data
        self.heard += data

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append("lost")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")


class Client:
    """Its end of a connection, and the socket between."""

    def __init__(self, port: Port, above: asyncio.Protocol, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=NAME)
        self.buffers = port.buffers
        self.transport = TlsTransport(port.world.router, port.buffers, port.certificates.context, above)
        self.socket = MockTransport(self.transport)
        self.heard = bytearray()
        self.ended = False
        self.move()

    def says(self) -> bytes:
        """Encrypted, to be fed to the socket."""
        return self._out.read()

    def feed(self, data: bytes) -> None:
        self.socket.feed(data)
        self.check()

    def check(self) -> None:
        assert not self.buffers.incoming.pending and not self.buffers.outgoing.pending, "the others' bytes would follow"

    def move(self) -> None:
        """Understand what has come."""
        self._in.write(self.socket.take())
        with contextlib.suppress(ssl.SSLWantReadError):
            if self.tls.version() is None or not self.tls.cipher():
                self.tls.do_handshake()
            while piece := self.tls.read(1 << 16):
                self.heard += piece
            self.ended = True

    def shake(self) -> Client:
        for _ in range(3):
            self.feed(self.says())
            self.move()
        return self

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self.feed(self.says())


class Port:
    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.buffers = world, Buffers()
        self.certificates = Certificates(folder, AUTHORITY, LoopClock())


@pytest.fixture
def port(world: World, tmp_path: Path) -> Port:
    return Port(world, tmp_path)


@VERSIONS
async def test_both_ends_hear_what_the_other_says_whatever_its_size(port: Port, version: ssl.TLSVersion) -> None:
    listener = Listener()
    client = Client(port, listener, version).shake()
    assert listener.calls == ["made"] and not port.world.router.shaking
    for size in (1, 100, 16 << 10, (16 << 10) + 1, 300_000):
        listener.heard.clear()
        client.heard.clear()
        client.say(b"q" * size)
        assert listener.heard == b"q" * size
        listener.transport.write(b"a" * size)
        client.move()
        assert client.heard == b"a" * size
    client.check()


@VERSIONS
async def test_many_connections_cut_anywhere_never_hear_each_other(port: Port, version: ssl.TLSVersion) -> None:
    choose = random.Random(1)
    listeners = [Listener() for _ in range(5)]
    clients = [Client(port, listener, version) for listener in listeners]
    waiting = [bytearray() for _ in clients]
    said = [b"", b"", b"", b"", b""]
    while any(len(listener.heard) < 40_000 for listener in listeners):
        at = choose.randrange(len(clients))
        client, data = clients[at], waiting[at]
        data += client.says()
        piece = choose.choice((1, 7, 100, 5000))
        client.feed(bytes(data[:piece]))
        del data[:piece]
        client.move()
        if listeners[at].calls == ["made"] and not data:
            more = bytes([65 + at]) * choose.choice((1, 1000, 30_000))
            client.tls.write(more)
            listeners[at].transport.write(more)
            said[at] += more
            client.move()
            assert client.heard == said[at]
    for at, listener in enumerate(listeners):
        assert said[at].startswith(listener.heard)


async def test_a_request_right_behind_the_handshake_is_heard(port: Port) -> None:
    listener = Listener()
    client = Client(port, listener)
    client.feed(client.says())
    client.move()
    client.tls.write(b"hello")
    client.feed(client.says())
    assert listener.heard == b"hello" and listener.calls == ["made"]


async def test_the_router_serves_it_and_says_that_it_ends(port: Port) -> None:
    port.world.service(1)
    client = Client(port, SecureConnection(port.world.router)).shake()
    client.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert b"X-Forwarded-Proto: https\r\n" in await port.world.serve(1)
    client.move()
    assert client.heard.startswith(b"HTTP/1.1 200 OK\r\n") and client.heard.endswith(b"hello")
    assert client.ended and client.socket.eof and not client.socket.closing, "it waits for the client's end"
    client.feed(b"whatever it still sends")
    client.socket.end()
    await asyncio.sleep(0)
    assert client.socket.lost and not client.socket.aborted and not port.world.router.clients


async def test_a_client_that_does_not_close_its_end_is_cut_off_when_it_has_its_answer(port: Port) -> None:
    listener = Listener()
    client = Client(port, listener).shake()
    client.socket.untaken = 1000
    listener.transport.close()
    await asyncio.sleep(3 * port.world.router.options.linger)
    assert not client.socket.closing, "it takes its answer slowly"
    client.socket.untaken = 0
    await asyncio.sleep(2 * port.world.router.options.linger)
    assert client.socket.aborted and listener.calls == ["made", "lost"]


@pytest.mark.parametrize("goodbye", [True, False])
async def test_the_end_of_the_client_is_the_end(port: Port, goodbye: bool) -> None:
    listener = Listener()
    client = Client(port, listener).shake()
    client.tls.write(b"the last")
    if goodbye:
        with contextlib.suppress(ssl.SSLWantReadError):
            client.tls.unwrap()
    client.feed(client.says() + b"beyond the end" * goodbye)
    client.socket.end()
    await asyncio.sleep(0)
    assert listener.heard == b"the last" and listener.calls == ["made", "eof", "lost"]
    listener.transport.write(b"too late")
    client.check()


async def test_a_broken_record_ends_its_connection_only(port: Port) -> None:
    good, bad = Listener(), Listener()
    client, broken = Client(port, good).shake(), Client(port, bad).shake()
    client.tls.write(b"x" * 10_000)
    half = client.says()
    client.feed(half[:5000])
    broken.tls.write(b"y" * 100)
    spoilt = bytearray(broken.says())
    spoilt[50] ^= 1
    broken.feed(bytes(spoilt) + b"and more")
    assert not bad.heard and bad.transport.is_closing()
    with pytest.raises(ssl.SSLError):  # the alert
        broken.move()
    client.feed(half[5000:])
    assert good.heard == b"x" * 10_000


async def test_nonsense_instead_of_a_handshake_is_answered_by_an_alert(port: Port) -> None:
    listener = Listener()
    client = Client(port, listener)
    client.feed(b"\x16\x03\x01\x00\x05nonse" + b"and more of it")
    assert client.socket.take().startswith(b"\x15"), "an alert"
    assert client.socket.eof and listener.calls == []
    client.socket.end()
    await asyncio.sleep(0)
    assert not port.world.router.shaking and listener.calls == []


async def test_who_stops_in_the_middle_of_the_handshake_is_cut_off_in_time(port: Port) -> None:
    listener = Listener()
    client = Client(port, listener)
    client.feed(client.says()[:100])
    await asyncio.sleep(port.world.router.options.handshake_timeout - 1)
    assert len(port.world.router.shaking) == 1 and not client.socket.closing
    await asyncio.sleep(2)
    assert client.socket.aborted and not port.world.router.shaking and listener.calls == []


async def test_who_makes_us_answer_and_takes_nothing_is_cut_off(port: Port) -> None:
    client = Client(port, Listener())
    client.socket.untaken = 5 << 20
    client.feed(client.says())
    assert client.socket.aborted


async def test_what_is_behind_is_told_to_write_slowly_and_may_stop_reading(port: Port) -> None:
    listener = Listener()
    client = Client(port, listener).shake()
    client.socket.choke()
    client.socket.relieve()
    assert listener.calls == ["made", "pause", "resume"]
    listener.transport.pause_reading()
    client.say(b"later")
    assert not listener.heard
    listener.transport.resume_reading()
    assert listener.heard == b"later"
    listener.transport.pause_reading()
    listener.transport.close()
    assert client.socket.reading, "or the client's end would never be seen"
