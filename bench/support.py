"""What all benchmarks share: the machine's description, CPU time of processes, statistics, tables, result files."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CONTROL_RANGE = (0.9, 1.1)
"""A control run (the same thing measured as if it were two) outside of this says that the machine was too noisy."""


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    info = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().replace("\t", "").splitlines() if ":" in line
    )
    return {
        "cpu": info.get("model name", platform.machine()).strip(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, user and system, to the nanosecond."""
    # The kernel's number of "the CPU clock of process pid": MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
    return time.clock_gettime((~pid << 3) | 2)


def run_delay(pid: int) -> float:
    """Seconds that the threads of a process which live have waited for a CPU while they could have run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[1]) for thread in threads) / 1e9


def memory_mib(pid: int) -> float:
    """Memory of a process, pages shared with others counted in parts (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc/{pid}/smaps_rollup has no Pss line")


def percentile(values: Sequence[float], percent: float) -> float:
    """0: the smallest, 50: the median, 100: the largest; in between, interpolated."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median (minimum to maximum)."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, so that it can go into docs/performance.md as it is."""
    widths = [max(len(str(row[at])) for row in [header, *rows]) for at in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (str(cell) for cell in cells)
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths))
    return "\n".join([line(header), rule + "|", *map(line, rows)])


def write_results(name: str, results: Mapping[str, Any], *, quiet: bool = False) -> Path:
    """To bench/results/NAME.json. `quiet`: nothing is said about it, as it is written again and again."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    if not quiet:
        print(f"written to {path}")
    return path


def find(program: str, remedy: str) -> str | None:
    """Path of a program, in PATH or beside this Python; else says how to get it."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:{Path(sys.executable).parent}")
    if path is None:
        print(f"{program} is not installed ({remedy})", file=sys.stderr)
    return path
