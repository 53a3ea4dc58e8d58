"""Output, requests and messages become entries: at once, each once, whatever is killed or full."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from homerun.aio.tasks import Supervisor
from homerun.core.stack_traces import QUIET
from homerun.engine.base import LogLine
from homerun.engine.fake.output import FakeOutput
from homerun.engine.output import Output, OutputLine
from homerun.lib.errors import ResourceExhausted
from homerun.meter import log_book
from homerun.meter.log_book import RETRY, LogBook, grouped
from homerun.store.log_base import LogQuery, LogRow, Origin
from homerun.store.log_memory import MemoryLogStore
from tests.support.clock import LoopClock

pytestmark = pytest.mark.looptime

SERVICE = "projects/p/locations/l/services/s"
LABELS = {"service": SERVICE, "revision": f"{SERVICE}/revisions/s-1"}
SYSTEM = Origin("system", "cloud_run_revision", ())


class FullDisk(MemoryLogStore):
    full = False

    def append(self, project: str, rows: Sequence[LogRow], positions: Mapping[str, str | None], now: float) -> None:
        if self.full:
            raise ResourceExhausted("no space left")
        super().append(project, rows, positions, now)


class Rig:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.over: set[str] = set()
        self.removed: set[str] = set()
        self.output = FakeOutput(self.over.__contains__, self.removed.__contains__)
        self.store = FullDisk()
        self.supervisor = Supervisor()
        self.book = self.make()

    def make(self) -> LogBook:
        return LogBook(self.store, self.output, self.supervisor, self.clock)

    def line(self, text: str, stream: str = "stdout", labels: Mapping[str, str] = LABELS) -> None:
        self.output.write(LogLine(self.clock.now(), "i", stream, text, labels), alone=True)

    async def crash(self) -> None:
        await self.supervisor.close()
        self.supervisor, self.book = Supervisor(), None  # type: ignore[assignment]
        self.output.reopen()
        self.book = self.make()
        await self.book.open()
        self.book.start()

    def texts(self) -> list[str | None]:
        return [found.text for found in self.store.search(LogQuery("p"))]


async def opened() -> Rig:
    rig = Rig()
    await rig.book.open()
    rig.book.start()
    return rig


async def test_a_line_is_an_entry_within_a_fraction_of_a_second() -> None:
    rig = await opened()
    await asyncio.sleep(100)
    rig.line("one")
    await asyncio.sleep(0.01)
    assert rig.texts() == ["one"]
    rig.line("two")
    await asyncio.sleep(0.1)
    assert rig.texts() == ["one", "two"]
    await rig.book.close()


async def test_who_wants_to_read_what_was_just_written_need_not_wait() -> None:
    rig = await opened()
    for number in range(10):
        rig.line(f"{number}")
        before = asyncio.get_running_loop().time()
        await rig.book.current()
        assert rig.texts()[-1] == f"{number}"
        assert asyncio.get_running_loop().time() == before
    await rig.book.close()
    await rig.book.current()


async def test_with_nothing_to_write_nothing_runs() -> None:
    rig = await opened()
    rig.line("one")
    await asyncio.sleep(1)
    turns = 0
    original = rig.output.changed

    def counted() -> set[str]:
        nonlocal turns
        turns += 1
        return original()

    rig.output.changed = counted  # type: ignore[method-assign]
    await asyncio.sleep(3600)
    assert turns == 0


async def test_a_stack_trace_is_one_entry_and_holds_nothing_up_for_long() -> None:
    rig = await opened()
    for text in ("before", "Traceback (most recent call last):", '  File "x"', "ValueError: no"):
        rig.line(text, "stderr")
    await asyncio.sleep(0.01)
    assert rig.texts() == ["before"]
    await asyncio.sleep(2 * QUIET)
    assert rig.texts() == ["before", 'Traceback (most recent call last):\n  File "x"\nValueError: no']


async def test_what_others_say_is_written_too() -> None:
    rig = await opened()
    rig.book.write(lambda: ("p", LogRow(1, SYSTEM, 0, "said")))
    await rig.book.append("p", [LogRow(2, SYSTEM, 0, "appended")])
    await asyncio.sleep(0.1)
    assert rig.texts() == ["said", "appended"]


async def test_lines_of_nobody_are_passed_over() -> None:
    rig = await opened()
    rig.line("nobody's", labels={})
    await asyncio.sleep(0.1)
    assert (rig.texts(), rig.store.positions()) == ([], {})
    assert rig.output.taken == {"i+": "1"}


async def test_positions_of_what_is_gone_are_forgotten() -> None:
    rig = await opened()
    rig.line("x")
    await asyncio.sleep(0.1)
    assert rig.store.positions() == {"i+": ("p", "1")}
    rig.over.add("i")
    rig.removed.add("i")
    rig.output.touch("i")
    await asyncio.sleep(0.1)
    assert rig.store.positions() == {}
    rig.store.append("p", [], {"of another life": "7"}, 0)
    await rig.crash()
    await asyncio.sleep(0.1)
    assert rig.store.positions() == {}


async def test_whenever_it_is_killed_each_line_is_written_once() -> None:
    for seed in range(10):
        chance, rig = random.Random(seed), await opened()
        written: list[str] = []
        for number in range(60):
            if chance.random() < 0.2:
                await rig.crash()
            text = chance.choice(["line", "Error: line", "\tat frame(x)"]) + f" {number}"
            rig.line(text, chance.choice(["stdout", "stderr"]))
            written.append(text)
            await asyncio.sleep(chance.choice([0, 0.001, 0.03, 0.25]))
        await asyncio.sleep(2)
        found = [line for text in rig.texts() for line in (text or "").split("\n")]
        assert sorted(found) == sorted(written)
        await rig.book.close()


async def test_at_the_end_everything_is_written() -> None:
    rig = await opened()
    rig.line("Error: held")
    rig.book.write(lambda: ("p", LogRow(1, SYSTEM, 0, "said")))
    rig.over.add("i")
    await rig.book.close()
    assert sorted(map(str, rig.texts())) == ["Error: held", "said"]


async def test_a_full_disk_delays_lines_and_drops_the_oldest_of_what_only_waits_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_book, "WAITING", 3)
    rig = await opened()
    rig.store.full = True
    rig.line("line")
    for number in range(5):
        rig.book.write(lambda n=number: ("p", LogRow(n + 10, SYSTEM, 0, str(n))))  # type: ignore[misc]
    await asyncio.sleep(1)
    with pytest.raises(ResourceExhausted):
        await rig.book.append("p", [])
    rig.store.full = False
    await asyncio.sleep(2 * RETRY)
    found = rig.texts()
    assert "line" in found
    assert [text for text in found if text in "01234"] == ["2", "3", "4"]
    assert any(text and text.startswith("2 log entries") for text in found)


async def test_who_waits_for_more_is_woken() -> None:
    rig = await opened()
    await asyncio.sleep(1)
    news = rig.book.news()
    await asyncio.sleep(100)
    assert not news.is_set()
    rig.line("x")
    await asyncio.sleep(0.1)
    assert news.is_set() and not rig.book.news().is_set()


def lines(*texts: str, knots: Sequence[int] = ()) -> list[OutputLine]:
    return [OutputLine(0, "stderr", text, "" if n in knots else f"@{n + 1}") for n, text in enumerate(texts)]


def test_lines_are_cut_where_all_before_are_complete_and_there_is_a_position() -> None:
    groups, position = grouped(Output("i", {}, lines=lines("a", "b", "c", knots=[1])), 0)
    assert (len(groups), position) == (3, "@3")
    groups, position = grouped(Output("i", {}, lines=lines("a", "b", "c", knots=[1, 2])), 0)
    assert (len(groups), position) == (1, "@1")
    groups, position = grouped(Output("i", {}, lines=lines("a", "Error: b")), 0)
    assert (len(groups), position) == (1, "@1")


def test_where_there_is_no_place_to_cut_it_is_cut_at_the_end() -> None:
    held = Output("i", {}, lines=lines("Error: b", "\tat x"), more=True)
    groups, position = grouped(held, 0)
    assert ([len(group) for group in groups], position) == ([2], "@2")


async def test_what_ended_and_was_removed_while_nothing_could_be_written_is_thrown_away_in_the_end() -> None:
    rig = await opened()
    rig.line("one")
    await asyncio.sleep(1)
    rig.store.full = True
    rig.line("two")
    rig.over.add("i")
    rig.removed.add("i")
    rig.output.touch("i")
    await asyncio.sleep(RETRY)
    rig.store.full = False
    await asyncio.sleep(3 * RETRY)
    assert rig.texts() == ["one", "two"]
    assert rig.store.positions() == {}
    assert rig.output.read("i+", "", rig.clock.now()) is None


async def test_a_file_that_cannot_be_read_now_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await opened()
    read, broken = rig.output.read, True

    def failing(key: str, position: str, now: float) -> Output | None:
        if broken:
            raise OSError(errno.ENOSPC, "no space left")
        return read(key, position, now)

    monkeypatch.setattr(rig.output, "read", failing)
    rig.line("line")
    rig.book.write(lambda: ("p", LogRow(1, SYSTEM, 0, "said")))
    await asyncio.sleep(RETRY)
    await rig.book.current()
    assert rig.texts() == ["said"]
    broken = False
    await asyncio.sleep(2 * RETRY)
    assert sorted(map(str, rig.texts())) == ["line", "said"]


async def test_what_one_project_has_written_is_not_written_again_because_another_one_could_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = await opened()
    append, full = rig.store.append, True

    def failing(project: str, *arguments: Any) -> None:
        if project == "q" and full:
            raise ResourceExhausted("no space left")
        append(project, *arguments)

    monkeypatch.setattr(rig.store, "append", failing)
    for project in ("q", "p"):
        rig.book.write(lambda project=project: (project, LogRow(1, SYSTEM, 0, f"said to {project}")))  # type: ignore[misc]
    await asyncio.sleep(3 * RETRY)
    assert rig.texts() == ["said to p"]
    full = False
    await asyncio.sleep(2 * RETRY)
    assert rig.texts() == ["said to p"]
    assert [found.text for found in rig.store.search(LogQuery("q"))] == ["said to q"]
