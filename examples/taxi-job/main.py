"""One task of the job: adds up its slice of the trips and prints the result as one line of JSON.

CLOUD_RUN_TASK_INDEX=3 CLOUD_RUN_TASK_COUNT=20 python3 main.py
"""

import json
import os
import time
from dataclasses import asdict

from trips import aggregate


def main() -> None:
    index = int(os.environ.get("CLOUD_RUN_TASK_INDEX", "0"))
    count = int(os.environ.get("CLOUD_RUN_TASK_COUNT", "1"))
    path = os.environ.get("TRIPS", "trips.csv")
    started = time.monotonic()
    totals = aggregate(path, index, count)
    seconds = round(time.monotonic() - started, 3)
    message = f"slice {index + 1} of {count}: {totals.trips} trips"
    entry = {"severity": "INFO", "message": message, "task": index, "seconds": seconds, "totals": asdict(totals)}
    print(json.dumps(entry), flush=True)


if __name__ == "__main__":
    main()
