"""An execution of many trivial tasks: how fast, what it costs, and what others notice of it.

A warm service answers requests at a steady rate, first alone and then beside the execution, while one client looks at
the execution and pages through its tasks as a person's tools do. Then the same container is run a few hundred times by
each of its peers, in turns: homerun again, `podman run` in a loop, and GNU parallel with crun on one prepared bundle,
which has no image, no network to talk to anybody with, no log and no retries. The clients run at a higher priority than
everything else: they stand for other machines.

    python -m bench.jobs            root and an OCI runtime needed, podman and GNU parallel wanted;
                                    writes bench/results/jobs.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.containers import Podman, podman
from bench.support import cpu_seconds, machine, percentile, spread, table, write_results
from tests.support.daemon import LOCATION, Daemon
from tests.support.images import app_layer, compile_app, make_image

RATE = 100
"""Requests a second to the warm service."""
ASK_EVERY = 0.1
ROUNDS = 2


class Client:
    """Requests at a steady rate, from a process of its own: each latency counts from when the request was due."""

    def __init__(self, port: int, host: str) -> None:
        self._latencies: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
        self._stop = multiprocessing.Event()
        self._process = multiprocessing.Process(target=self._run, args=(port, host))
        self._process.start()

    def end(self) -> list[float]:
        """Milliseconds, of each request."""
        self._stop.set()
        found = self._latencies.get()
        self._process.join()
        return found

    def _run(self, port: int, host: str) -> None:
        os.nice(-10)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        found, due = [], time.monotonic()
        while not self._stop.is_set():
            due += 1 / RATE
            time.sleep(max(due - time.monotonic(), 0))
            connection.request("GET", "/", headers={"Host": host})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            found.append((time.monotonic() - due) * 1000)
        self._latencies.put(found)


class Onlooker(threading.Thread):
    """Asks the API what a person's tools ask, again and again."""

    def __init__(self, daemon: Daemon, execution: str) -> None:
        super().__init__(daemon=True)
        self._daemon, self._execution = daemon, execution
        self._over = threading.Event()
        self.took: dict[str, list[float]] = {"execution": [], "progress": [], "page of 100 tasks": []}

    def run(self) -> None:
        token = ""
        while not self._over.wait(ASK_EVERY):
            self._ask("execution", f"/v2/{self._execution}")
            self._ask("progress", f"/homerun/v1/{self._execution}:progress")
            page = self._ask("page of 100 tasks", f"/v2/{self._execution}/tasks?pageSize=100&pageToken={token}")
            token = page.get("nextPageToken", "")

    def _ask(self, what: str, path: str) -> Any:
        began = time.monotonic()
        answer = self._daemon.call("GET", path)
        self.took[what].append((time.monotonic() - began) * 1000)
        return answer

    def end(self) -> None:
        self._over.set()
        self.join()


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


def start(daemon: Daemon, job: str, tasks: int) -> tuple[dict[str, Any], str]:
    """The operation, and the execution's name."""
    operation = daemon.call("POST", f"/v2/{LOCATION}/jobs/{job}:run", {"overrides": {"taskCount": tasks}})
    return operation, operation["metadata"]["name"]


def large(daemon: Daemon, tasks: int) -> dict[str, Any]:
    """The execution beside the warm service."""
    quiet = Client(daemon.http_port, daemon.host("warm"))
    time.sleep(15)
    alone = quiet.end()
    processes = daemon.children()
    before = {role: cpu_seconds(pid) for role, pid in processes.items()}
    machine_before, began = all_cpu(), time.monotonic()
    operation, name = start(daemon, "bench", tasks)
    onlooker, client = Onlooker(daemon, name), Client(daemon.http_port, daemon.host("warm"))
    onlooker.start()
    execution = daemon.wait(operation, timeout=1800)
    seconds = time.monotonic() - began
    beside = client.end()
    onlooker.end()
    assert execution["succeededCount"] == tasks, execution
    used = {role: cpu_seconds(pid) - before[role] for role, pid in processes.items()}
    began = time.monotonic()
    daemon.wait(daemon.call("DELETE", f"/v2/{name}"))
    return {
        "seconds": seconds,
        "cpu_ms_per_task": {role: 1000 * each / tasks for role, each in used.items()}
        | {"everything": 1000 * (all_cpu() - machine_before) / tasks},
        "peak_mib": {role: peak_mib(pid) for role, pid in processes.items()},
        "api_ms": onlooker.took,
        "delete_ms": (time.monotonic() - began) * 1000,
        "service_ms": {"alone": alone, "beside": beside},
    }


def cancelled(daemon: Daemon, tasks: int) -> float:
    """Milliseconds from the call until the operation is done, of an execution that has just begun."""
    operation, name = start(daemon, "bench", tasks)
    daemon.until(lambda: int(daemon.call("GET", f"/v2/{name}").get("runningCount", 0)) > 0)
    began = time.monotonic()
    daemon.wait(daemon.call("POST", f"/v2/{name}:cancel", {}))
    took = (time.monotonic() - began) * 1000
    while not operation.get("done"):
        operation = daemon.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})
    return took


