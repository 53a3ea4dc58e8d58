"""An execution while it runs, as a bar with its counts, its rate, its slowest tasks and its last failures.

From `:progress` of our own API, which costs the same for ten thousand tasks as for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import click

from homerun.cli.output import duration

Json = dict[str, Any]

WIDTH = 24
SHOWN = 3
"""Slow tasks, and failures, below the bar."""
SLOW = 2.0
"""Seconds after which a task that runs is worth a line."""
SPAN = 10.0
"""Seconds over which the rate is taken: what it is now, not what it was an hour ago."""
_ENDED = ("Succeeded", "Failed", "Cancelled", "Abandoned")
_COLOURS = (("Succeeded", "█", "green"), ("Failed", "█", "red"), ("Running", "▓", "cyan"))


class Rate:
    """Tasks that come to their end in a second."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, ended: int, now: float) -> float | None:
        """None: nobody can tell yet."""
        self._seen.append((now, ended))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN:
            self._seen.popleft()
        since, before = self._seen[0]
        return (ended - before) / (now - since) if now - since >= 1 else None


def total(progress: Json) -> int:
    return sum(progress["counts"].values())


def ended(progress: Json) -> int:
    return sum(progress["counts"].get(state, 0) for state in _ENDED)


def over(progress: Json) -> bool:
    """Every task has come to its end: the execution's own document says so in a moment."""
    return ended(progress) == total(progress)


def bar(progress: Json, width: int = WIDTH) -> str:
    """`████▓▓░░░░`: what succeeded, what failed, what runs, what is left. Never full before the end."""
    tasks, cells = max(total(progress), 1), []
    for state, sign, colour in _COLOURS:
        number = progress["counts"].get(state, 0)
        length = number * width // tasks or int(number > 0)
        cells += [click.style(sign, fg=colour)] * length
    return "".join(cells[:width]) + click.style("░" * (width - len(cells)), dim=True)


def counts(progress: Json, rate: float | None) -> str:
    """`14/20 done · 4 running · 1 failed · 2 retried · 5.2/s · 1.2 s left`."""
    states = progress["counts"]
    parts = [f"{states.get('Succeeded', 0)}/{total(progress)} done"]
    parts += [
        f"{states[state]} {state.lower()}"
        for state in ("Running", "Failed", "Cancelled", "Abandoned")
        if states.get(state)
    ]
    if progress["retried"]:
        parts.append(f"{progress['retried']} retried")
    if rate:
        parts.append(f"{rate:.1f}/s")
        if left := total(progress) - ended(progress):
            parts.append(f"{duration(left / rate)} left")
    return " · ".join(parts)


def notes(progress: Json) -> list[str]:
    """Lines below the bar: what it waits for, what has failed last, what runs longest."""
    lines = [progress["waiting"]] if progress["waiting"] else []
    lines += [f"{_attempt(failed)} failed: {_first(failed['why'])}" for failed in progress["failures"][-SHOWN:]]
    slow = [task for task in progress["running"] if task["seconds"] >= SLOW]
    lines += [f"{_attempt(task)} runs for {duration(task['seconds'])}" for task in slow[:SHOWN]]
    return lines


def slowest(tasks: Sequence[Json]) -> str:
    """`task 7 3.2 s, task 2 3.1 s`."""
    return ", ".join(f"task {task['index']} {duration(task['seconds'])}" for task in tasks[:SHOWN])


def _attempt(task: Json) -> str:
    return f"task {task['index']}" + (f", attempt {task['attempt']}," if task["attempt"] else "")


def _first(text: str) -> str:
    return text.partition("\n")[0]
