"""Compares what the tasks printed with the totals of the same file computed in one process.

    homerun logs … | python3 check.py trips.csv

Reads lines from standard input, takes those that are results (other lines may be between them, and text before the
JSON), and leaves with exit code 1 if a slice is missing, came twice, or the sum differs.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from trips import Totals, aggregate


def results(lines: Iterable[str]) -> list[tuple[int, Totals]]:
    found = []
    for line in lines:
        if '"totals"' in line:
            entry = json.loads(line[line.index("{") :])
            found.append((entry["task"], Totals(**entry["totals"])))
    return sorted(found, key=lambda result: result[0])


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: check.py TRIPS.CSV < LOG")
    slices = results(sys.stdin)
    total = Totals()
    for _, slice in slices:
        total.add(slice)
    if not slices or [index for index, _ in slices] != list(range(len(slices))):
        sys.exit(f"there should be one result of every task, and there are those of {[index for index, _ in slices]}")
    expected = aggregate(sys.argv[1])
    if asdict(total) != asdict(expected):
        sys.exit(f"the {len(slices)} slices sum up to\n  {total}\nand the whole file to\n  {expected}")
    revenue = (total.fare_cents + total.tip_cents) / 100
    print(f"{len(slices)} slices, {total.trips:,} trips, {revenue:,.2f} $: the same as in one process")
    for zone, count in sorted(total.trips_by_zone.items(), key=lambda item: -item[1]):
        print(f"  {zone:<14} {count:>9,} trips")


if __name__ == "__main__":
    main()
