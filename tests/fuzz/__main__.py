"""One run of the fuzzer: python -m tests.fuzz [--seed N] [--requests N]. Prints its findings; exit code 1 if any.

A control process on fakes in virtual time, thousands of requests, and then a close look at what is left: settled, valid
in both versions, the same after a restart, and gone when deleted.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import time

from tests.support.aftermath import Aftermath
from tests.support.api import IMAGES, Api
from tests.support.control import SlowStore, world
from tests.support.fuzzer import Fuzzer
from tests.support.loops import run_virtual

SHOWN = 12


class Errors(logging.Handler):
    """What was logged as an error: nobody's request is homerun's failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.found.append(self.format(record)[-3000:])


class Report:
    def __init__(self) -> None:
        self.problems = 0

    def __call__(self, title: str, problems: list[str]) -> None:
        if problems:
            self.problems += len(problems)
            print(f"== {title}: {len(problems)}")
            for problem in problems[:SHOWN]:
                print(f"  {problem}")


def seeded(seed: int) -> None:
    """Ids are random too: with these, a seed is always the same run (given the same PYTHONHASHSEED)."""
    source = random.Random(seed)
    os.urandom = random._urandom = source.randbytes  # type: ignore[attr-defined]


async def fuzz(seed: int, requests: int, report: Report, errors: Errors) -> None:
    store = SlowStore()
    began = time.perf_counter()
    async with world(IMAGES, store=store, stop_instances=False) as made:
        api = Api(made)
        fuzzer = Fuzzer(api, seed)
        await fuzzer.run(requests)
        took = time.perf_counter() - began
        report("answers", [f"{problem}\n      {request}" for problem, request in fuzzer.findings.items()])
        aftermath = Aftermath(api)
        report("unsettled", await aftermath.settled())
        report("documents", await aftermath.documents())
        report("orphans", await aftermath.orphans())
        counts = ", ".join(f"{count} of {status}" for status, count in sorted(fuzzer.counts.items()))
        print(f"{requests} requests in {took:.1f} s: {counts}; {len(fuzzer.reached)} methods answered 200")
    async with world(IMAGES, store=store) as made:
        aftermath = Aftermath(Api(made))
        report("unsettled after a restart", await aftermath.settled())
        report("documents after a restart", await aftermath.documents())
        report("left after deleting everything", await aftermath.emptied())
    report("logged errors", errors.found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # junk is not always text
    print(f"seed {options.seed}")
    seeded(options.seed)
    errors, report = Errors(), Report()
    logging.getLogger().addHandler(errors)
    run_virtual(fuzz(options.seed, options.requests, report, errors))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
