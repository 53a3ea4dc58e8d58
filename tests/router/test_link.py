"""The router's end of the link, on a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from homerun.router.link import ControlLink
from homerun.wire import link
from homerun.wire.link import (
    Demand,
    FrameDecoder,
    Hello,
    InstanceDrained,
    InstanceGone,
    RequestLog,
    RouteGone,
    Snapshot,
    ToControl,
    ToRouter,
)

pytestmark = pytest.mark.sockets


class Control(asyncio.Protocol):
    """Control's end: remembers what it hears."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[ToControl] = []
        self.transports: list[asyncio.Transport] = []
        self._frames = FrameDecoder()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: self, str(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in self.transports:
            transport.abort()
        await asyncio.sleep(0.01)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self.heard += map(link.decode_to_control, self._frames.feed(data))

    def say(self, *messages: ToRouter) -> None:
        self.transports[-1].write(b"".join(map(link.encode, messages)))


class Ends:
    def __init__(self, path: Path) -> None:
        self.control = Control(path)
        self.applied: list[ToRouter] = []
        self.loads = [Demand("r", 1, 2)]
        self.link = ControlLink(path, lambda: Hello(7, self.loads), self.applied.append)
        self.task = asyncio.get_running_loop().create_task(self.link.run())


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[Ends]:
    made = Ends(tmp_path / "control.sock")
    yield made
    made.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await made.task
    made.link.close()
    await made.control.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_router_says_hello_first_and_hears_what_control_says(ends: Ends) -> None:
    await ends.control.listen()
    await until(lambda: ends.control.heard)
    assert ends.control.heard == [Hello(7, [Demand("r", 1, 2)])]
    ends.control.say(RouteGone("s"), InstanceGone("i"))
    await until(lambda: len(ends.applied) == 2)
    assert ends.applied == [RouteGone("s"), InstanceGone("i")]


async def test_a_router_waits_for_control_to_come_and_to_come_back(ends: Ends) -> None:
    await asyncio.sleep(0.2)
    ends.link.send(Demand("lost", 1, 0))
    await ends.control.listen()
    await until(lambda: ends.control.heard)
    await ends.control.stop()
    await until(lambda: "down" in repr(ends.link))
    ends.loads = [Demand("r", 5, 0)]
    await ends.control.listen()
    await until(lambda: len(ends.control.heard) == 2)
    assert ends.control.heard[1] == Hello(7, [Demand("r", 5, 0)])
    ends.link.send(Demand("r", 6, 0))
    await until(lambda: len(ends.control.heard) == 3)


async def test_that_an_instance_has_drained_is_news_only_to_who_has_said_what_it_wants(ends: Ends) -> None:
    await ends.control.listen()
    await until(lambda: ends.control.heard)
    ends.link.send(InstanceDrained("again in use"))
    ends.link.send(Demand("r", 1, 0))
    await until(lambda: len(ends.control.heard) == 2)
    ends.control.say(Snapshot([], [], [], ["i"]))
    await until(lambda: ends.applied)
    ends.link.send(InstanceDrained("i"))
    await until(lambda: len(ends.control.heard) == 3)
    assert ends.control.heard[1:] == [Demand("r", 1, 0), InstanceDrained("i")]


async def test_who_speaks_another_protocol_is_hung_up_on(ends: Ends) -> None:
    await ends.control.listen()
    await until(lambda: ends.control.heard)
    ends.control.transports[0].write(b"\xff\xff\xff\xff")
    await until(lambda: len(ends.control.heard) == 2)
    assert isinstance(ends.control.heard[1], Hello)
    assert ends.applied == []


def log(number: int) -> RequestLog:
    return RequestLog("r", "i", 1.5, 0.25, b"GET", b"http://a/%d" % number, 200, 1, 2, b"agent" * 100, "ip", b"trace")


async def test_logs_go_in_one_piece_and_are_dropped_when_control_does_not_listen(ends: Ends) -> None:
    await ends.control.listen()
    await until(lambda: ends.control.heard)
    ends.link.send_logs([])
    ends.link.send_logs([log(n) for n in range(100)])
    await until(lambda: len(ends.control.heard) == 101)
    assert ends.control.heard[1:] == [log(n) for n in range(100)]
    ends.control.transports[0].pause_reading()
    for _ in range(400):
        ends.link.send_logs([log(n) for n in range(100)])
    assert 0 < ends.link.dropped < 40_000
    ends.link.send(Demand("r", 1, 0))
    ends.control.transports[0].resume_reading()
    await until(lambda: Demand("r", 1, 0) in ends.control.heard)
    assert len(ends.control.heard) == 101 + 40_000 - ends.link.dropped + 1


async def test_the_last_logs_wait_for_control_to_come_back(ends: Ends) -> None:
    assert not ends.link.up
    ends.link.send_logs([log(n) for n in range(10_010)])
    assert ends.link.dropped == 10
    await ends.control.listen()
    await until(lambda: len(ends.control.heard) == 10_001)
    assert ends.control.heard[1:] == [log(n) for n in range(10, 10_010)]
    ends.link.send_logs([log(1)])
    await until(lambda: len(ends.control.heard) == 10_002)


@pytest.mark.looptime
async def test_a_long_absence_of_control_is_said_once_and_a_short_one_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = asyncio.create_task(ControlLink(tmp_path / "nobody", lambda: Hello(1, []), lambda _: None).run())
    await asyncio.sleep(0.5)
    assert not caplog.records
    await asyncio.sleep(60)
    waiting.cancel()
    [record] = caplog.records
    assert "cannot be reached: No such file or directory" in record.getMessage()
