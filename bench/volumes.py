"""What each kind of volume costs a start: from `start` to Ready with one of it mounted, next to one without any.

All alternate, start by start, with a pause in between, as in bench.engine; without a volume takes part twice.

    python -m bench.volumes         root and crun needed; writes bench/results/volumes.json
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import uvloop

from bench.engine import Contender
from bench.support import CONTROL_RANGE, machine, percentile, table, write_results
from homerun.engine.base import DiskVolume, FilesVolume, FolderVolume, InstanceSpec, MemoryVolume, Mount, Volume
from tests.support.images import app_layer, make_image

_MIB = 1 << 20


class WithVolume(Contender):
    volume: Volume | None = None

    def spec(self, id: str) -> InstanceSpec:
        plain = super().spec(id)
        if self.volume is None:
            return plain
        [container] = plain.containers
        container = replace(container, mounts=(Mount(self.volume.name, "/data"),))
        return replace(plain, containers=(container,), volumes=(self.volume,))


async def measure(folder: Path, starts: int, pause: float) -> None:
    (folder / "bucket").mkdir()
    volumes: dict[str, Volume | None] = {
        "none": None,
        "none again": None,
        "memory": MemoryVolume("v", 64 * _MIB),
        "files": FilesVolume("v", {f"key{number}": (bytes(2000), 0o444) for number in range(3)}),
        "folder": FolderVolume("v", str(folder / "bucket")),
        "disk, 1 GiB": DiskVolume("v", 1024 * _MIB),
        "disk, 10 GiB": DiskVolume("v", 10240 * _MIB),
    }
    async with AsyncExitStack() as stack:
        contenders: dict[str, WithVolume] = {}
        for name, volume in volumes.items():
            opened = WithVolume.open(folder / f"state-{len(contenders)}", folder / "app.tar", "crun")
            contenders[name] = await stack.enter_async_context(opened)
            contenders[name].volume = volume
            await contenders[name].cycle()
        for _ in range(starts):
            for contender in contenders.values():
                await asyncio.sleep(pause)
                await contender.cycle()
    figures = {name: each.figures(starts + 1) for name, each in contenders.items()}
    rows = []
    for name, each in contenders.items():
        ready, mount = each.ready_ms[1:], each.phases["mount"][1:]
        rows.append([name, *(f"{percentile(ready, percent):.1f}" for percent in (50, 95)), f"{median(mount):.2f}"])
    print(table([f"{starts} starts until ready, ms", "p50", "p95", "of that mounts"], rows))
    control = median(contenders["none again"].ready_ms) / median(contenders["none"].ready_ms)
    if not CONTROL_RANGE[0] < control < CONTROL_RANGE[1]:
        print(f"none against itself: {control:.2f}: this machine was too noisy, run it again")
    write_results("volumes", {"machine": machine(), **figures})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds before each start")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_image(Path(name) / "app.tar", [app_layer()], cmd=["/app", "serve"])
        uvloop.run(measure(Path(name), options.starts, options.pause))


if __name__ == "__main__":
    main()
