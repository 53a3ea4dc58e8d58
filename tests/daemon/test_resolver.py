"""The name server of instances, with a stand-in for the name servers of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homerun.daemon import resolver
from homerun.daemon.resolver import Resolver, Upstream, name_servers, names_of_ours
from homerun.wire import dns
from tests.wire.test_dns import query

pytestmark = pytest.mark.sockets


class StandIn(asyncio.DatagramProtocol):
    """Answers every question with one address, over UDP and TCP on one port of 127.0.0.N."""

    def __init__(self, host: str, address: str = "192.0.2.1") -> None:
        self.host, self.address = host, address
        self.silent = False
        self.asked: list[str] = []
        self.port = 0

    def reply(self, data: bytes) -> bytes:
        asked = dns.question(data)
        assert asked is not None
        self.asked.append(asked.name)
        return dns.answer(data, asked, [self.address])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self.reply(data)
        if not self.silent:
            self.transport.sendto(b"xx" + reply[2:], addr)  # type: ignore[attr-defined]  # for somebody else
            self.transport.sendto(reply, addr)  # type: ignore[attr-defined]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = self.reply(await resolver._read_message(reader))
        writer.write(len(reply).to_bytes(2) + reply)
        writer.close()


class World:
    """A resolver, and sockets to ask it with."""

    def __init__(self, resolv: Path) -> None:
        self.resolv = resolv
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for each in (self.udp, self.tcp):
            each.setblocking(False)
            each.bind(("127.0.0.1", 0))

    async def ask(self, packet: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(self.udp.getsockname())
            await loop.sock_sendall(client, packet)
            async with asyncio.timeout(30):
                return await loop.sock_recv(client, 65535)

    async def ask_tcp(self, *packets: bytes) -> list[bytes]:
        reader, writer = await asyncio.open_connection(*self.tcp.getsockname())
        replies = []
        with contextlib.suppress(asyncio.IncompleteReadError):
            for packet in packets:
                writer.write(len(packet).to_bytes(2) + packet)
                replies.append(await resolver._read_message(reader))
        writer.close()
        return replies


@asynccontextmanager
async def world(tmp_path: Path, *stand_ins: StandIn) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    made = World(tmp_path / "resolv.conf")
    made.resolv.write_text("".join(f"nameserver {each.host}\n" for each in stand_ins))
    servers, port = [], 0
    for each in stand_ins:
        server = await asyncio.start_server(each.serve, each.host, port)
        port = server.sockets[0].getsockname()[1]
        await loop.create_datagram_endpoint(lambda each=each: each, local_addr=(each.host, port))
        servers.append(server)
    opened = Resolver(names_of_ours("10.9.0.1"), Upstream(made.resolv, port or 9))
    await opened.open(made.udp, made.tcp)
    try:
        yield made
    finally:
        opened.close()
        for server, each in zip(servers, stand_ins, strict=True):
            server.close()
            each.transport.close()


def addresses(reply: bytes) -> list[str]:
    count = int.from_bytes(reply[6:8])
    return [socket.inet_ntoa(reply[len(reply) - 16 * at - 4 : len(reply) - 16 * at]) for at in range(count)][::-1]


async def test_names_of_ours_are_answered_here_and_all_others_there(tmp_path: Path) -> None:
    outside = StandIn("127.0.0.2")
    async with world(tmp_path, outside) as w:
        for name, expected in (
            ("hello-1.us-central1.run.localhost", ["10.9.0.1"]),
            ("TAG---Hello-1.us-central1.RUN.localhost", ["10.9.0.1"]),
            ("localhost", ["127.0.0.1"]),
            ("metadata.google.internal", ["169.254.169.254"]),
            ("example.com", ["192.0.2.1"]),
            ("notlocalhost", ["192.0.2.1"]),
            ("localhost.example.com", ["192.0.2.1"]),
        ):
            for reply in (await w.ask(query(name, id=4711)), *await w.ask_tcp(query(name, id=4711))):
                assert (reply[:2], addresses(reply)) == ((4711).to_bytes(2), expected), name
        assert addresses(await w.ask(query("x.localhost", kind=28))) == []
        assert sorted(set(outside.asked)) == ["example.com", "localhost.example.com", "notlocalhost"]
        assert len(await w.ask_tcp(query("a.localhost"), query("example.com"), query("b.localhost"))) == 3


async def test_many_at_once_each_get_their_own(tmp_path: Path) -> None:
    async with world(tmp_path, StandIn("127.0.0.2")) as w:
        replies = await asyncio.gather(*(w.ask(query(f"host{id}.example", id=id)) for id in range(100)))
        assert [int.from_bytes(reply[:2]) for reply in replies] == list(range(100))


async def test_the_next_name_server_is_asked_when_the_first_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "PATIENCE", 0.05)
    first, second = StandIn("127.0.0.2"), StandIn("127.0.0.3", "192.0.2.2")
    first.silent = True
    async with world(tmp_path, first, second) as w:
        assert addresses(await w.ask(query("example.com"))) == ["192.0.2.2"]
        assert (first.asked, second.asked) == (["example.com"], ["example.com"])


async def test_a_name_server_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    second = StandIn("127.0.0.3")
    async with world(tmp_path, second) as w:
        w.resolv.write_text("nameserver 127.0.0.99\nnameserver 127.0.0.3\n")
        os.utime(w.resolv, (1, 1))
        assert addresses(await w.ask(query("example.com"))) == ["192.0.2.1"]
        assert [addresses(reply) for reply in await w.ask_tcp(query("example.com"))] == [["192.0.2.1"]]


async def test_without_any_the_question_fails_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        reply = await w.ask(query("example.com"))
        assert reply[3] & 0xF == dns.SERVFAIL
        assert await w.ask_tcp(query("example.com")) == []


async def test_when_all_are_silent_it_fails_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "IN_ALL", 0.2)
    silent = StandIn("127.0.0.2")
    silent.silent = True
    async with world(tmp_path, silent) as w:
        assert (await w.ask(query("example.com")))[3] & 0xF == dns.SERVFAIL


def test_name_servers_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    assert name_servers(file) == []
    file.write_text("# nameserver 1.1.1.1\nsearch x\nnameserver 127.0.0.53\nnameserver\n  nameserver ::1 # comment\n")
    assert name_servers(file) == ["127.0.0.53", "::1"]
