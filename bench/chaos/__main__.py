"""Kill, fill up, cut off and set back, at random moments under load; then look whether anybody noticed.

scripts/chaos [--minutes N] [--seed N] [--faults NAME,...] [--write]

A homerun of its own (state folder, ports, networks; nothing else on the host is touched) serves users, runs executions
and writes logs, while faults are injected one or two at a time. It prints a table and writes bench/results/chaos.json;
`--write` puts the table into docs/reliability.md. Exit code 1 if anything was not as it should be. The same seed draws
the same faults in the same order; how they meet what runs at that moment is nobody's to repeat. Needs root.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.chaos import report
from bench.chaos.faults import ALONE, FAULTS, Inject
from bench.chaos.inspection import (
    check_end,
    check_leaks,
    check_lines,
    check_requests,
    check_rows,
    check_tasks,
    check_writes,
    measure,
)
from bench.chaos.ledger import Fault, Ledger
from bench.chaos.town import SERVICES, Town
from bench.chaos.users import Users
from bench.support import machine, write_results
from tests.support.calamity import own_boot_id
from tests.support.daemon import LOCATION

RECOVERED_WITHIN = 60.0
"""Seconds after its cause is gone in which every service must answer again."""
_BUSY = 0.3
"""How often a second fault comes while the first is at work."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--faults", default="", help=f"of {', '.join(f.__name__ for f in FAULTS)}; all")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    options = parser.parse_args()
    known = {fault.__name__: fault for fault in FAULTS}
    names = options.faults.split(",") if options.faults else list(known)
    if unknown := set(names) - known.keys():
        parser.error(f"no fault is called {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        parser.error("needs root: sudo scripts/chaos")
    print(f"seed {options.seed}", flush=True)
    results = run([known[name] for name in names], options.minutes * 60, options.seed)
    print(report.render(results))
    write_results("chaos", results)
    if options.write:
        report.write(results)
    return 1 if results["problems"] else 0


def run(chosen: Sequence[Inject], seconds: float, seed: int) -> dict[str, Any]:
    """What has come of it, as JSON."""
    ledger, epoch = Ledger(), time.time() - time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos") as name:
        town = Town(Path(name))
        users = Users(town, ledger, seed)
        with own_boot_id(town.boot_id), town:
            town.build()
            for service in SERVICES:
                town.daemon.until(lambda service=service: users.request(service).outcome == "ok")
            before = measure(town)
            began = time.monotonic()
            users.start()
            peaks = _torment(town, ledger, users, chosen, seconds, random.Random(seed))
            users.stop()
            lasted = time.monotonic() - began
            _settle(town, ledger)
            check_tasks(town, ledger)
            check_writes(town, ledger)
            check_lines(town, ledger, epoch)
            check_rows(town, ledger, epoch)
            check_requests(ledger)
            town.empty()
            _settle(town, ledger)
            after = check_leaks(town, ledger, before)
            if (code := town.daemon.stop()) != 0:
                ledger.problem(f"homerun up ended with {code}")
            check_end(town, ledger)
        if ledger.problems:
            kept = Path(tempfile.gettempdir()) / "chaos.log"
            kept.write_text(town.daemon.log.read_text())
            print(f"its log is kept in {kept}")
    return {
        "machine": machine(),
        "seed": seed,
        "seconds": round(lasted, 1),
        "faults": [_shown(fault) for fault in ledger.faults],
        "counts": dict(sorted(ledger.counts.items())),
        "broken": report.by_fault(ledger),
        "processes": {"before": before, "after": after, "most": peaks},
        "problems": ledger.problems,
    }


def _torment(
    town: Town, ledger: Ledger, users: Users, chosen: Sequence[Inject], seconds: float, rng: random.Random
) -> dict[str, float]:
    """Returns the most MiB that each process had."""
    deadline, peaks = time.monotonic() + seconds, dict[str, float]()
    line = _shuffled(chosen, rng)
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(1, 4))
        for role, sizes in measure(town).items():
            peaks[role] = max(peaks.get(role, 0.0), sizes["mib"])
        first, second = next(line), None
        if first not in ALONE and rng.random() < _BUSY:
            second = next(line)
        threads = [threading.Thread(target=_inject, args=[town, ledger, first, random.Random(rng.random())])]
        if second is not None and second not in ALONE and second is not first:
            threads.append(threading.Thread(target=_inject, args=[town, ledger, second, random.Random(rng.random())]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _recover(ledger, users, len(threads))
    return peaks


def _shuffled(chosen: Sequence[Inject], rng: random.Random) -> Iterator[Inject]:
    """Each as often as the others."""
    while True:
        turn = list(chosen)
        rng.shuffle(turn)
        yield from turn


def _inject(town: Town, ledger: Ledger, inject: Inject, rng: random.Random) -> None:
    try:
        fault = inject(town, ledger, rng)
    except Exception as error:
        ledger.problem(f"{inject.__name__} could not be done: {type(error).__name__}: {error}")
        return
    fault.ended = time.monotonic()
    print(f"{fault.ended - fault.began:5.1f} s  {fault.name} {fault.note}", flush=True)


def _recover(ledger: Ledger, users: Users, number: int) -> None:
    """Wait until every service answers, and write down how long that took."""
    faults = [fault for fault in ledger.faults[-number:] if fault.ended]
    if not faults:
        return
    ended = max(fault.ended for fault in faults)
    for service in SERVICES:
        while (request := users.request(service, timeout=RECOVERED_WITHIN)).outcome != "ok":
            if time.monotonic() - ended > RECOVERED_WITHIN:
                names = " and ".join(fault.name for fault in faults)
                ledger.problem(f"{service} does not answer {RECOVERED_WITHIN:g} s after {names}: {request.detail}")
                break
            time.sleep(0.05)
    for fault in faults:
        fault.recovered = round(time.monotonic() - ended, 2)


def _settle(town: Town, ledger: Ledger) -> None:
    """Until nothing is under way any more but what should be."""

    def quiet() -> bool:
        groups = [town.daemon.explain(name)["instances"] for name in SERVICES] if _deployed(town) else []
        return not any(groups)

    try:
        town.daemon.until(quiet, 90)
        time.sleep(2)  # the last lines are written, the last records removed
    except TimeoutError:
        ledger.problem("services do not go back to zero")


def _deployed(town: Town) -> bool:
    return bool(town.daemon.call("GET", f"/v2/{LOCATION}/services").get("services"))


def _shown(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "note": fault.note,
        "seconds": round(fault.ended - fault.began, 2),
        "recovered": fault.recovered,
    }


if __name__ == "__main__":
    sys.exit(main())
