"""How many idle instances a machine holds: memory of each, by process, and the CPU of everything while nobody asks.

So many instances of one service are kept ready without any request, of a static binary and of a Flask app under
gunicorn (fewer, as each takes much more). Memory is the proportional share of each process (PSS); `machine` is what
became unavailable of the machine's memory, with what the kernel keeps for namespaces, cgroups and mounts. CPU is that
of homerun's processes, of the monitors and of the apps together. Then the same for standbys, one of each of many
services.

    python -m bench.density         root, an OCI runtime wanted; writes bench/results/density.json
    python -m bench.density --static 50 --flask 0 --standbys 5 --seconds 5
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.coldstart import COMMANDS, app
from bench.containers import App
from bench.launch import family
from bench.support import cpu_seconds, machine, memory_mib, table, write_results
from homerun.engine.oci import monitor
from homerun.lib.memory import memory
from tests.support.daemon import Daemon

_SETTLE = 3
_PATIENCE = 900
"""Seconds for all to start, or to end: a machine that has other things to do takes its time."""


class Processes:
    """What runs for the daemon, by role."""

    def __init__(self, daemon: Daemon) -> None:
        assert daemon.process is not None
        self.roles: dict[str, list[int]] = defaultdict(list)
        self.roles["up"] = [daemon.process.pid]
        for role, pid in daemon.children().items():
            self.roles[role].append(pid)
        for pids in monitor.find(daemon.state / "instances").values():
            for pid in pids:
                self.roles["conmon"].append(pid)
                self.roles["apps"] += family(pid)[1:]

    def pss(self) -> dict[str, float]:
        """MiB by role."""
        return {role: sum(map(memory_mib, pids)) for role, pids in self.roles.items()}

    def cpu(self) -> dict[str, float]:
        """Seconds by role."""
        return {role: sum(map(cpu_seconds, pids)) for role, pids in self.roles.items()}


def kept_ready(daemon: Daemon, name: str, made: App, number: int) -> None:
    """So many instances of one service."""
    container: dict[str, Any] = {"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}
    if name in COMMANDS:
        container |= {"command": [made.command[0]], "args": list(made.command[1:])}
    scaling = {"minInstanceCount": number, "maxInstanceCount": number}
    daemon.deploy(name, f"oci-archive:{made.archive}", patience=_PATIENCE, container=container, scaling=scaling)
    daemon.until(lambda: _ready(daemon, name) == number, timeout=_PATIENCE)


def _ready(daemon: Daemon, name: str) -> int:
    return sum("readyTime" in instance for instance in daemon.explain(name)["instances"])


def made_ahead(daemon: Daemon, name: str, made: App, number: int) -> None:
    """A standby of each of so many services, which are at zero."""
    for each in range(number):
        daemon.deploy(f"{name}-{each}", f"oci-archive:{made.archive}")
    names = [f"{name}-{each}" for each in range(number)]
    daemon.until(lambda: all(_waits(daemon.explain(each)) for each in names), timeout=_PATIENCE)


def _waits(explained: Any) -> bool:
    return not explained["instances"] and bool(explained["standbys"])


def measure(fill: Callable[[Daemon], None], number: int, seconds: float) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Daemon(Path(folder) / "state", idle_timeout=1, standby=max(32, number)) as daemon,
    ):
        time.sleep(_SETTLE)
        before = memory().available
        fill(daemon)
        time.sleep(_SETTLE)
        processes = Processes(daemon)
        taken, pss, began = before - memory().available, processes.pss(), processes.cpu()
        time.sleep(seconds)
        ended = processes.cpu()
        daemon.stop(_PATIENCE)
        percent = {role: 100 * (ended[role] - began[role]) / seconds for role in began}
        return {"instances": number, "pss_mib": pss, "machine_mib": taken / 2**20, "cpu_percent": percent}


def rows(name: str, found: dict[str, Any]) -> Iterator[list[str]]:
    number, pss, cpu = found["instances"], found["pss_mib"], found["cpu_percent"]
    for role in pss:
        each = f"{pss[role] / number:.2f}" if role in ("conmon", "apps") else "-"
        yield [f"{name}: {role}", f"{pss[role]:.0f}", each, "-", f"{cpu[role]:.2f}"]
    taken = found["machine_mib"]
    per_gib = f"{1024 * number / taken:.0f}" if taken > 0 else "-"
    yield [f"{name}: machine", f"{taken:.0f}", f"{taken / number:.2f}", per_gib, f"{sum(cpu.values()):.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--static", type=int, default=500)
    parser.add_argument("--flask", type=int, default=100)
    parser.add_argument("--standbys", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, number in (("static", options.static), ("flask", options.flask)):
            if number:
                made = app(name, Path(folder))
                fill = partial(kept_ready, name=name, made=made, number=number)
                figures[f"{number} {name}"] = measure(fill, number, options.seconds)
        if number := options.standbys:
            made = app("static", Path(folder))
            fill = partial(made_ahead, name="ahead", made=made, number=number)
            figures[f"{number} standbys"] = measure(fill, number, options.seconds)
    shown = [row for name, found in figures.items() for row in rows(name, found)]
    print(table(["idle", "memory, MiB", "each", "in a GiB", "CPU, % of one core"], shown))
    write_results("density", {"machine": machine(), **figures})


if __name__ == "__main__":
    main()
