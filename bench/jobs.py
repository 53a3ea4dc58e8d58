"""An execution of many trivial tasks: how fast, what it costs, and what others notice of it.

A warm service answers requests at a steady rate, first alone and then beside the execution, while one client looks at
the execution and pages through its tasks as a person's tools do. Then another execution is cancelled as soon as it has
begun. Then the same container is run by each of homerun's peers, in turns with it.

    python -m bench.jobs            root and an OCI runtime needed, podman and GNU parallel wanted; takes six minutes,
                                    writes bench/results/jobs.json
    python -m bench.jobs --tasks 300 --peers 10     a small one
    python -m bench.jobs large                      one part of it: large, cancel or peers
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.bystanders import Client, Onlooker
from bench.job_peers import peers
from bench.launch import family
from bench.support import cpu_seconds, machine, percentile, run_delay, spread, table, write_results
from homerun.engine.oci import monitor
from tests.support.daemon import LOCATION, Daemon
from tests.support.images import app_layer, make_image

PARTS = ("large", "cancel", "peers")
TURNS = 2
ALONE = 15.0
"""Seconds that the service is measured without tasks beside it."""
PATIENCE = 1800.0
"""Seconds, for what may take long on a machine that has other things to do."""


def peak_mib(pid: int) -> float:
    """The most memory that the process ever had (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} has no peak")


def all_cpu() -> float:
    """CPU seconds of everything on this machine."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def start(daemon: Daemon, tasks: int) -> tuple[dict[str, Any], str]:
    """The operation, and the execution's name."""
    operation = daemon.call("POST", f"/v2/{LOCATION}/jobs/bench:run", {"overrides": {"taskCount": tasks}})
    return operation, operation["metadata"]["name"]


def finish(daemon: Daemon, operation: dict[str, Any]) -> dict[str, Any]:
    """Also one that fails."""
    while not operation.get("done"):
        operation = daemon.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})
    return operation


class Warm:
    """The service that others use meanwhile: how long its answers took, and for how long those who made them had to
    wait for a CPU."""

    def __init__(self, daemon: Daemon) -> None:
        [[conmon]] = monitor.find(daemon.state / "instances").values()
        self._who = {"router": daemon.children()["router"], "instance": family(conmon)[1]}
        self._daemon = daemon

    def during(self, work: Callable[[], object]) -> dict[str, Any]:
        before = {who: run_delay(pid) for who, pid in self._who.items()}
        client = Client(self._daemon.http_port, self._daemon.host("warm"))
        work()
        latencies = client.end()
        waited = {who: 1000 * (run_delay(pid) - before[who]) / len(latencies) for who, pid in self._who.items()}
        return {"ms": latencies, "waited_ms": waited}


def large(daemon: Daemon, tasks: int) -> dict[str, Any]:
    """The execution beside the warm service."""
    warm = Warm(daemon)
    alone = warm.during(lambda: time.sleep(ALONE))
    processes, found = daemon.children(), {}

    def run() -> None:
        before = {role: cpu_seconds(pid) for role, pid in processes.items()}
        machine_before, began = all_cpu(), time.monotonic()
        operation, found["name"] = start(daemon, tasks)
        onlooker = Onlooker(daemon, found["name"])
        onlooker.start()
        execution = daemon.wait(operation, timeout=PATIENCE)
        found["seconds"] = time.monotonic() - began
        found["cpu"] = {role: cpu_seconds(pid) - before[role] for role, pid in processes.items()}
        found["cpu"]["everything"] = all_cpu() - machine_before
        onlooker.end()
        found["api_ms"] = {what: sorted(took) for what, took in onlooker.took.items()}
        assert execution["succeededCount"] == tasks, execution

    beside = warm.during(run)
    began = time.monotonic()
    daemon.wait(daemon.call("DELETE", f"/v2/{found['name']}"), timeout=PATIENCE)
    return {
        "seconds": found["seconds"],
        "cpu_ms_per_task": {who: 1000 * used / tasks for who, used in found["cpu"].items()},
        "peak_mib": {role: peak_mib(pid) for role, pid in processes.items()},
        "api_ms": found["api_ms"],
        "delete_ms": (time.monotonic() - began) * 1000,
        "service": {"alone": alone, "beside": beside},
    }


