"""Tasks per second: an execution of many trivial tasks, from the call to its end.

python -m bench.jobs            root and an OCI runtime needed; prints a table, writes bench/results/jobs.json
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.support import cpu_seconds, machine, table, write_results
from tests.support.daemon import LOCATION, Daemon
from tests.support.images import app_layer, make_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates, control_ms = [], []
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state") as daemon:
        image = f"oci-archive:{make_image(Path(folder) / 'app.tar', [app_layer()], entrypoint=['/app'])}"
        daemon.create_job("bench", image, task_count=options.tasks, container={"args": ["exit", "0"]})
        control = daemon.children()["control"]
        for number in range(options.rounds):
            cpu, began = cpu_seconds(control), time.monotonic()
            execution = daemon.execute("bench", timeout=600)
            seconds = time.monotonic() - began
            assert execution["succeededCount"] == options.tasks, execution
            rates.append(options.tasks / seconds)
            control_ms.append(1000 * (cpu_seconds(control) - cpu) / options.tasks)
            print(f"round {number + 1}: {rates[-1]:.1f} tasks/s", flush=True)
            listed = daemon.call("GET", f"/v2/{LOCATION}/jobs/bench/executions?pageSize=1")
            assert listed["executions"]
    rows = [
        ["tasks per second", f"{statistics.median(rates):.1f}", f"{min(rates):.1f}", f"{max(rates):.1f}"],
        [
            "control's CPU per task, ms",
            f"{statistics.median(control_ms):.1f}",
            f"{min(control_ms):.1f}",
            f"{max(control_ms):.1f}",
        ],
    ]
    print(table([f"{options.tasks} tasks", "median", "min", "max"], rows))
    write_results(
        "jobs", {"machine": machine(), "tasks": options.tasks, "rates": rates, "control_cpu_ms_per_task": control_ms}
    )


if __name__ == "__main__":
    main()
