"""The one who writes logs down: output of instances as it comes, requests and platform messages with it.

Woken by what happens, never by a clock: with nothing to write it sleeps. A round takes what is new of each container,
puts lines together that belong together, and commits entries and positions at once; what cannot be committed yet stays
where it is and is read again. So nothing is lost or doubled whenever this process is killed, and there is nothing to
restore. What comes without a file behind it (requests, platform messages) waits in memory for a fraction of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from homerun.aio.tasks import Supervisor
from homerun.core.stack_traces import QUIET, StackTraces
from homerun.engine.output import Output, OutputLine, OutputSource
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.meter.log_rows import STREAMS, dropped_row, lost_row, origin, output_row
from homerun.model import labels
from homerun.store.log_base import Found, LogQuery, LogRow, LogStore, Origin

LINGER = 0.05
"""Seconds between two rounds: what comes meanwhile is written at once."""
RETRY = 5.0
ROWS = 20_000
"""Of one round: what is left has its turn in the next."""
WAITING = 50_000
"""Rows that may wait for the disk; then the oldest are dropped, and counted."""

T = TypeVar("T")
Making = Callable[[], tuple[str, LogRow]]
"""Makes a row and tells its project, when there is time."""
_log = logging.getLogger("homerun.logs")


class Runner(Protocol):
    """Where work that blocks is done."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]: ...


async def inline(work: Callable[[], T]) -> T:
    """Here and now: for stores in memory."""
    return work()


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


@dataclass(slots=True)
class _Batch:
    """Of one project."""

    rows: list[LogRow] = field(default_factory=list)
    positions: dict[str, str | None] = field(default_factory=dict)
    waited: list[Making] = field(default_factory=list)
    """Which of the rows are nowhere else yet."""


@dataclass(slots=True)
class _Round:
    """What is left to do after it: `again`: keys at once; `later`: keys in a moment."""

    again: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    batches: dict[str, _Batch] = field(default_factory=dict)
    refused: dict[str, _Batch] = field(default_factory=dict)
    """Those of the batches that could not be written."""
    trouble: str = ""
    """What went wrong first."""

    def batch(self, project: str) -> _Batch:
        return self.batches.setdefault(project, _Batch())