def cancelled(daemon: Daemon, tasks: int) -> float:
    """Milliseconds from the call until the operation is done, of an execution that has just begun."""
    operation, name = start(daemon, tasks)
    daemon.until(lambda: int(daemon.call("GET", f"/v2/{name}").get("runningCount", 0)) > 0, PATIENCE)
    began = time.monotonic()
    daemon.wait(daemon.call("POST", f"/v2/{name}:cancel", {}), timeout=PATIENCE)
    took = (time.monotonic() - began) * 1000
    finish(daemon, operation)
    return took


def in_turns(daemon: Daemon, folder: Path, archive: Path, tasks: int) -> dict[str, list[float]]:
    """Tasks a second of each: `tasks` of them, half in each turn. Who fails has no further turn."""
    rates: dict[str, list[float]] = {}
    each = max(tasks // TURNS, 1)
    with peers(archive, folder) as others:
        runs = {"homerun": lambda tasks: daemon.wait(start(daemon, tasks)[0], timeout=PATIENCE), **others}
        for turn in range(TURNS):
            for name, run in list(runs.items()):
                began = time.monotonic()
                try:
                    run(each)
                except (subprocess.CalledProcessError, SystemExit) as error:
                    print(f"{name} is left out: {error}")
                    del runs[name]
                    continue
                rates.setdefault(name, []).append(each / (time.monotonic() - began))
                progress(f"turn {turn + 1}: {name}: {rates[name][-1]:.1f} tasks/s")
    return rates


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def print_large(tasks: int, found: Mapping[str, Any]) -> None:
    rows = [
        ["seconds", f"{found['seconds']:.1f}"],
        ["tasks a second", f"{tasks / found['seconds']:.1f}"],
        *([f"CPU per task of {who}, ms", f"{ms:.2f}"] for who, ms in found["cpu_ms_per_task"].items()),
        *([f"peak memory of {role}, MiB", f"{mib:.0f}"] for role, mib in found["peak_mib"].items()),
        ["to delete it, ms", f"{found['delete_ms']:.0f}"],
    ]
    print(table([f"{tasks} tasks", ""], rows))
    latencies = {f"API: {what}": took for what, took in found["api_ms"].items()}
    latencies |= {f"warm service, {when}": each["ms"] for when, each in found["service"].items()}
    rows = [[what, *(f"{percentile(took, p):.1f}" for p in (50, 99, 100))] for what, took in latencies.items() if took]
    print("\n" + table(["ms", "p50", "p99", "max"], rows))
    waited = {when: each["waited_ms"] for when, each in found["service"].items()}
    rows = [[who, *(f"{waits[who]:.2f}" for waits in waited.values())] for who in waited["alone"]]
    print("\n" + table(["waited for a CPU, ms for each request", *waited], rows))


def print_peers(tasks: int, rates: Mapping[str, list[float]]) -> None:
    reference = percentile(rates["homerun"], 50)
    rows = [[name, spread(values), f"{reference / percentile(values, 50):.1f}"] for name, values in rates.items()]
    print("\n" + table([f"{tasks} tasks", "a second", "homerun is so many times faster"], rows))


def measure(parts: Iterable[str], tasks: int, small: int, folder: Path) -> dict[str, Any]:
    """Prints each part when it is done."""
    archive = make_image(folder / "app.tar", [app_layer()], entrypoint=["/app"])
    found: dict[str, Any] = {}
    with Daemon(folder / "state") as daemon:
        image = f"oci-archive:{archive}"
        daemon.deploy("warm", image, container={"args": ["serve"]}, scaling={"minInstanceCount": 1})
        daemon.create_job("bench", image, container={"args": ["exit", "0"]})
        if "large" in parts:
            progress(f"{tasks} tasks beside a warm service")
            found["large"] = large(daemon, tasks)
            print_large(tasks, found["large"])
        if "cancel" in parts:
            progress(f"{tasks} tasks that are cancelled")
            found["cancel_ms"] = cancelled(daemon, tasks)
            print(f"\nTo cancel an execution of {tasks} tasks that has just begun: {found['cancel_ms']:.0f} ms")
        if "peers" in parts and small:
            found["tasks_a_second"] = in_turns(daemon, folder / "peer", archive, small)
            print_peers(small, found["tasks_a_second"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them without")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=200, help="tasks of each peer; 0: without them")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as name:
        found = measure(options.parts or PARTS, options.tasks, options.peers, Path(name))
    write_results("jobs", {"machine": machine(), "tasks": options.tasks, **found})


if __name__ == "__main__":
    main()
