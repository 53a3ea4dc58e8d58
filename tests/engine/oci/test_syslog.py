"""The socket of a container that there is not: its root is a folder of ours."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.base import ContainerSpec, InstanceSpec
from homerun.engine.oci import logfile, syslog
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.records import Record
from homerun.engine.oci.syslog import AT_ONCE, Syslog
from homerun.lib.clock import SystemClock

pytestmark = pytest.mark.sockets


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    """Where the container's /dev/log is. Its path is short enough for a socket."""
    with pytest.MonkeyPatch.context() as patch:
        real = os.open
        folder = tmp_path / "dev"
        folder.mkdir()

        def opened(path: str, flags: int, *mode: int, **more: int) -> int:
            return real(str(folder) if path == "/proc/7/root/dev" else path, flags, *mode, **more)

        patch.setattr(syslog.os, "open", opened)
        yield folder / "log"


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    (tmp_path / "logs").mkdir()
    made = Logs(tmp_path / "logs")
    made.open()
    return made


def container(tmp_path: Path, sent: socket.socket | None) -> Instance:
    spec = InstanceSpec("i", (ContainerSpec("image"),), {"service": "s"})
    instance = Instance(spec, Record(tmp_path), 0)
    instance.parts[0].syslog = sent
    return instance


def client(box: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.connect(str(box))
    except OSError:
        made.close()
        raise
    return made


def texts(logs: Logs) -> list[str]:
    return [line.text for line in logfile.read(logs.file("i~"), since=0, until=None, limit=None, ended=True)]


async def until(logs: Logs, count: int) -> list[str]:
    async with asyncio.timeout(60):
        while len(found := texts(logs)) < count:
            await asyncio.sleep(0.01)
    return found


async def test_each_message_is_a_line_of_the_container_that_sent_it(box: Path, logs: Logs, tmp_path: Path) -> None:
    instance = container(tmp_path, syslog.bind(7))
    inbox = Syslog(logs, SystemClock())
    inbox.attach(instance, instance.parts[0])
    assert box.stat().st_mode & 0o777 == 0o666, "whoever the program runs as"
    assert logs.keys() == [], "who sends nothing costs nothing"
    with client(box) as sender:
        sender.send(b"<13>app: one\n")
        sender.send(b"<13>app: two\nlines\0")
        assert await until(logs, 2) == ["<13>app: one", "<13>app: two#012lines"]
        [entry] = [logs.entry(key) for key in logs.keys()]
        assert entry is not None and (entry.id, entry.labels) == ("i", {"service": "s"})
        # What is still in the socket when the container has ended is not lost.
        sender.send(b"last words")
    inbox.ended(instance, instance.parts[0])
    assert texts(logs)[-1] == "last words"
    with pytest.raises(ConnectionRefusedError):
        client(box)


async def test_who_sends_without_end_has_a_turn_at_a_time_and_loses_nothing(
    box: Path, logs: Logs, tmp_path: Path
) -> None:
    instance = container(tmp_path, syslog.bind(7))
    inbox = Syslog(logs, SystemClock())
    inbox.attach(instance, instance.parts[0])

    def send() -> None:
        with client(box) as sender:
            for number in range(5 * AT_ONCE):
                sender.send(f"{number}".encode())

    await asyncio.to_thread(send)
    assert await until(logs, 5 * AT_ONCE) == [str(number) for number in range(5 * AT_ONCE)]
    inbox.detach(instance.parts[0])


async def test_the_next_control_takes_the_place_of_the_one_before(box: Path, logs: Logs, tmp_path: Path) -> None:
    before = syslog.bind(7)
    assert before is not None
    sender = client(box)
    before.close()
    with pytest.raises(ConnectionRefusedError):
        sender.send(b"nobody is there, and nobody waits")
    sender.close()
    # What the container may have put there meanwhile leads nowhere.
    target = tmp_path / "shadow"
    target.touch(0o600)
    box.unlink()
    box.symlink_to(target)
    after = syslog.bind(7)
    assert after is not None and target.stat().st_mode & 0o777 == 0o600
    client(box).close()
    after.close()


def test_who_has_no_dev_has_no_syslog() -> None:
    assert syslog.bind(1 << 22) is None


async def test_what_nobody_takes_is_dropped_in_the_end(
    box: Path, logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "_MOST_UNREAD", 1)
    instance = container(tmp_path, syslog.bind(7))
    inbox = Syslog(logs, SystemClock())
    with client(box) as sender:
        for _ in range(2):
            sender.send(b"x")
            inbox._take(instance, instance.parts[0].syslog, instance.parts[0], 1)  # type: ignore[arg-type]
    assert texts(logs) == ["x"]
    inbox.detach(instance.parts[0])


async def test_of_whom_nobody_hears_the_messages_are_thrown_away_and_then_refused(box: Path, logs: Logs) -> None:
    with syslog.unheard(7):
        with client(box) as sender:
            sender.settimeout(60)
            for _ in range(10 * AT_ONCE):
                await asyncio.to_thread(sender.send, b"<11>who cares")
            connected = client(box)
    with connected, pytest.raises(ConnectionRefusedError):
        connected.send(b"<11>is anybody there")
    assert logs.keys() == []