class LogBook:
    """`run`: for writing, one after the other; `read`: for reading, side by side."""

    def __init__(
        self,
        store: LogStore,
        source: OutputSource,
        supervisor: Supervisor,
        clock: Clock,
        run: Runner = inline,
        read: Runner = inline,
    ) -> None:
        self._store, self._source, self._supervisor, self._clock = store, source, supervisor, clock
        self._run, self._read = run, read
        self._positions: dict[str, tuple[str, str]] = {}
        """Project and position of each output; no project: of nobody, and kept by nobody."""
        self._origins: dict[tuple[str, str], Origin] = {}
        self._news: set[str] = set()
        self._waiting: deque[Making] = deque()
        self._dropped = 0
        self._failing = False
        self._closing = False
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._callers: list[asyncio.Future[None]] = []
        """Who waits for the next round."""
        self._written = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._positions = dict(await self._run(self._store.positions))
        self._news.update(self._positions)  # those that are gone meanwhile as well
        self._wake.set()

    def start(self) -> None:
        """From now on there is somebody to take from."""
        self._task = self._supervisor.spawn(self._work(), name="log book")

    async def close(self) -> None:
        """Everything that came is written."""
        self._closing = True
        self._wake.set()
        self._hurry.set()
        if self._task is not None:
            await self._task

    # What comes

    def write(self, making: Making) -> None:
        """Soon; returns at once."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(making)
        self._wake.set()

    async def append(self, project: str, rows: Sequence[LogRow]) -> None:
        """Durable when it returns. Raises HomerunError."""
        await self._run(lambda: self._store.append(project, rows, {}, self._clock.now()))
        self._tell()

    async def current(self) -> None:
        """Returns when what had been written when it was called can be read, if there is not too much of it."""
        if self._task is None or self._task.done():
            return
        caller = asyncio.get_running_loop().create_future()
        self._callers.append(caller)
        self._wake.set()
        self._hurry.set()
        await caller

    async def _work(self) -> None:
        while True:
            if not self._wake.is_set() and not self._closing:
                self._source.watch(self._wake.set)
                await self._wake.wait()
            self._wake.clear()
            closing = self._closing
            made = await self._turn()
            if closing and not made.again and (self._failing or not self._waiting):
                return
            if made.again:
                self._wake.set()
            elif made.later:
                asyncio.get_running_loop().call_later(RETRY if self._failing else QUIET, self._wake.set)
            await self._linger()

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._hurry.wait()

    async def _turn(self) -> _Round:
        callers, self._callers = self._callers, []
        if not self._closing:
            self._hurry.clear()
        news = self._news | self._source.changed()
        waiting, self._waiting = self._waiting, deque()
        now, dropped = self._clock.now(), self._dropped
        made = await self._run(lambda: self._write(news, waiting, dropped, now))
        if len(made.refused) < len(made.batches):
            self._dropped -= dropped
        if made.trouble:
            if not self._failing:
                _log.error("logs cannot be written: %s", made.trouble)
            made.again, made.later = set(), news | made.again | made.later | {""}
            self._put_back(deque(making for batch in made.refused.values() for making in batch.waited))
        self._failing = bool(made.trouble)
        self._news = (made.again | made.later) - {""}
        self._tell()
        for caller in callers:
            if not caller.done():
                caller.set_result(None)
        return made

    def _put_back(self, waiting: deque[Making]) -> None:
        waiting.extend(self._waiting)
        while len(waiting) > WAITING:
            waiting.popleft()
            self._dropped += 1
        self._waiting = waiting

    # In the writing thread

    def _write(self, news: set[str], waiting: Iterable[Making], dropped: int, now: float) -> _Round:
        made = self._collect(news, waiting, now)
        if dropped:
            for batch in made.batches.values():
                batch.rows.append(dropped_row(dropped, now))
        self._commit(made, now)
        return made

    def _collect(self, news: set[str], waiting: Iterable[Making], now: float) -> _Round:
        made, count = _Round(), 0
        for making in waiting:
            project, row = making()
            made.batch(project).rows.append(row)
            made.batch(project).waited.append(making)
            count += 1
        for key in news:
            if count >= ROWS:
                made.again.add(key)
                continue
            try:
                output = self._source.read(key, self._positions.get(key, ("", ""))[1], now)
            except OSError as error:
                made.trouble = made.trouble or str(error)
                continue
            if output is not None:
                count += self._take(key, output, made, now)
            elif key in self._positions:
                self._forget(key, made)
        return made

    def _take(self, key: str, output: Output, made: _Round, now: float) -> int:
        """Entries of an output up to where it can be cut; returns how many."""
        owner = labels.owner(output.labels)
        groups, position = grouped(output, now)
        if output.lost:
            position = position or output.start
        if position:
            made.batch(owner.project if owner else "").positions[key] = position
        taken = sum(map(len, groups))
        if output.more:
            made.again.add(key)
        elif output.held or taken < len(output.lines):
            made.later.add(key)
        if owner is None:
            return taken
        rows = made.batch(owner.project).rows
        if output.lost:
            rows.append(lost_row(owner, output.labels, output.instance, output.lost, now))
        for lines in groups:
            rows.append(output_row(self._origin(key, output, lines[0].stream), lines))
        return len(groups)

    def _origin(self, key: str, output: Output, stream: str) -> Origin:
        found = self._origins.get((key, stream))
        if found is None:
            owner = labels.owner(output.labels)
            assert owner is not None
            found = origin(stream, owner, output.labels, output.instance, output.container)
            self._origins[(key, stream)] = found
        return found

    def _forget(self, key: str, made: _Round) -> None:
        """There is nothing of it any more."""
        project, _ = self._positions[key]
        made.batch(project).positions[key] = None
        for stream in STREAMS:
            self._origins.pop((key, stream), None)

    def _commit(self, made: _Round, now: float) -> None:
        for project, batch in made.batches.items():
            try:
                if project:
                    self._store.append(project, batch.rows, batch.positions, now)
            except HomerunError as error:
                made.trouble = made.trouble or error.message
                made.refused[project] = batch
                continue
            for key, position in batch.positions.items():
                if position is None:
                    self._positions.pop(key, None)
                else:
                    self._positions[key] = (project, position)
                    with contextlib.suppress(OSError):  # only its room would have been given back
                        self._source.settled(key, position)

    # Reading

    async def select(self, query: LogQuery, keep: Callable[[Found], T | None], limit: int) -> list[T]:
        """What `keep` makes of what is found, without the Nones: the first so many."""

        def work() -> list[T]:
            kept = (made for found in self._store.search(query) if (made := keep(found)) is not None)
            return list(islice(kept, limit))

        return await self._read(work)

    async def following(self, project: str, after: int, limit: int) -> list[Found]:
        return await self._read(lambda: self._store.following(project, after, limit))

    async def last(self, project: str) -> int:
        return await self._read(lambda: self._store.last(project))

    async def origins(self, project: str) -> set[Origin]:
        return await self._read(lambda: self._store.origins(project))

    async def delete(self, project: str, log: str) -> int:
        return await self._run(lambda: self._store.delete(project, log))

    def news(self) -> asyncio.Event:
        """Set as soon as there is more to read than now."""
        return self._written

    def _tell(self) -> None:
        event, self._written = self._written, asyncio.Event()
        event.set()


def grouped(output: Output, now: float) -> tuple[list[list[OutputLine]], str]:
    """Lines that belong together, as far as can be said yet, and the position behind them: no line after it is among
    them, and none before it is left out."""
    traces: StackTraces[int] = StackTraces()
    lines = output.lines
    for number, line in enumerate(lines):
        traces.feed(line.stream, line.text, number, line.time)
    groups = traces.take(now, ended=output.ended)
    cut = _cut(groups, lines)
    if cut == (0, "") and output.more and lines:
        # Nothing to cut at in all that is read at a time: then here, rather than never.
        groups += traces.take(now, ended=True)
        cut = len(groups), lines[-1].position
    return [[lines[number] for number in group] for group in groups[: cut[0]]], cut[1]


def _cut(groups: Sequence[Sequence[int]], lines: Sequence[OutputLine]) -> tuple[int, str]:
    """How many of the groups are all lines up to a position, and which."""
    count, last, cut = 0, -1, (0, "")
    for number, group in enumerate(groups, 1):
        count += len(group)
        last = max(last, group[-1])
        if count == last + 1 and lines[last].position:
            cut = number, lines[last].position
    return cut
