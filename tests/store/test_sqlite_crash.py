"""`kill -9` at any instant: what was acknowledged is there, nothing is half there, versions only rise.

A real process writes from eight concurrent writers and is killed at a random moment, many times over the same file.
"""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from homerun.store.base import Document
from homerun.store.sqlite import SqliteStore
from tests.store.crash_writer import PARTS, WRITERS, deletes, name, writes

pytestmark = pytest.mark.sockets

ROUNDS = 25


def run_and_kill(path: Path, round: int, after_lines: int, then_seconds: float) -> list[tuple[int, int, int]]:
    """Start the writer, kill it `then_seconds` after it has acknowledged so much. Returns all it acknowledged."""
    command = [sys.executable, "-m", "tests.store.crash_writer", str(path), str(round)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after_lines)]
        killer = threading.Timer(then_seconds, process.kill)
        killer.start()
        lines += process.stdout.readlines()
        killer.join()
    assert process.returncode == -9, "it must have died by our hand"
    acks = [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]
    return [(writer, step, version) for writer, step, version in acks]


def content_after(round: int, writer: int, steps: int) -> dict[str, object]:
    """What is there of one writer after that many of its steps."""
    found: dict[str, object] = {}
    for step in range(steps):
        if deletes(step):
            for part in range(PARTS):
                del found[name(round, writer, step - 1, part)]
        else:
            found |= {write.name: (write.body, write.internal) for write in writes(round, writer, step)}  # type: ignore[union-attr]
    return found


async def test_no_acknowledged_write_is_lost_and_none_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "homerun.db"
    chance = random.Random(20)
    settled: dict[str, Document] = {}
    highest = 0
    total = 0
    for round in range(ROUNDS):
        acks = run_and_kill(path, round, chance.randrange(1, 400), chance.random() * 0.1)
        assert min(version for _, _, version in acks) > highest, "versions must rise over restarts"
        highest = max(version for _, _, version in acks)
        total += len(acks)

        store = await SqliteStore.open(path)
        assert await store.version() >= highest
        highest = await store.version()
        documents = {document.name: document for document in await store.list("Doc")}
        for writer in range(WRITERS):
            acknowledged = sum(1 for who, _, _ in acks if who == writer)
            prefix = f"{round:03}/{writer}/"
            found = {n: (d.body, d.internal) for n, d in documents.items() if n.startswith(prefix)}
            # The step in flight at the kill is there wholly or not at all.
            assert found in (content_after(round, writer, acknowledged), content_after(round, writer, acknowledged + 1))
        versions = [document.version for document in documents.values()]
        assert len(set(versions)) == len(versions) and max(versions) <= highest
        # What earlier rounds left is untouched, to the version.
        assert {n: d for n, d in documents.items() if n in settled} == settled
        settled = documents
        await store.close()
    assert total > 20 * ROUNDS
