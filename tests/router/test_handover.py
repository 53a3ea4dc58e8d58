"""Which router gets a connection, and that nothing of it is lost or said twice on the way."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.core.ownership import Share
from homerun.lib.http2.frames import PREFACE, SETTINGS_ACK, settings
from homerun.router.handover import CHUNK, MORE, Channel
from homerun.router.options import Options
from homerun.router.protocol import ClientConnection
from homerun.router.server import Router
from homerun.wire.link import InstanceUp, RevisionSet, RouteSet, Target
from tests.router.test_protocol import body, status
from tests.support.http2 import Client
from tests.support.loops import run_virtual
from tests.support.router import OK, World
from tests.support.transport import MockTransport

MINE, THEIRS = "mine.example", "theirs.example"


class Given:
    """In the place of the other routers: keeps what it is given."""

    def __init__(self) -> None:
        self.gifts: list[tuple[int, bytes]] = []

    def give(self, owner: int, transport: asyncio.Transport, data: bytes) -> None:
        self.gifts.append((owner, data))
        transport.abort()


class Patient(MockTransport):
    """As an event loop does it: what waits is read a little later, not within the call that asks for it."""

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True
        asyncio.get_running_loop().call_soon(self._catch_up)

    def feed(self, data: bytes) -> None:
        if not self.closing:
            self._unread.append(data)
            self._catch_up()

    def _catch_up(self) -> None:
        while self._unread and self.reading and not self.closing:
            self.protocol.data_received(self._unread.pop(0))


class Shared(World):
    """Router 0 of 2: the service of mine.example is its own, that of theirs.example is not. Concurrency 2."""

    def __init__(self) -> None:
        super().__init__()
        share = Share(0, 2)
        self.router = Router(Path("/nowhere"), Options(), self.router.clock, self.network, share)  # type: ignore[arg-type]
        self.control = MockTransport(self.router.link)
        self.reports()
        self.given = Given()
        self.router.peers = self.given  # type: ignore[assignment]
        names = [f"projects/p/locations/l/services/s{n}" for n in range(20)]
        mine = next(name for name in names if share.owns(name))
        theirs = next(name for name in names if not share.owns(name))
        for service, host, port in ((mine, MINE, 1), (theirs, THEIRS, 2)):
            revision = f"{service}/revisions/r"
            self.router.apply(RevisionSet(revision, 2, 300, 10, 100))
            self.router.apply(RouteSet(service, [host], [Target(revision, 100, "blue")]))
            self.router.apply(InstanceUp(revision, f"i{port}", "10.0.0.1", port))

    def client(self, data: bytes = b"", peer: str = "192.0.2.7") -> MockTransport:
        transport = Patient(ClientConnection(self.router), peer)
        transport.feed(data)
        return transport


@pytest.fixture
async def shared() -> AsyncIterator[Shared]:
    made = Shared()
    yield made
    await made.close()


def get(host: str, path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.looptime
async def test_a_connection_goes_to_the_owner_of_its_first_requests_host(shared: Shared) -> None:
    client = shared.client(get(THEIRS))
    assert shared.given.gifts == [(1, get(THEIRS))]
    assert client.aborted and client.take() == b""
    await shared.settle()
    assert not shared.router.clients
    assert shared.network.connections == {}


@pytest.mark.looptime
async def test_hosts_of_tags_belong_where_their_service_does(shared: Shared) -> None:
    shared.client(get(f"blue---{THEIRS.upper()}:8080"))
    assert [owner for owner, _ in shared.given.gifts] == [1]


@pytest.mark.looptime
async def test_everything_that_was_read_goes_along(shared: Shared) -> None:
    post = f"POST / HTTP/1.1\r\nHost: {THEIRS}\r\nContent-Length: 5\r\n\r\nabc".encode()
    everything = post + b"de" + get(MINE) + get(THEIRS)
    shared.client(everything)
    shared.client(post)
    assert shared.given.gifts == [(1, everything), (1, post)]


@pytest.mark.looptime
async def test_a_head_that_came_in_pieces_goes_as_a_whole(shared: Shared) -> None:
    client = shared.client()
    for at in range(0, len(get(THEIRS)), 7):
        client.feed(get(THEIRS)[at : at + 7])
    assert b"".join(data for _, data in shared.given.gifts) == get(THEIRS)


@pytest.mark.looptime
async def test_a_later_request_takes_the_connection_along_when_nothing_else_is_on_it(shared: Shared) -> None:
    client = shared.client(get(MINE))
    await shared.serve(1)
    assert client.take() == OK
    client.feed(get(THEIRS)[:30])
    client.feed(get(THEIRS)[30:])
    assert shared.given.gifts == [(1, get(THEIRS))]
    assert client.take() == b""


@pytest.mark.looptime
async def test_behind_a_request_in_flight_another_host_is_misdirected(shared: Shared) -> None:
    client = shared.client(get(MINE) + get(THEIRS))
    await shared.serve(1)
    answers = client.take()
    assert answers.startswith(OK)
    assert status(answers.removeprefix(OK)) == 421
    assert b"Connection: close" in answers and client.closing
    assert shared.given.gifts == []


@pytest.mark.looptime
async def test_behind_a_refusal_in_the_same_bytes_another_host_is_misdirected(shared: Shared) -> None:
    client = shared.client(get("unknown.example") + get(THEIRS))
    answers = client.take()
    assert status(answers) == 404 and b"HTTP/1.1 421 " in answers
    assert shared.given.gifts == []
    again = shared.client(get("unknown.example"))
    await shared.settle()
    again.feed(get(THEIRS))
    assert shared.given.gifts == [(1, get(THEIRS))]


@pytest.mark.looptime
async def test_behind_the_end_of_a_refused_body_another_host_is_misdirected(shared: Shared) -> None:
    client = shared.client(b"POST / HTTP/1.1\r\nHost: unknown.example\r\nContent-Length: 70\r\n\r\n")
    assert status(client.take()) == 404
    await shared.settle()
    client.feed(get(THEIRS).ljust(70, b"x") + get(THEIRS))
    assert status(client.take()) == 421
    assert shared.given.gifts == []


@pytest.mark.looptime
async def test_what_is_not_written_yet_stays_with_its_connection(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shared.client(get(MINE))
    await shared.serve(1)
    monkeypatch.setattr(client, "get_write_buffer_size", lambda: 1)
    client.take()
    client.feed(get(THEIRS))
    assert status(client.take()) == 421


@pytest.mark.looptime
async def test_an_encrypted_connection_stays_where_its_keys_are(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shared.client()
    monkeypatch.setattr(client, "get_extra_info", lambda name, default=None: name == "sslcontext" or default)
    client.feed(get(THEIRS))
    assert status(client.take()) == 421


@pytest.mark.looptime
async def test_a_router_that_is_alone_keeps_everything(world: World) -> None:
    assert world.router.peers is None


@pytest.mark.looptime
async def test_what_belongs_to_others_costs_no_memory(shared: Shared) -> None:
    assert list(shared.router.instances) == ["i1"]
    assert len(shared.router.activators) == 1


# The way to another router, over real sockets


class Owner:
    """The other end."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._channel: socket.socket | None = None

    def take(self) -> tuple[socket.socket, bytes]:
        """Blocks: what is to be taken has been sent."""
        if self._channel is None:
            self._channel, _ = self._listener.accept()
        packet, fds, _, _ = socket.recv_fds(self._channel, CHUNK + 1, 1)
        data = packet[1:]
        while packet[:1] == MORE:
            packet = self._channel.recv(CHUNK + 1)
            data += packet[1:]
        return socket.socket(fileno=fds[0]), data

    def close(self) -> None:
        self._listener.close()
        if self._channel is not None:
            self._channel.close()


