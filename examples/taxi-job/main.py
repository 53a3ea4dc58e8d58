"""One task of the job: adds up its slice of the trips and prints the result as one line of JSON.

CLOUD_RUN_TASK_INDEX=3 CLOUD_RUN_TASK_COUNT=20 python3 main.py

TRIPS is the file to read, OUT a folder to write the result to as well, as `part-INDEX.json`: whole or not at all, so
that an attempt that is killed leaves nothing behind that looks like a result. FLAKY=0.2 makes a fifth of the attempts
fail, for those who want to see what retries are for.
"""

import json
import os
import random
import signal
import time
from dataclasses import asdict

from trips import aggregate


def main() -> None:
    index = int(os.environ.get("CLOUD_RUN_TASK_INDEX", "0"))
    count = int(os.environ.get("CLOUD_RUN_TASK_COUNT", "1"))
    attempt = int(os.environ.get("CLOUD_RUN_TASK_ATTEMPT", "0"))
    path = os.environ.get("TRIPS", "trips.csv")
    started = time.monotonic()
    totals = aggregate(path, index, count)
    fail_at_times(index, attempt)
    seconds = round(time.monotonic() - started, 3)
    message = f"slice {index + 1} of {count}: {totals.trips} trips"
    entry = {"severity": "INFO", "message": message, "task": index, "seconds": seconds, "totals": asdict(totals)}
    if folder := os.environ.get("OUT"):
        write(folder, index, json.dumps(entry))
    print(json.dumps(entry), flush=True)


def write(folder: str, index: int, text: str) -> None:
    os.makedirs(folder, exist_ok=True)
    fresh = f"{folder}/.part-{index}-{os.getpid()}-{time.time_ns()}"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.rename(fresh, f"{folder}/part-{index}.json")


def fail_at_times(index: int, attempt: int) -> None:
    """The same attempts each time: by an exit code, or by a signal."""
    dice = random.Random(f"{index}/{attempt}")
    if dice.random() < float(os.environ.get("FLAKY", "0")):
        print(f"task {index}, attempt {attempt}: no luck this time", flush=True)
        if dice.random() < 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
