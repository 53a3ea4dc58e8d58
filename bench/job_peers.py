"""The container of a task, run so many times by others: `podman run` in a loop, and GNU parallel with crun on one
prepared bundle, which has no image, no network to talk to anybody with, no log and no retries."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.containers import podman
from tests.support.images import compile_app

Run = Callable[[int], object]
"""Runs so many containers to their end."""


@contextmanager
def peers(archive: Path, folder: Path) -> Iterator[dict[str, Run]]:
    """By name, those that are installed. `archive`: the image. `folder`: does not exist yet."""
    found: dict[str, Run] = {}
    with podman(archive) as theirs:
        if theirs is not None:
            found["podman run in a loop"] = lambda tasks: [theirs.run("exit", "0") for _ in range(tasks)]
        if shutil.which("parallel") and shutil.which("crun"):
            found["GNU parallel with crun"] = _by_hand(_bundle(folder))
        else:
            print("GNU parallel or crun is not installed: measured without it")
        yield found


def _bundle(folder: Path) -> Path:
    """What crun runs: as much of it is limited as of a task."""
    root = folder / "rootfs"
    for path in ("proc", "sys", "dev", "tmp"):
        (root / path).mkdir(parents=True)
    shutil.copy(compile_app(), root / "app")
    subprocess.run(["crun", "spec"], cwd=folder, check=True)
    config = json.loads((folder / "config.json").read_text())
    config["process"] |= {"args": ["/app", "exit", "0"], "terminal": False, "rlimits": []}
    config["linux"]["resources"] |= {"memory": {"limit": 512 << 20}, "pids": {"limit": 4096}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _by_hand(bundle: Path) -> Run:
    jobs, turns = 2 * (os.cpu_count() or 1), itertools.count()

    def run(tasks: int) -> None:
        id = f"peer-{os.getpid()}-{next(turns)}-{{}}"
        command = f"crun --cgroup-manager=cgroupfs run --bundle {bundle} {id}"
        # Without the second cgroup hierarchy, which crun refuses.
        script = (
            f"umount -l /sys/fs/cgroup/unified 2>/dev/null; seq {tasks} | parallel --will-cite -j{jobs} '{command}'"
        )
        subprocess.run(["unshare", "--mount", "bash", "-c", script], check=True, stdout=subprocess.DEVNULL)

    return run
