"""Which lines of a container's output belong together: a stack trace is one entry, not forty.

By the look of the lines, for Python, Java and its relatives, Go, and Node: a table of states. A line that may begin a
trace is held until the next line of its stream says whether it did, and no longer than QUIET seconds. Sans-IO: lines
and times go in, groups of lines come out in the order in which they began.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

QUIET = 0.2
"""Seconds without a further line after which a trace is taken to be complete."""
LONGEST = 1.0
"""Seconds after which a trace that still grows is cut."""
MOST_LINES = 1000
MOST_CHARACTERS = 256 << 10
"""Of one entry (contract §1.13)."""

_LOOKED_AT = 400
"""Characters of a line: more would let a hostile one take long."""

T = TypeVar("T")
Rules = Sequence[tuple[re.Pattern[str], str]]

_HINT = re.compile(r"Traceback|Exception|Error|Throwable|panic|fatal error|goroutine|^/|^file:")
"""Cheaper than the rules: nearly every line has none of it."""
_EXCEPTION = (
    r"(?:(?:[\w$]+\.)+|(?:[\w$]+\.)*[A-Z]\w*)(?:Exception|Error|Throwable)\b"  # java.lang.Error, TypeError
    r"|(?:Exception|Error): "
)


def _rules(*pairs: tuple[str, str]) -> Rules:
    return [(re.compile(pattern), state) for pattern, state in pairs]


_BEGINS = _rules(
    (r"(?:.*\s)?Traceback \(most recent call last\):", "python"),
    (r"(?:panic|fatal error): |.*\bhttp: panic serving ", "panic"),
    (r"goroutine \d+ \[", "go"),
    (r"(?:file://)?/\S+:\d+$", "node source"),
    (rf"(?:.*[\s:\]])?(?:{_EXCEPTION})", "frames"),
)
_CONTINUES: dict[str, Rules] = {
    "python": _rules((r"\s+\S|$", "python"), (r"\S+\s*$|[\w.]+(?:: |\()", "raised")),
    "raised": _rules((r"$", "raised"), (r"During handling of the above|The above exception was", "chained")),
    "chained": _rules((r"$", "chained"), (r"Traceback \(most recent call last\):", "python")),
    # Java, and Node after its first lines
    "frames": _rules(
        (r"\s+(?:eval )?at .*\{$", "properties"),
        (r"\s+(?:eval )?at |\s+\.\.\. \d+ |\s*(?:Caused by|Suppressed): ", "frames"),
        (r"$", "node end"),
    ),
    "properties": _rules((r"\s+\S", "properties"), (r"\}", "frames")),
    "node source": _rules((r".", "node code")),
    "node code": _rules((r"\s*\^", "node gap")),
    "node gap": _rules((r"$", "node gap"), (r"\S", "frames")),
    "node end": _rules((r"$", "node end"), (r"Node\.js v\d", "node end")),
    "panic": _rules((r"$|\s|\[signal |panic: |\[recovered\]", "panic"), (r"goroutine \d+ \[", "go")),
    "go": _rules((r"\s+\S|created by |exit status \d|\.\.\.|\S+\(.*\)$", "go"), (r"$", "go gap")),
    "go gap": _rules((r"goroutine \d+ \[", "go"), (r"$|\w+\s+0x[0-9a-f]+$|exit status \d+", "go gap")),
}


@dataclass(slots=True)
class _Group(Generic[T]):
    lines: list[T]
    began: float
    state: str
    """Empty: nothing can follow."""
    last: float
    size: int = 0


class StackTraces(Generic[T]):
    """Of one container. `T` is whatever the caller knows about a line."""

    def __init__(self) -> None:
        self._groups: deque[_Group[T]] = deque()
        self._open: dict[str, _Group[T]] = {}

    def feed(self, stream: str, text: str, line: T, now: float) -> None:
        group = self._open.get(stream)
        if group is not None:
            state = _next(_CONTINUES[group.state], text)
            if state and len(group.lines) < MOST_LINES and group.size + len(text) < MOST_CHARACTERS:
                group.lines.append(line)
                group.state, group.last = state, now
                group.size += len(text) + 1
                return
            self._close(stream)
        state = begins(text)
        group = _Group([line], now, state, now, len(text))
        self._groups.append(group)
        if state:
            self._open[stream] = group

    def take(self, now: float, *, ended: bool = False) -> list[list[T]]:
        """What is complete, in order: nothing overtakes a group that is not. `ended`: no further line will come."""
        for stream, group in list(self._open.items()):
            # The last of them: after the clock was set back nothing would be old for as long.
            if ended or now - group.last >= QUIET or now - group.began >= LONGEST or group.last - now >= LONGEST:
                self._close(stream)
        taken = []
        while self._groups and not self._groups[0].state:
            taken.append(self._groups.popleft().lines)
        return taken

    @property
    def due(self) -> float | None:
        """When to `take` again though nothing came; None: there is nothing to take."""
        return min((min(g.last + QUIET, g.began + LONGEST) for g in self._open.values()), default=None)

    def _close(self, stream: str) -> None:
        self._open.pop(stream).state = ""


def begins(text: str) -> str:
    """The state of a trace that may begin with this line; empty: none does. Lines of JSON speak for themselves."""
    return "" if text.startswith("{") or not _HINT.search(text) else _next(_BEGINS, text)


def _next(rules: Rules, text: str) -> str:
    seen = text[:_LOOKED_AT]
    return next((state for pattern, state in rules if pattern.match(seen)), "")
