"""pandas as a job: tasks aggregate slices of a file, a last one adds up; too little memory is told as the cause."""

from __future__ import annotations

import csv
import io
import random
import time
from collections import defaultdict

from tests.apps.trial import Trial, in_bucket
from tests.support.daemon import ApiError

TASKS, ROWS = 4, 100_000
SLICE = """\
import os, pandas as pd
index, count = int(os.environ["CLOUD_RUN_TASK_INDEX"]), int(os.environ["CLOUD_RUN_TASK_COUNT"])
trips = pd.read_csv("/data/trips.csv")
mine = trips.iloc[index::count]
mine.groupby("zone")["fare"].agg(["sum", "count"]).to_parquet(f"/data/part-{index}.parquet")
print(f"{len(mine)} trips")
"""
JOIN = """\
import glob, pandas as pd
parts = pd.concat(map(pd.read_parquet, glob.glob("/data/part-*.parquet")))
parts.groupby(level=0).sum().round(2).to_csv("/data/fares.csv")
"""
GREEDY = "import numpy as np; print(np.ones(1 << 27).sum())"


def run(trial: Trial) -> None:
    trial.ask_version("python", "-c", "import pandas; print(pandas.__version__)")
    folder = trial.bucket("trips")
    text, fares = _trips()
    (folder / "trips.csv").write_text(text)

    def job(name: str, script: str, tasks: int = 1, memory: str = "512Mi") -> None:
        template = in_bucket("trips", "/data")
        limits = {"limits": {"cpu": "1", "memory": memory}}
        template["container"] |= {"command": ["python", "-c"], "args": [script], "resources": limits}
        trial.job(name, tasks=tasks, **template)

    began = time.monotonic()
    with trial.check(f"{TASKS} tasks aggregate a quarter of {ROWS} rows each, into Parquet files, as the user nobody"):
        job("pandas-slices", SLICE, tasks=TASKS)
        assert trial.said_by_job("pandas-slices").count(f"{ROWS // TASKS} trips") == TASKS
    with trial.check("a last one adds up; the sums are those of plain Python"):
        job("pandas-join", JOIN)
        found = {
            row["zone"]: (float(row["sum"]), int(row["count"])) for row in csv.DictReader((folder / "fares.csv").open())
        }
        assert found == fares, (found, fares)
    trial.figure = f"{time.monotonic() - began:.1f} s"
    with trial.check("who wants 1 GiB of 512 MiB fails, and the reason is given"):
        try:
            job("pandas-greedy", GREEDY)
        except ApiError as error:
            assert "memory" in str(error).lower(), error
        else:
            raise AssertionError("the job succeeded")


def _trips() -> tuple[str, dict[str, tuple[float, int]]]:
    """A CSV, and for each zone the sum of its fares and their number."""
    source = random.Random(7)
    sums: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    file = io.StringIO()
    file.write("zone,fare\n")
    for _ in range(ROWS):
        zone, cents = f"zone-{source.randrange(20)}", source.randrange(300, 9000)
        sums[zone] += cents
        counts[zone] += 1
        file.write(f"{zone},{cents / 100}\n")
    return file.getvalue(), {zone: (sums[zone] / 100, counts[zone]) for zone in sums}