@contextmanager
def bundle(folder: Path) -> Iterator[Callable[[int], None] | None]:
    """Runs so many containers by GNU parallel and crun; None where one of them is missing."""
    if not (shutil.which("parallel") and shutil.which("crun")):
        print("GNU parallel or crun is not installed: measured without it")
        yield None
        return
    root = folder / "rootfs"
    for path in ("proc", "sys", "dev", "tmp"):
        (root / path).mkdir(parents=True)
    shutil.copy(compile_app(), root / "app")
    subprocess.run(["crun", "spec"], cwd=folder, check=True)
    config = json.loads((folder / "config.json").read_text())
    config["process"] |= {"args": ["/app", "exit", "0"], "terminal": False}
    config["process"]["rlimits"] = []
    config["linux"]["resources"] |= {"memory": {"limit": 512 << 20}, "pids": {"limit": 4096}}
    (folder / "config.json").write_text(json.dumps(config))
    jobs = 2 * (os.cpu_count() or 1)

    def run(tasks: int) -> None:
        command = f"crun --cgroup-manager=cgroupfs run --bundle {folder} peer-{os.getpid()}-{{}}"
        inside = (
            "umount -l /sys/fs/cgroup/unified 2>/dev/null; exec " + f"parallel -j{jobs} '{command}' ::: $(seq {tasks})"
        )
        subprocess.run(["unshare", "--mount", "bash", "-c", inside], check=True, stdout=subprocess.DEVNULL)

    yield run


def run_podman(peer: Podman, tasks: int) -> None:
    for _ in range(tasks):
        peer.run("exit", "0")


def peers(daemon: Daemon, folder: Path, archive: Path, tasks: int) -> dict[str, list[float]]:
    """Tasks a second of each, in turns."""
    rates: dict[str, list[float]] = {}
    with podman(archive) as theirs, bundle(folder) as by_hand:
        runs: dict[str, Callable[[], Any]] = {"homerun": lambda: daemon.wait(start(daemon, "bench", tasks)[0])}
        if theirs is not None:
            runs["podman run in a loop"] = lambda: run_podman(theirs, tasks)
        if by_hand is not None:
            runs["GNU parallel with crun"] = lambda: by_hand(tasks)
        for _ in range(ROUNDS):
            for name, run in runs.items():
                began = time.monotonic()
                run()
                rates.setdefault(name, []).append(tasks / (time.monotonic() - began))
                print(f"round {len(rates[name])}: {name}: {rates[name][-1]:.1f} tasks/s", flush=True)
    return rates


def report(tasks: int, found: dict[str, Any], cancel_ms: float, small: int, rates: dict[str, list[float]]) -> None:
    rows = [
        ["seconds", f"{found['seconds']:.1f}"],
        ["tasks a second", f"{tasks / found['seconds']:.1f}"],
        *([f"CPU per task of {role}, ms", f"{ms:.2f}"] for role, ms in found["cpu_ms_per_task"].items()),
        *([f"peak memory of {role}, MiB", f"{mib:.0f}"] for role, mib in found["peak_mib"].items()),
        ["to delete it, ms", f"{found['delete_ms']:.0f}"],
        ["to cancel one that has just begun, ms", f"{cancel_ms:.0f}"],
    ]
    print(table([f"{tasks} tasks", ""], rows))
    latencies = {f"API: {what}": took for what, took in found["api_ms"].items()}
    latencies |= {f"warm service, {when}": took for when, took in found["service_ms"].items()}
    rows = [[what, *(f"{percentile(took, p):.1f}" for p in (50, 99, 100))] for what, took in latencies.items() if took]
    print("\n" + table(["ms", "p50", "p99", "max"], rows))
    reference = percentile(rates["homerun"], 50)
    rows = [[name, spread(values), f"{reference / percentile(values, 50):.1f}"] for name, values in rates.items()]
    print("\n" + table([f"{small} tasks", "a second", "homerun is so many times faster"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=200, help="tasks of each turn beside the peers; 0: without them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Daemon(Path(name) / "state") as daemon:
        folder = Path(name)
        archive = make_image(folder / "app.tar", [app_layer()], entrypoint=["/app"])
        image = f"oci-archive:{archive}"
        daemon.deploy("warm", image, container={"args": ["serve"]}, scaling={"minInstanceCount": 1})
        daemon.create_job("bench", image, container={"args": ["exit", "0"]})
        found = large(daemon, options.tasks)
        cancel_ms = cancelled(daemon, options.tasks)
        rates = peers(daemon, folder / "peer", archive, options.peers) if options.peers else {"homerun": [1.0]}
    report(options.tasks, found, cancel_ms, options.peers, rates)
    found["api_ms"] = {what: sorted(took) for what, took in found["api_ms"].items()}
    write_results(
        "jobs",
        {"machine": machine(), "tasks": options.tasks, **found, "cancel_ms": cancel_ms, "tasks_a_second": rates},
    )


if __name__ == "__main__":
    main()
