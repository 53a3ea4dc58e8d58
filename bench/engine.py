"""The engine alone: from `start` to Ready and from `stop` to Exited, with crun and runc, next to `podman run`.

All alternate, start by start, with a pause in between: that is what a cold start is like, and it is slower than one
right after another (the kernel's first move of a process between cgroups waits for an RCU grace period). crun takes
part twice: the two must agree, or the machine was too noisy. The CPU that a start costs until it is removed again is
told too, which others at work on the machine change less. Then whole cycles (start, ready, stop, removed) a second.

    python -m bench.engine          root and an OCI runtime needed, podman wanted; writes bench/results/engine.json
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Self

import uvloop

from bench.containers import Podman, podman
from bench.support import CONTROL_RANGE, machine, percentile, table, write_results
from homerun.engine.base import ContainerSpec, Event, InstanceSpec, Probed, Ready
from homerun.engine.images.store import ImageStore
from homerun.engine.oci.engine import OciEngine
from homerun.lib.clock import SystemClock
from homerun.model.probe import Probe
from tests.support.images import app_layer, make_image

_MAPPED = "with user namespaces"
_PHASES = ("queue", "network", "mount", "create", "start", "listen")
_WHOSE = {"engine": resource.RUSAGE_SELF, "monitor, runtime, program": resource.RUSAGE_CHILDREN}


def cpu_ms() -> dict[str, float]:
    """Used until now, by whom."""
    used = {name: resource.getrusage(who) for name, who in _WHOSE.items()}
    return {name: 1000 * (each.ru_utime + each.ru_stime) for name, each in used.items()}


class Contender:
    """One engine, one image."""

    def __init__(self, engine: OciEngine, image: str, events: dict[str, asyncio.Queue[Event]]) -> None:
        self._engine = engine
        self._image = image
        self._events = events
        self._ids = count()
        self.ready_ms: list[float] = []
        self.stop_ms: list[float] = []
        self.phases: dict[str, list[float]] = {name: [] for name in _PHASES}
        self.cpu_ms: dict[str, list[float]] = {name: [] for name in _WHOSE}

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, archive: Path, name: str) -> AsyncIterator[Self]:
        events: dict[str, asyncio.Queue[Event]] = {}
        runtime, _, how = name.partition(" ")
        engine = OciEngine(
            folder,
            ImageStore(folder / "images"),
            clock=SystemClock(),
            runtime=runtime,
            user_namespaces=how == _MAPPED,
        )
        await engine.open(lambda event: events[event.id].put_nowait(event))
        image = await engine.pull(f"oci-archive:{archive}")
        try:
            yield cls(engine, image.pinned, events)
        finally:
            await engine.close()

    def spec(self, id: str) -> InstanceSpec:
        return InstanceSpec(id, (ContainerSpec(self._image, startup=Probe(port=8080)),), port=8080)

    async def cycle(self) -> None:
        """Start, ready, stop, gone."""
        id = f"b{next(self._ids)}"
        told = self._events[id] = asyncio.Queue()
        before, began = cpu_ms(), time.perf_counter()
        await self._engine.start(self.spec(id))
        while isinstance(event := await told.get(), Probed):
            if not event.well:
                raise RuntimeError(event.message)
        up = time.perf_counter()
        await self._engine.stop(id)
        await told.get()
        down = time.perf_counter()
        await self._engine.remove(id)
        self.ready_ms.append((up - began) * 1000)
        self.stop_ms.append((down - up) * 1000)
        for name, used in cpu_ms().items():
            self.cpu_ms[name].append(used - before[name])
        if isinstance(event, Ready):
            for name in _PHASES:
                self.phases[name].append(event.phases[name] * 1000)

    def figures(self, starts: int) -> dict[str, object]:
        """Of the first so many starts: those after them were made for the rate."""
        phases = {name: values[:starts] for name, values in self.phases.items()}
        cpu = {name: values[:starts] for name, values in self.cpu_ms.items()}
        return {
            "ready_ms": self.ready_ms[:starts],
            "stop_ms": self.stop_ms[:starts],
            "phases_ms": phases,
            "cpu_ms": cpu,
        }


async def cycles_a_second(contender: Contender, concurrency: int, total: int) -> float:
    left = iter(range(total))

    async def work() -> None:
        for _ in left:
            await contender.cycle()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return total / (time.perf_counter() - began)


def row(name: str, values: Sequence[float], reference: float) -> list[str]:
    figures = [f"{percentile(values, percent):.1f}" for percent in (50, 95, 0, 100)]
    return [name, *figures, f"{median(values) / reference:.2f}"]


async def measure(folder: Path, starts: int, pause: float, peer: Podman | None) -> None:
    archive = folder / "app.tar"
    theirs: list[float] = []
    async with AsyncExitStack() as stack:
        contenders = {
            name: await stack.enter_async_context(Contender.open(folder / name, archive, name))
            for name in ("crun", "crun again", "runc", f"crun {_MAPPED}", f"runc {_MAPPED}")
        }
        for _ in range(starts):
            for contender in contenders.values():
                await asyncio.sleep(pause)
                await contender.cycle()
            if peer is not None:
                await asyncio.sleep(pause)
                theirs.append(await asyncio.to_thread(peer.start))
        report(contenders, theirs, starts)
        rates = {
            f"{name} x{concurrency}": await cycles_a_second(contenders[name], concurrency, 60 * concurrency)
            for name in ("crun", "runc")
            for concurrency in (1, 4)
        }
    print(table(["start, ready, stop, gone", "a second"], [[name, f"{rate:.1f}"] for name, rate in rates.items()]))
    figures = {name: each.figures(starts) for name, each in contenders.items()}
    write_results("engine", {"machine": machine(), **figures, "podman_ms": theirs, "cycles_a_second": rates})


def report(contenders: Mapping[str, Contender], theirs: list[float], starts: int) -> None:
    reference = median(contenders["crun"].ready_ms)
    rows = [row(name, each.ready_ms, reference) for name, each in contenders.items()]
    if theirs:
        rows.append(row("podman run", theirs, reference))
    print(table([f"{starts} starts until ready, ms", "p50", "p95", "min", "max", "to crun"], rows))
    stops = [row(name, each.stop_ms, reference)[:-1] for name, each in contenders.items()]
    print(table(["SIGTERM until gone, ms", "p50", "p95", "min", "max"], stops))
    phases = [
        [name, *(f"{median(values):.2f}" for values in each.phases.values())] for name, each in contenders.items()
    ]
    print(table(["median of phases, ms", *_PHASES], phases))
    cpus = [[name, *(f"{median(values):.1f}" for values in each.cpu_ms.values())] for name, each in contenders.items()]
    print(table(["median of CPU from start to removal, ms", *_WHOSE], cpus))
    control = median(contenders["crun again"].ready_ms) / reference
    if not CONTROL_RANGE[0] < control < CONTROL_RANGE[1]:
        print(f"crun against itself: {control:.2f}: this machine was too noisy, run it again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds before each start")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = make_image(folder / "app.tar", [app_layer()], cmd=["/app", "serve"])
        with podman(archive) as peer:
            uvloop.run(measure(folder, options.starts, options.pause, peer))


if __name__ == "__main__":
    main()