def channel(path: Path, patience: float) -> Channel:
    loop = asyncio.get_running_loop()
    return Channel(path, loop, loop.time, patience)


@pytest.mark.sockets
async def test_connections_wait_for_an_owner_that_is_away_and_come_in_their_order(tmp_path: Path) -> None:
    sending = channel(tmp_path / "peer", 30)
    clients = []
    for number in range(3):
        client, ours = socket.socketpair()
        sending.give(ours.detach(), b"%d" % number * (CHUNK + number))
        clients.append(client)
    owner = Owner(tmp_path / "peer")
    for number, client in enumerate(clients):
        taken, data = await asyncio.to_thread(owner.take)
        assert data == b"%d" % number * (CHUNK + number)
        taken.send(b"hello")
        assert client.recv(9) == b"hello"
        taken.close()
        # Nobody else holds it: the client sees it end.
        assert client.recv(9) == b""
        client.close()
    sending.close()
    owner.close()


@pytest.mark.sockets
async def test_when_there_is_no_room_nothing_is_lost(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "peer")
    sending = channel(tmp_path / "peer", 30)
    client, ours = socket.socketpair()
    for number in range(50):
        sending.give(os.dup(ours.fileno()), b"%d" % (number % 10) * (2 * CHUNK))
    ours.close()
    assert "up" in repr(sending) and "0 waiting" not in repr(sending)
    for number in range(50):
        taken, data = await asyncio.to_thread(owner.take)
        assert data == b"%d" % (number % 10) * (2 * CHUNK)
        taken.close()
    for each in (sending, owner, client):
        each.close()


