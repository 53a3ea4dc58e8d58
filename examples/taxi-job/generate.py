"""Writes the job's input: two million taxi trips of one month, as CSV.

The trips are made up, and always the same ones: the generator's seed is fixed. Their shape (zones of unequal traffic,
fares that follow distance, tips that most people round) is that of the trip records which cities publish.

    python3 generate.py trips.csv               # or with another number of trips: generate.py trips.csv 24000000
"""

import random
import sys
from datetime import datetime, timedelta

ROWS = 2_000_000
SEED = 20240101
START = datetime(2024, 1, 1)
MINUTES = 31 * 24 * 60
ZONES = {"Manhattan": 62, "Queens": 16, "Brooklyn": 13, "Bronx": 6, "Staten Island": 3}
HEADER = "pickup_time,zone,passengers,distance_m,fare_cents,tip_cents\n"
CHUNK = 100_000


def trips(count: int, rng: random.Random, times: list[str]) -> list[str]:
    """`count` lines. Money is in cents and distance in metres, so that sums are exact in any order."""
    zones = rng.choices(list(ZONES), list(ZONES.values()), k=count)
    minutes = rng.choices(range(MINUTES), k=count)
    passengers = rng.choices((1, 2, 3, 4, 5, 6), (70, 15, 6, 4, 3, 2), k=count)
    percents = rng.choices((0, 10, 15, 18, 20, 25), (30, 10, 20, 15, 20, 5), k=count)
    distances = [int(rng.expovariate(1 / 4200)) + 400 for _ in range(count)]
    return [
        f"{times[minute]},{zone},{people},{distance},{(fare := 350 + distance * 17 // 100)},{fare * percent // 100}\n"
        for minute, zone, people, distance, percent in zip(minutes, zones, passengers, distances, percents, strict=True)
    ]


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: generate.py FILE [TRIPS]")
    rows = int(sys.argv[2]) if len(sys.argv) == 3 else ROWS
    rng = random.Random(SEED)
    times = [(START + timedelta(minutes=minute)).isoformat(" ", "minutes") for minute in range(MINUTES)]
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(HEADER)
        for start in range(0, rows, CHUNK):
            file.writelines(trips(min(CHUNK, rows - start), rng, times))


if __name__ == "__main__":
    main()
