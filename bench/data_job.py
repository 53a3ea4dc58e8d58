"""A real data job: more than a gigabyte of taxi trips in a bucket, added up by 200 tasks into a file each.

The trips are generated (always the same ones), the tasks are examples/taxi-job, and what they wrote is compared with
the same sum made by one process. Then once more with a fifth of all attempts failing, by an exit code or by SIGKILL:
retries must heal it, of the tasks that need one and of no others, and the result must be the same.

    python -m bench.data_job        root, buildah and an OCI runtime needed; takes some minutes and 1.1 GB in $TMPDIR,
                                    writes bench/results/data_job.json
    python -m bench.data_job --trips 100000 --tasks 10      a small one: seconds, once the image is there
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.support import machine, table, write_results
from tests.support.daemon import LOCATION, Daemon

EXAMPLE = Path(__file__).parent.parent / "examples" / "taxi-job"
TRIPS = 26_000_000
"""Some 1.1 GB."""
sys.path.insert(0, str(EXAMPLE))
from trips import Totals, aggregate  # noqa: E402  (the example's own module)


def generate(path: Path, trips: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(EXAMPLE / "generate.py"), str(path), str(trips)], check=True)


def in_one_process(path: Path) -> tuple[Totals, float]:
    began = time.monotonic()
    return aggregate(str(path)), time.monotonic() - began


def deploy(daemon: Daemon, tasks: int) -> None:
    """The example's image, with the bucket at /data."""
    command = [str(Path(sys.executable).with_name("homerun")), "jobs", "deploy", "taxi", "--source", str(EXAMPLE)]
    command += [
        "--tasks",
        str(tasks),
        "--max-retries",
        "10",
        "--add-volume",
        "name=data,type=cloud-storage,bucket=trips",
    ]
    command += ["--add-volume-mount", "volume=data,mount-path=/data", "--set-env-vars", "TRIPS=/data/trips.csv"]
    subprocess.run([*command, "--api", f"127.0.0.1:{daemon.api_port}"], check=True, stdout=subprocess.DEVNULL)


def execute(daemon: Daemon, out: str, flaky: float) -> tuple[dict[str, Any], float]:
    variables = [{"name": "OUT", "value": f"/data/{out}"}, {"name": "FLAKY", "value": str(flaky)}]
    began = time.monotonic()
    overrides = {"containerOverrides": [{"env": variables}]}
    execution = daemon.wait(
        daemon.call("POST", f"/v2/{LOCATION}/jobs/taxi:run", {"overrides": overrides}), timeout=3600
    )
    return execution, time.monotonic() - began


def sum_up(parts: Iterable[Path]) -> Totals:
    total = Totals()
    for part in parts:
        total.add(Totals(**json.loads(part.read_text())["totals"]))
    return total


def check(folder: Path, tasks: int, expected: Totals) -> None:
    """Raises AssertionError."""
    parts = sorted(folder.glob("part-*.json"))
    assert len(parts) == tasks, f"{len(parts)} results of {tasks} tasks in {folder}"
    assert asdict(sum_up(parts)) == asdict(expected), f"the sum of {folder} is not that of one process"


def unlucky(tasks: int, flaky: float) -> int:
    """Tasks whose first attempt fails, by the same dice as in the example."""
    return sum(random.Random(f"{index}/0").random() < flaky for index in range(tasks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trips", type=int, default=TRIPS)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--flaky", type=float, default=0.2)
    options = parser.parse_args()
    subprocess.run(["scripts/base-image"], check=True, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name, Daemon(Path(name) / "state") as daemon:
        daemon.call("POST", "/homerun/v1/buckets/trips", {})
        bucket = Path(name) / "state" / "buckets" / "trips"
        generate(bucket / "trips.csv", options.trips)
        size = (bucket / "trips.csv").stat().st_size
        expected, alone = in_one_process(bucket / "trips.csv")
        print(f"{size / 1e9:.2f} GB, {expected.trips:,} trips", file=sys.stderr, flush=True)
        deploy(daemon, options.tasks)
        smooth, seconds = execute(daemon, "smooth", 0)
        check(bucket / "smooth", options.tasks, expected)
        flaky, flaky_seconds = execute(daemon, "flaky", options.flaky)
        check(bucket / "flaky", options.tasks, expected)
    retried = [execution.get("retriedCount", 0) for execution in (smooth, flaky)]
    assert retried == [0, unlucky(options.tasks, options.flaky)], f"{retried} tasks were begun more than once"
    rows = [
        ["one process", f"{alone:.1f}", "", "the reference"],
        [f"{options.tasks} tasks", f"{seconds:.1f}", str(retried[0]), "the same sum"],
        [f"{options.flaky:.0%} of attempts fail", f"{flaky_seconds:.1f}", str(retried[1]), "the same sum"],
    ]
    print(table([f"{size / 1e9:.2f} GB of trips", "seconds", "tasks retried", "result"], rows))
    figures = {"alone": alone, "tasks": seconds, "flaky": flaky_seconds, "retried": retried[1]}
    write_results("data_job", {"machine": machine(), "bytes": size, "seconds": figures})


if __name__ == "__main__":
    main()