@pytest.mark.sockets
@pytest.mark.parametrize("ending", ["patience", "closed"])
async def test_an_owner_that_does_not_come_is_missed_with_503(tmp_path: Path, ending: str) -> None:
    sending = channel(tmp_path / "peer", 0.1 if ending == "patience" else 30)
    client, ours = socket.socketpair()
    ours.setblocking(False)
    client.send(b"more of it")
    sending.give(ours.detach(), get(THEIRS))
    if ending == "closed":
        sending.close()
    answer = await asyncio.to_thread(client.recv, 1 << 16)
    assert status(answer) == 503
    assert b"Retry-After: 1\r\n" in answer and b"Connection: close\r\n" in answer
    assert client.recv(9) == b""
    client.close()
    sending.close()


Requests = st.lists(st.sampled_from([MINE, THEIRS, "unknown.example"]), min_size=1, max_size=5)


@given(Requests, st.lists(st.integers(1, 60), max_size=30), st.data())
def test_however_the_bytes_come_each_request_is_answered_once_or_handed_over_whole(
    hosts: Sequence[str], cuts: Sequence[int], data: st.DataObject
) -> None:
    """Answered here, in order, until the first of another router's: from there on all bytes are that one's, or it is
    told to come again and nothing more is answered."""
    settles = data.draw(st.lists(st.booleans(), min_size=len(cuts) + 1, max_size=len(cuts) + 1))

    async def play() -> None:
        shared = Shared()
        stream = b"".join(get(host, f"/{number}") for number, host in enumerate(hosts))
        client, rest = shared.client(), stream
        for size, settle in zip([*cuts, len(stream)], settles, strict=True):
            client.feed(rest[:size])
            rest = rest[size:]
            if settle:
                await answer(shared)
        await answer(shared)
        first = hosts.index(THEIRS) if THEIRS in hosts else len(hosts)
        expected = [200 if host == MINE else 404 for host in hosts[:first]]
        got = statuses(client.take())
        if shared.given.gifts:
            [(owner, handed)] = shared.given.gifts
            assert owner == 1
            assert stream[stream.index(b"GET /%d " % first) :].startswith(handed)
            assert got == expected
        else:
            assert got == expected + [421] * (first < len(hosts))
        await shared.close()

    run_virtual(play())


async def answer(shared: Shared) -> None:
    """The instance answers whatever it has been asked."""
    await shared.settle()
    while connections := [each for each in shared.open(1) if each.written]:
        for connection in connections:
            connection.take()
            connection.feed(OK)
        await shared.settle()


def statuses(stream: bytes) -> list[int]:
    found: list[Any] = []
    while stream:
        found.append(status(stream))
        head, _, rest = stream.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert len(body(stream)) >= length
        stream = rest[length:]
    return found


# HTTP/2


@pytest.mark.looptime
async def test_a_connection_of_http2_goes_to_the_owner_of_its_first_streams_host(shared: Shared) -> None:
    client = Client(shared)
    client.ask(host=THEIRS)
    [(owner, said)] = shared.given.gifts
    assert owner == 1
    assert said.startswith(PREFACE)
    assert client.transport.aborted
    await shared.settle()
    assert not shared.router.clients
    owns = World()
    owns.service(1)
    owns.route(Target("r", 100), host=THEIRS)
    owns.client(said)
    assert (await owns.serve(1)).startswith(f"GET / HTTP/1.1\r\nHost: {THEIRS}\r\n".encode())
    await owns.close()


@pytest.mark.looptime
async def test_settings_are_acknowledged_once(shared: Shared) -> None:
    client = Client(shared)
    client.hear()
    await shared.settle()
    assert client.transport.take().count(SETTINGS_ACK) == 1
    client.ask(host=THEIRS)
    [(_, said)] = shared.given.gifts
    owns = World()
    taken = owns.client(said)
    await owns.settle()
    assert SETTINGS_ACK not in taken.take()
    taken.feed(settings({}))
    await owns.settle()
    assert SETTINGS_ACK in taken.take()
    await owns.close()


@pytest.mark.looptime
async def test_who_has_been_answered_stays(shared: Shared) -> None:
    client = Client(shared)
    client.ask(host="unknown.example")
    await shared.settle()
    stream = client.ask(host=THEIRS)
    await shared.settle()
    client.hear()
    assert client.status(stream) == 421
    assert not shared.given.gifts


@pytest.mark.looptime
async def test_a_stream_for_another_routers_host_among_others_is_misdirected(shared: Shared) -> None:
    client = Client(shared)
    client.ask(host=MINE)
    stream = client.ask(host=THEIRS)
    await shared.settle()
    client.hear()
    assert client.status(stream) == 421
    assert not shared.given.gifts
