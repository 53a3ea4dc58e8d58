"""conmon's files, taken line by line; the test is conmon."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.oci import spool
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.spool import BACKLOG, CHUNK, Spool
from homerun.engine.output import Output
from tests.engine.oci.test_logfile import SECOND, record


class Conmon:
    """Writes one file, and begins it anew when told to, as the real one does."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.count = 0

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def line(self, text: str = "") -> str:
        self.count += 1
        text = text or f"line {self.count}"
        self.write(record(self.count / 1000 % 60, text))
        return text

    def rotate(self) -> None:
        os.close(self._fd)
        fresh = self._log.with_name(f"{self._log.name}.tmp")
        self._fd = os.open(fresh, os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
        fresh.rename(self._log)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.over: set[str] = set()
        self.removed: set[str] = set()
        self.position = ""
        self.open()
        self.conmon = Conmon(self.logs.file("i"))
        self.logs.add("i", {"job": "j"}, {"i": ""})

    def open(self) -> None:
        """As after a restart of control."""
        self.logs = Logs(self.folder)
        self.logs.open()
        self.spool = Spool(self.logs, self.over.__contains__, self.removed.__contains__)
        self.spool.open()

    def read(self, now: float = SECOND + 60) -> Output:
        output = self.spool.read("i", self.position, now)
        assert output is not None
        return output

    def take(self, count: int | None = None) -> list[str]:
        """The next lines that can be cut off, at most so many; the rest stays."""
        output = self.read()
        lines = list(output.lines[:count])
        while lines and not lines[-1].position:
            lines.pop()
        if lines:
            self.settle(lines[-1].position)
        elif output.lost:
            self.settle(output.start)
        return [line.text for line in lines]

    def take_all(self) -> list[str]:
        found: list[str] = []
        while (output := self.read()).lines or output.more:
            found += self.take()
        return found

    def settle(self, position: str) -> None:
        self.position = position
        self.spool.settled("i", position)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.spool.close()


def test_lines_come_in_order_and_from_where_they_were_taken(rig: Rig) -> None:
    written = [rig.conmon.line() for _ in range(5)]
    assert rig.take(2) == written[:2]
    assert rig.take() == written[2:]
    assert rig.take() == []
    assert rig.take_all() == []
    written = [rig.conmon.line() for _ in range(2)]
    assert rig.take() == written


def test_a_record_that_is_being_written_waits(rig: Rig) -> None:
    data = record(1, "whole")
    rig.conmon.write(data[:-3])
    assert rig.take() == []
    rig.conmon.write(data[-3:])
    assert rig.take() == ["whole"]


def test_the_first_record_comes_once_if_it_is_written_while_the_file_is_looked_at(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = spool._identity

    def identity(fd: int) -> str:
        found = real(fd)
        monkeypatch.setattr(spool, "_identity", real)
        rig.conmon.line("only once")
        return found

    monkeypatch.setattr(spool, "_identity", identity)
    assert rig.take() + rig.take() + rig.take() == ["only once"]


def test_half_a_record_for_which_there_was_no_room_keeps_nothing_from_its_end(rig: Rig, tmp_path: Path) -> None:
    data = record(1, "half")
    written = [rig.conmon.line()]
    rig.conmon.write(data[:-3])
    assert rig.take() == written
    rig.conmon.rotate()
    written = [rig.conmon.line()]
    assert rig.take_all() == written, "what came after it"
    rig.conmon.write(data[:-3])
    rig.over.add("i")
    assert rig.read().ended
    rig.removed.add("i")
    assert rig.spool.read("i", rig.position, SECOND) is None
    assert not list(tmp_path.glob("i.*"))


def test_a_line_without_an_end_is_held_for_a_second_or_until_the_end(rig: Rig) -> None:
    rig.conmon.write(record(1, "prompt: ", "P"))
    output = rig.read(SECOND + 1.5)
    assert (list(output.lines), output.held) == ([], True)
    assert [line.text for line in rig.read(SECOND + 2.5).lines] == ["prompt: "]
    rig.over.add("i")
    output = rig.read(SECOND + 1.5)
    assert ([line.text for line in output.lines], output.ended) == (["prompt: "], True)


def test_when_the_clock_was_set_back_a_line_without_an_end_is_not_held_until_it_is_where_it_was(rig: Rig) -> None:
    rig.conmon.write(record(1, "prompt: ", "P"))
    assert [line.text for line in rig.read(SECOND + 0.5).lines] == []
    assert [line.text for line in rig.read(SECOND - 3600).lines] == ["prompt: "]


def test_nothing_is_cut_in_the_middle_of_another_stream_s_line(rig: Rig) -> None:
    rig.conmon.write(record(1, "be", "P") + record(2, "other", stream="stderr") + record(3, "gun"))
    lines = rig.read().lines
    assert [(line.text, bool(line.position)) for line in lines] == [("other", False), ("begun", True)]
    rig.conmon.write(record(4, "half", "P") + record(5, "last", stream="stderr"))
    lines = rig.read(SECOND + 5).lines
    assert [(line.text, bool(line.position)) for line in lines][2:] == [("last", False)]


def test_a_file_that_was_rotated_is_read_to_its_end_first(rig: Rig) -> None:
    written = [rig.conmon.line() for _ in range(3)]
    assert rig.take(1) == written[:1]
    rig.conmon.rotate()
    written += [rig.conmon.line() for _ in range(2)]
    rig.open()  # nobody looked while it was rotated
    assert rig.take_all() == written[1:]
    assert rig.take_all() == []


def test_a_rotation_before_anything_was_read(rig: Rig) -> None:
    rig.read()
    written = [rig.conmon.line() for _ in range(3)]
    rig.conmon.rotate()
    written += [rig.conmon.line()]
    assert rig.take_all() == written


def test_whatever_happens_in_whatever_order_each_line_comes_once(tmp_path: Path) -> None:
    for seed in range(20):
        chance, written, taken = random.Random(seed), list[str](), list[str]()
        folder = tmp_path / str(seed)
        folder.mkdir()
        rig, fresh = Rig(folder), True
        for _ in range(60):
            match chance.randrange(6):
                case 0 | 1:
                    written += [rig.conmon.line() for _ in range(chance.randrange(5))]
                case 2 if not fresh:
                    rig.conmon.rotate()
                    fresh = True
                case 3:
                    rig.spool.close()
                    rig.open()
                case _:
                    taken += rig.take(chance.randrange(1, 4))
            if fresh:
                # One rotation at a time: what is rotated away unread is lost, and that is another test.
                taken += rig.take_all()
                fresh = False
        taken += rig.take_all()
        assert taken == written
        rig.spool.close()


def test_room_is_given_back_but_the_last_lines_stay(rig: Rig) -> None:
    for _ in range(60):
        rig.conmon.write(record(1, "x" * 60_000))
        rig.take_all()
    used = rig.logs.held("i").stat()
    assert used.st_size > 3_500_000
    assert used.st_blocks * 512 < 2_500_000
    tail = rig.logs.read({"job": "j"}, 0, None, 5, {"i"})
    assert [len(line.text) for line in tail] == [60_000] * 5
    # Whoever forgot where they were gets what is left.
    rig.position = ""
    assert set(map(len, rig.take_all())) == {60_000}


def test_who_writes_faster_than_can_be_read_loses_the_oldest_and_it_is_counted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BACKLOG", 3 * CHUNK)
    line = record(1, "x" * 1000)
    for _ in range(5):
        rig.conmon.write(line * (CHUNK // len(line)))
    output = rig.read()
    assert (list(output.lines), output.more) == ([], True)
    rig.settle(output.start)
    left = rig.take_all()
    assert output.lost + len(left) == 5 * (CHUNK // len(line))
    assert len(left) >= CHUNK // len(line) - 1
    assert BACKLOG > CHUNK


def test_backlog_across_a_rotation(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BACKLOG", 3 * CHUNK)
    line = record(1, "x" * 1000)
    rig.read()
    for part in range(4):
        rig.conmon.write(line * (CHUNK // len(line)))
        if part == 1:
            rig.conmon.rotate()
    rig.conmon.line("the last")
    lost, left = 0, list[str]()
    while (output := rig.read()).more or output.lines:
        lost += output.lost
        left += rig.take()
    assert lost + len(left) == 4 * (CHUNK // len(line)) + 1
    assert left[-1] == "the last"


def test_files_of_an_instance_that_is_gone_go_when_they_were_taken(rig: Rig, tmp_path: Path) -> None:
    rig.conmon.line()
    rig.over.add("i")
    rig.removed.add("i")
    assert rig.spool.read("i", "", 0) is not None
    assert rig.take() == ["line 1"]
    assert rig.spool.read("i", rig.position, 0) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.jsonl"]
    assert rig.spool.read("i", rig.position, 0) is None


async def test_news_wakes_once_and_says_what(rig: Rig) -> None:
    woken = asyncio.Event()
    assert rig.spool.changed() == {"i"}  # everything, at first
    rig.spool.watch(woken.set)
    await asyncio.sleep(0)
    assert not woken.is_set()
    rig.conmon.line()
    async with asyncio.timeout(10):
        await woken.wait()
    woken.clear()
    assert rig.spool.changed() == {"i"}
    rig.conmon.line()
    rig.spool.touch("i")
    rig.spool.watch(woken.set)
    async with asyncio.timeout(10):
        await woken.wait()
    assert rig.spool.changed() == {"i"}
    assert rig.spool.changed() == set()
