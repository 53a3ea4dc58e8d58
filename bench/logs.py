"""What logs cost: a million lines taken from files like conmon's into the store, and found again.

python -m bench.logs            no root needed; prints tables, writes bench/results/logs.json

Beside it in the same run, over the same lines as plain files: grep, and zgrep over the files compressed. Every query is
asked again and again, ours and the peers' by turns.
"""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from bench.support import machine, percentile, table, write_results
from homerun.apis.logging.narrow import narrowed
from homerun.apis.logging.reading import matching
from homerun.engine.oci import spool as spools
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.spool import Spool
from homerun.meter.log_book import grouped
from homerun.meter.log_rows import origin, output_row, owner_of
from homerun.store.log_base import LogQuery, LogRow
from homerun.store.log_files import SqliteLogStore
from homerun.wire.filters import parse_filter

SERVICES, INSTANCES = 20, 5
"""Services, and instances of each."""
START = 1_795_521_600
RARE, SOMETIMES = "checksum-mismatch-7f3a", "connection reset by peer"
LIMIT = 100
CHUNK = 16 << 10
"""Bytes of each instance in one turn: some lines of many, as if they were all being written."""


def line(number: int, chance: random.Random) -> str:
    if number == 123_456 or number % 400_000 == 7:
        return f"error: {RARE} in shard {number}"
    if number % 997 == 13:
        return f'{{"severity":"ERROR","message":"upstream: {SOMETIMES}","user":"u{chance.randrange(1000)}"}}'
    path = f"/api/v1/items/{chance.randrange(10**6)}"
    return f"GET {path} user=u{chance.randrange(1000)} took {chance.random():.3f} ms, {chance.getrandbits(64):016x}"


def write_files(folder: Path, count: int) -> tuple[Logs, Path]:
    """As conmon would have left them in an hour, and the same lines in one plain file for each instance."""
    logs, chance, plain = Logs(folder / "logs"), random.Random(1), folder / "plain"
    for place in (folder / "logs", plain):
        place.mkdir()
    logs.open()
    files: dict[str, Any] = {}
    for service in range(SERVICES):
        for instance in range(INSTANCES):
            id, name = f"s{service}-{instance}", f"projects/p/locations/r/services/s{service}"
            logs.add(id, {"service": name, "revision": f"{name}/revisions/s{service}-1"})
            files[id] = (logs.file(id).open("wb"), (plain / f"{id}.log").open("wb"))
    ids = list(files)
    for number in range(count):
        at = number * 3600 / count
        text, stamp = line(number, chance).encode(), time.gmtime(START + at)
        when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', stamp)}.{int(at % 1 * 1e9):09}+00:00"
        log, copy = files[ids[number % len(ids)]]
        log.write(b"%b stdout F %b\n" % (when.encode(), text))
        copy.write(b"%b %b\n" % (when.encode(), text))
    for pair in files.values():
        for file in pair:
            file.close()
    return logs, plain


def ingest(logs: Logs, store: SqliteLogStore) -> tuple[int, float, float]:
    """Everything, by turns of a chunk each, as meter.log_book does it. Entries, seconds, seconds of CPU."""
    spools.CHUNK = CHUNK
    spool = Spool(logs, lambda id: True, lambda id: False)
    wall, cpu, entries = time.perf_counter(), time.process_time(), 0
    positions, left = dict.fromkeys(logs.keys(), ""), logs.keys()
    while left:
        rows, moved, again = list[LogRow](), dict[str, str](), list[str]()
        for key in left:
            output = spool.read(key, positions[key], START + 7200)
            assert output is not None
            owner = owner_of(output.labels)
            assert owner is not None
            source = origin("stdout", owner, output.labels, key)
            groups, position = grouped(output, START + 7200)
            rows += [output_row(source, group) for group in groups]
            if position:
                moved[key] = position
            if output.more:
                again.append(key)
        store.append("p", rows, moved, START)
        for key, position in moved.items():
            spool.settled(key, position)
        positions |= moved
        entries += len(rows)
        left = again
    return entries, time.perf_counter() - wall, time.process_time() - cpu


def search(store: SqliteLogStore, filter: str) -> int:
    """What entries:list does for the last 100."""
    node = parse_filter(filter)
    keep, query = matching("p", node), narrowed(LogQuery("p", descending=True), node)
    return len(list(islice((kept for found in store.search(query) if (kept := keep(found)) is not None), LIMIT)))


SERVICE = "resource.type = cloud_run_revision AND resource.labels.service_name = s3 AND severity >= DEFAULT"
LAST_MINUTES = 'timestamp>="2026-11-24T12:55:00Z"'
QUERIES = {
    "the last 100 of a service": SERVICE,
    "errors of a service": f"{SERVICE} AND severity>=ERROR",
    "a rare word, everywhere": f'SEARCH("{RARE}")',
    "a word that is nowhere": 'textPayload:"no such thing anywhere"',
    "a frequent text in a service": f'{SERVICE} AND "{SOMETIMES}"',
    "a rare word in five minutes": f'SEARCH("{RARE}") AND {LAST_MINUTES}',
}


def peers(plain: Path, packed: Path) -> dict[str, Callable[[], object]]:
    """Commands that answer nearly the same questions."""

    def run(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=False)

    rare = {"grep": run("grep", "-rhiF", RARE, str(plain)), "zgrep": run("zgrep", "-hiF", RARE, *_files(packed))}
    if shutil.which("rg"):
        rare["ripgrep"] = run("rg", "-iF", RARE, str(plain))
    return rare


def _files(folder: Path) -> list[str]:
    return sorted(str(file) for file in folder.iterdir())


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        folder = Path(place)
        logs, plain = write_files(folder, options.lines)
        packed = folder / "packed"
        packed.mkdir()
        began = time.process_time()
        for file in plain.iterdir():
            (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 6))
        packing = time.process_time() - began
        store = SqliteLogStore(folder / "entries")
        entries, wall, cpu = ingest(logs, store)
        store.close()
        figures = {
            "lines": options.lines,
            "entries": entries,
            "lines_per_second": options.lines / wall,
            "cpu_us_per_line": 1e6 * cpu / options.lines,
            "bytes_per_line": size(folder / "entries") / options.lines,
            "plain_bytes_per_line": size(plain) / options.lines,
            "gzip_bytes_per_line": size(packed) / options.lines,
            "gzip_cpu_us_per_line": 1e6 * packing / options.lines,
        }
        print(table(["", ""], [[name, f"{value:,.1f}"] for name, value in figures.items()]))
        asked: dict[str, Callable[[], object]] = {
            name: (lambda filter=filter: search(store, filter)) for name, filter in QUERIES.items()
        }
        asked |= peers(plain, packed)
        took: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(options.rounds):
            for name, ask in asked.items():
                before = time.perf_counter()
                ask()
                took[name].append(1000 * (time.perf_counter() - before))
        found = {name: search(store, filter) for name, filter in QUERIES.items()}
    rows = [
        [name, f"{percentile(times, 50):.1f}", f"{percentile(times, 99):.1f}", str(found.get(name, ""))]
        for name, times in took.items()
    ]
    print(table(["query", "p50, ms", "p99, ms", "found"], rows))
    write_results("logs", {"machine": machine(), **figures, "milliseconds": took, "found": found})


if __name__ == "__main__":
    main()
