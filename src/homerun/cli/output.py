"""Text for people: tables, ages, sizes, sections. JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from homerun.lib.timestamps import from_rfc3339


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], indent: str = "") -> str:
    """Left-aligned columns, two spaces between, no trailing blanks."""
    cells = [list(headers), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    lines = [
        indent
        + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([click.style(lines[0], bold=True), *lines[1:]])


def _width(cell: str) -> int:
    """Colours take no room."""
    return len(click.unstyle(cell))


def section(title: str, body: str) -> str:
    return f"\n{click.style(title, bold=True)}\n{body}"


def duration(seconds: float) -> str:
    """`42 ms`, `3.2 s`, `4m 10s`, `5h 3m`, `6d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds // 60:.0f}m {seconds % 60:.0f}s"
    hours = seconds / 3600
    return f"{int(hours)}h {seconds % 3600 // 60:.0f}m" if hours < 48 else f"{hours / 24:.0f}d"


def ago(timestamp: str | None, now: float) -> str:
    if not timestamp:
        return "-"
    seconds = max(now - from_rfc3339(timestamp), 0)
    return f"{seconds:.0f} s ago" if seconds < 100 else f"{duration(seconds)} ago"


def clock_time(timestamp: str) -> str:
    """The time of day of an RFC 3339 timestamp, to the millisecond, in UTC as it is written."""
    return timestamp.partition("T")[2].rstrip("Z")[:12] or timestamp


def size(amount: float) -> str:
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def last(name: str) -> str:
    """The id at the end of a resource name."""
    return name.rpartition("/")[2]


_MARKS = {"CONDITION_SUCCEEDED": ("✓", "green"), "CONDITION_FAILED": ("✗", "red")}


def mark(condition: dict[str, Any] | None) -> str:
    """✓ good, ✗ failed, … on its way."""
    sign, colour = _MARKS.get((condition or {}).get("state", ""), ("…", "yellow"))
    return click.style(sign, fg=colour)


def conditions(resource: dict[str, Any]) -> str:
    """One line for each condition, with its message; the terminal one first."""
    found = [c for c in (resource.get("terminalCondition"), *resource.get("conditions", ())) if c]
    lines = []
    for condition in found:
        message = condition.get("message", "").replace("\n", "\n      ")
        lines.append(f"  {mark(condition)} {condition['type']}" + (f"  {message}" if message else ""))
    return "\n".join(lines) or "  none yet"


def amount(value: float) -> str:
    """Thousandths at most, and no zeros at the end."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def cost(cost: dict[str, Any]) -> str:
    """Seconds and dollars, and what they would be on the real platform."""
    seconds, cpu, memory = (amount(cost[key]) for key in ("billableSeconds", "vcpuSeconds", "gibSeconds"))
    text = (
        f"  ${cost['usd']:.6f}  for {seconds} billable s: {cpu} vCPU-s, {memory} GiB-s, {cost['requests']} requests "
        "(Cloud Run's public prices)"
    )
    if cost.get("idleSeconds"):
        text += f"\n  with {amount(cost['idleSeconds'])} s of instances without requests that the minimum keeps"
    return text + (f"\n  {cost['freeTierNote']}" if cost.get("freeTierNote") else "")
