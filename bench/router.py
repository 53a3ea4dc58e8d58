"""The router beside HAProxy, nginx, Envoy and Go's ReverseProxy: requests a second, added latency, CPU, memory.

All stand before the same backends, in the same run. Each workload asks each proxy for a second in turn, for several
rounds; before, each holds idle connections. The router is the real process on its control socket, with a stand-in for
control; it does what it always does: slots, usage, request log, trace and forwarding headers. Peers run with one
thread, without logs; "same job" adds what the router does besides. Latency is what a proxy adds to that of the backend
asked directly in the same round; under closed load it is mostly waiting for the machine's cores. The router is measured
twice in each round of the first workload, as two processes: their ratio says how far the figures can be believed.

    python -m bench.router [--quick] [--only http1,grpc] [--connections 1,32] [--rounds 5] [--seconds 1] [--idle 10000]

Progress goes to stderr, tables to stdout, and figures to bench/results/router.json while they come.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.idle_connections import idle_memory
from bench.launch import Programs
from bench.proxies import AGAIN, DIRECT, HTTP1, OURS, SEVERAL, YARDSTICKS, Field, Proxy
from bench.support import CONTROL_RANGE, find, machine, spread, table, write_results
from bench.workloads import WORKLOADS, LoadFailed, Workload

IDLE_CONNECTIONS = 10_000
_SETUP = 0.15
"""Seconds that a load generator takes beside its load."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One proxy, one workload, one number of connections, one round."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


Rounds = dict[str, list[Figure | None]]
"""By proxy; None where requests failed."""


@dataclass(slots=True)
class Run:
    """What is known so far."""

    seconds: int
    figures: dict[str, dict[int, Rounds]] = field(default_factory=dict)
    """workload -> connections -> proxy -> rounds"""
    failures: list[str] = field(default_factory=list)
    idle_kb: dict[str, float] = field(default_factory=dict)

    def save(self) -> None:
        figures = {
            workload: {
                connections: {name: [figure and asdict(figure) for figure in found] for name, found in rounds.items()}
                for connections, rounds in cells.items()
            }
            for workload, cells in self.figures.items()
        }
        results = {"machine": machine(), "seconds": self.seconds, "figures": figures}
        write_results("router", results | {"idle_kb": self.idle_kb, "failures": self.failures}, quiet=True)

    def failed(self, what: str, error: Exception) -> None:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self.failures.append(f"{what}: {first}")
        progress(f"  failed: {what}: {error}")


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(workload: Workload, proxy: Proxy, connections: int, seconds: int) -> Figure:
    before = proxy.cpu()
    loaded = workload.load(proxy, connections, seconds)
    cpu = (proxy.cpu() - before) / loaded.requests * 1e6
    return Figure(loaded.requests / loaded.seconds, cpu, loaded.p50_ms, loaded.p99_ms)


def measure_rounds(run: Run, workload: Workload, proxies: Sequence[Proxy], connections: int, rounds: int) -> None:
    """All proxies in turn, `rounds` times; who fails is asked again in the next round."""
    found: Rounds = {proxy.name: [] for proxy in proxies}
    run.figures.setdefault(workload.name, {})[connections] = found
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: {workload.name}, {connections} connections")
        for proxy in proxies:
            figure = None
            try:
                figure = measure(workload, proxy, connections, run.seconds)
            except (LoadFailed, OSError, ValueError) as error:
                run.failed(f"{proxy.name}, {workload.name}, {connections} connections", error)
            found[proxy.name].append(figure)
        run.save()


def measure_idle(run: Run, proxies: Sequence[Proxy], number: int) -> None:
    for proxy in proxies:
        if proxy.name in (DIRECT, AGAIN, SEVERAL) or HTTP1 not in proxy.ports:
            continue
        progress(f"{number} idle connections: {proxy.name}")
        try:
            run.idle_kb[proxy.name] = idle_memory(proxy, number)
        except OSError as error:
            run.failed(f"{proxy.name}, {number} idle connections", error)
        run.save()


# Tables

HEADER = [
    "proxy, connections",
    "requests/s",
    "CPU µs/request",
    *(f"x {shown}" for shown in YARDSTICKS.values()),
    "added p50 ms",
    "added p99 ms",
]


def rows(connections: int, rounds: Rounds) -> list[list[str]]:
    """Of the rounds that succeeded; ratios and differences within one round."""
    return [[f"{name}, {connections}", *_cells(name, found, rounds)] for name, found in rounds.items()]


def _cells(name: str, found: list[Figure | None], rounds: Rounds) -> list[str]:
    good = [figure for figure in found if figure is not None]
    if not good:
        return ["failed", *["-"] * (len(HEADER) - 2)]
    rate = spread([figure.rate for figure in good], 0)
    if name == DIRECT:
        latencies = (statistics.median(f.p50_ms for f in good), statistics.median(f.p99_ms for f in good))
        return [rate, "-", *["-"] * len(YARDSTICKS), *(f"({latency:.2f})" for latency in latencies)]
    pairs = [(a, b) for a, b in zip(found, rounds.get(DIRECT, []), strict=False) if a and b]
    return [
        rate,
        spread([figure.cpu_us for figure in good]),
        *(_ratio(found, rounds.get(yardstick, [])) for yardstick in YARDSTICKS),
        f"{statistics.median(a.p50_ms - b.p50_ms for a, b in pairs):.2f}" if pairs else "-",
        f"{statistics.median(a.p99_ms - b.p99_ms for a, b in pairs):.2f}" if pairs else "-",
    ]


