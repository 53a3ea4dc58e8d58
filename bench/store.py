"""How fast the store commits: one writer, 100 at once, a burst of 10,000 tasks, a list of them.

    python bench/store.py [--folder DIR] [--json FILE] [--rounds N]

Variants alternate within every round, FULL twice: the second one is the control, and a ratio of the two outside 0.9
to 1.1 says that the machine was too noisy to believe the rest. Medians, with minimum and maximum.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from homerun.store.base import Put, Store
from homerun.store.memory import MemoryStore
from homerun.store.sqlite import SqliteStore

BODY = {"name": "x" * 80, "template": {"containers": [{"image": "y" * 120, "env": [{"name": "A", "value": "b"}] * 8}]}}
"""About 500 bytes, as a small task."""

Variant = Callable[[Path], Awaitable[Store]]
VARIANTS: dict[str, Variant] = {
    "sqlite FULL": lambda path: SqliteStore.open(path),
    "sqlite NORMAL": lambda path: SqliteStore.open(path, synchronous="NORMAL"),
    "sqlite FULL, again": lambda path: SqliteStore.open(path),
}


async def memory(path: Path) -> Store:
    return MemoryStore()


VARIANTS["memory"] = memory


def task(number: int) -> Put:
    return Put("Task", f"projects/p/locations/l/jobs/j/executions/e/tasks/{number:06}", BODY)


async def sequential(store: Store, count: int = 1000) -> float:
    """Commits per second, one after the other."""
    start = time.perf_counter()
    for number in range(count):
        await store.apply(task(number))
    return count / (time.perf_counter() - start)


async def concurrent(store: Store, writers: int = 100, each: int = 100) -> float:
    """Commits per second of 100 writers, each waiting for its own."""

    async def write(writer: int) -> None:
        for number in range(each):
            await store.apply(task(writer * each + number))

    start = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    return writers * each / (time.perf_counter() - start)


async def burst(store: Store, count: int = 10_000) -> float:
    """Seconds until 10,000 tasks that change state at once are all durable."""
    start = time.perf_counter()
    await asyncio.gather(*(store.apply(task(number)) for number in range(count)))
    return time.perf_counter() - start


async def listing(store: Store) -> float:
    """Seconds to list 10,000 documents."""
    start = time.perf_counter()
    assert len(await store.list("Task")) == 10_000
    return time.perf_counter() - start


async def one_read(store: Store, count: int = 1000) -> float:
    """Microseconds per get."""
    start = time.perf_counter()
    for number in range(count):
        await store.get("Task", task(number).name)
    return (time.perf_counter() - start) / count * 1e6


MEASURES: dict[str, tuple[Callable[[Store], Awaitable[float]], str]] = {
    "sequential": (sequential, "commits/s"),
    "100 writers": (concurrent, "commits/s"),
    "10,000 at once": (burst, "s"),
    "list 10,000": (listing, "s"),
    "get": (one_read, "µs"),
}


async def measure(rounds: int, folder: Path) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {variant: [] for variant in VARIANTS} for name in MEASURES}
    for number in range(rounds):
        for variant, open_store in VARIANTS.items():
            with tempfile.TemporaryDirectory(dir=folder) as place:
                store = await open_store(Path(place) / "bench.db")
                for name, (run, _) in MEASURES.items():
                    found[name][variant].append(await run(store))
                await store.close()
        print(f"round {number + 1} of {rounds} done", flush=True)
    return found


def table(found: dict[str, dict[str, list[float]]]) -> str:
    lines = [f"{'':16} " + "".join(f"{variant:>30}" for variant in VARIANTS)]
    for name, (_, unit) in MEASURES.items():
        cells = (_cell(found[name][variant]) for variant in VARIANTS)
        lines.append(f"{name:16} " + "".join(f"{cell:>30}" for cell in cells) + f"  {unit}")
    ratio = [
        a / b
        for a, b in zip(found["sequential"]["sqlite FULL"], found["sequential"]["sqlite FULL, again"], strict=True)
    ]
    lines.append(f"control, FULL / FULL again, sequential: {statistics.median(ratio):.2f} (0.9 to 1.1 is fine)")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    digits = 0 if min(values) > 100 else 3
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk to measure (not a tmpfs)")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path, help="write the figures here too")
    given = options.parse_args()
    found = asyncio.run(measure(given.rounds, given.folder))
    print(table(found))
    if given.json:
        host = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "machine": platform.machine()}
        units = {name: unit for name, (_, unit) in MEASURES.items()}
        given.json.write_text(json.dumps({"host": host, "units": units, "rounds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
