"""The process that test_sqlite_crash.py kills: `python crash_writer.py DATABASE ROUND` writes until it dies.

Eight writers, each strictly one transaction after the other: step N puts the three documents of step N; every fifth
step deletes those of the step before instead. What was acknowledged is printed, one line each: WRITER STEP VERSION.
"""

import asyncio
import os
import sys
from pathlib import Path

from homerun.store.base import Delete, Put, Write
from homerun.store.sqlite import SqliteStore

WRITERS = 8
PARTS = 3


def name(round: int, writer: int, step: int, part: int) -> str:
    return f"{round:03}/{writer}/{step:05}/{part}"


def deletes(step: int) -> bool:
    return step % 5 == 4


def writes(round: int, writer: int, step: int) -> list[Write]:
    if deletes(step):
        return [Delete("Doc", name(round, writer, step - 1, part)) for part in range(PARTS)]
    fill = "x" * (step * 37 % 3000)
    body = {"step": step, "fill": fill}
    return [Put("Doc", name(round, writer, step, part), body, {"writer": writer}) for part in range(PARTS)]


async def burst(store: SqliteStore, round: int, writer: int) -> None:
    step = 0
    while True:
        written = await store.apply(*writes(round, writer, step))
        os.write(1, f"{writer} {step} {written[-1].version}\n".encode())
        step += 1


async def main(path: Path, round: int) -> None:
    store = await SqliteStore.open(path)
    await asyncio.gather(*(burst(store, round, writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
