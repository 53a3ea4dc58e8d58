"""The output of a fake engine's containers, as a queue (engine.output)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from homerun.engine.base import LogLine
from homerun.engine.output import Output, OutputLine


class FakeOutput:
    """`ended`, `removed`: whether that is so of an instance."""

    def __init__(self, ended: Callable[[str], bool], removed: Callable[[str], bool]) -> None:
        self._ended, self._removed = ended, removed
        self._lines: dict[str, list[LogLine]] = defaultdict(list)
        self._news: set[str] = set()
        self._wake: Callable[[], None] | None = None
        self.taken: dict[str, str] = {}
        """Up to where each is safe elsewhere."""

    def write(self, line: LogLine, *, alone: bool) -> None:
        """`alone`: its container is the only one."""
        line = replace(line, container="") if alone else line
        key = f"{line.instance}+{line.container}"
        self._lines[key].append(line)
        self._touch({key})

    def reopen(self) -> None:
        """Whoever reads it from now on knows of nothing."""
        self._news.update(self._lines)

    def touch(self, instance: str) -> None:
        """It ended or was removed."""
        self._touch({key for key in self._lines if key.partition("+")[0] == instance})

    def _touch(self, keys: set[str]) -> None:
        self._news |= keys
        self._tell()

    # engine.output.OutputSource

    def watch(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        if self._news:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def changed(self) -> set[str]:
        news, self._news = self._news, set()
        return news

    def read(self, key: str, position: str, now: float) -> Output | None:
        if key not in self._lines:
            return None
        start, lines = int(position or 0), self._lines[key]
        first = lines[0]
        ended = self._ended(first.instance)
        gone = ended and self._removed(first.instance)
        if gone and start == len(lines):
            del self._lines[key]
            return None
        numbered = enumerate(lines[start:], start + 1)
        found = [OutputLine(line.time, line.stream, line.text, str(number)) for number, line in numbered]
        return Output(first.instance, first.labels, first.container, lines=found, more=gone, ended=ended)

    def settled(self, key: str, position: str) -> None:
        self.taken[key] = position