def _ratio(found: list[Figure | None], yardstick: list[Figure | None]) -> str:
    """Of the CPU time."""
    ratios = [a.cpu_us / b.cpu_us for a, b in zip(found, yardstick, strict=False) if a and b and b.cpu_us]
    return spread(ratios, 2) if ratios else "-"


def control_line(connections: int, rounds: Rounds) -> str | None:
    """The router against itself; None where it was not measured twice."""
    pairs = zip(rounds.get(OURS, []), rounds.get(AGAIN, []), strict=False)
    ratios = [one.cpu_us / other.cpu_us for one, other in pairs if one and other]
    if not ratios:
        return None
    ratio = statistics.median(ratios)
    low, high = CONTROL_RANGE
    verdict = "" if low <= ratio <= high else ": THE RUN IS VOID, the machine is too noisy"
    return f"control, {connections} connections: the router against itself {ratio:.3f}{verdict}"


def print_report(run: Run) -> None:
    for name, cells in run.figures.items():
        print(f"\n### {name}\n")
        print(table(HEADER, [row for connections, rounds in cells.items() for row in rows(connections, rounds)]))
        print(*filter(None, (control_line(*cell) for cell in cells.items())), sep="\n")
    if run.idle_kb:
        print("\n### Idle connections\n")
        print(table(["proxy", "kB for each"], [[name, f"{kb:.1f}"] for name, kb in run.idle_kb.items()]))
    for failure in sorted(set(run.failures)):
        print(f"failed {run.failures.count(failure)} times: {failure}")


# The run


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds with 1 and 32 connections, 1,000 idle ones")
    parser.add_argument("--only", default=",".join(WORKLOADS), help=f"workloads: {','.join(WORKLOADS)}")
    parser.add_argument("--proxies", default="", help="only those whose names begin so: homerun,haproxy")
    parser.add_argument("--connections", default="", help="instead of those of each workload")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--idle", type=int, default=-1, help="idle connections; 0: that is not measured")
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 5)
    if chosen.idle < 0:
        chosen.idle = 1000 if chosen.quick else IDLE_CONNECTIONS
    if not chosen.connections and chosen.quick:
        chosen.connections = "1,32"
    chosen.workloads = [name for name in chosen.only.split(",") if name]
    if unknown := set(chosen.workloads) - set(WORKLOADS):
        parser.error(f"no workload is called {', '.join(sorted(unknown))}: there are {', '.join(WORKLOADS)}")
    return chosen


def plan(chosen: argparse.Namespace, proxies: Sequence[Proxy]) -> list[tuple[Workload, int, list[Proxy]]]:
    wanted = [int(number) for number in chosen.connections.split(",") if number]
    cells: list[tuple[Workload, int, list[Proxy]]] = []
    for workload in map(WORKLOADS.__getitem__, chosen.workloads):
        takers = [proxy for proxy in proxies if workload.protocol in proxy.ports and workload.takes(proxy)]
        asked = [connections for connections in workload.connections if not wanted or connections in wanted]
        cells += [(workload, connections, takers) for connections in asked if takers]
    return cells


def main() -> None:
    chosen = options()
    remedies = {"wrk": "wrk", "gcc": "gcc", "h2load": "nghttp2-client"}
    missing = {program for program, package in remedies.items() if find(program, f"apt-get install {package}") is None}
    if missing & {"wrk", "gcc"}:
        raise SystemExit(1)
    run = Run(chosen.seconds)
    with tempfile.TemporaryDirectory() as folder, Programs() as programs:
        proxies = Field(programs, Path(folder)).start()
        prefixes = tuple(chosen.proxies.split(",")) if chosen.proxies else ("",)
        proxies = [proxy for proxy in proxies if proxy.name.startswith(prefixes)]
        cells = plan(chosen, proxies)
        if "h2load" in missing:
            cells = [cell for cell in cells if cell[0].protocol == HTTP1]
        loads = sum(len(takers) for _, _, takers in cells) * chosen.rounds
        minutes = loads * (chosen.seconds + _SETUP) / 60
        progress(
            f"{len(proxies)} proxies, {len(cells)} cells, {loads} loads: about {minutes:.0f} minutes, and idle memory"
        )
        began = time.monotonic()
        if chosen.idle:
            # First: what is left over from a load would be used again, and not counted.
            measure_idle(run, proxies, chosen.idle)
        for workload, connections, takers in cells:
            measure_rounds(run, workload, takers, connections, chosen.rounds)
        progress(f"took {(time.monotonic() - began) / 60:.1f} minutes")
    print_report(run)


if __name__ == "__main__":
    main()
