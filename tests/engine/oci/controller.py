"""A process that controls an engine, to be killed: starts what stdin says and reports what happens, as lines of JSON.

`python -m tests.engine.oci.controller STATE IMAGES [stuck]`, then on stdin one JSON object per start: id, image, args,
port, memory; or instead of image, args and memory: containers, each with name, image, args, port, depends_on. With
ahead it is only prepared. Stuck, it never lets a program begin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from homerun.aio.tasks import Supervisor
from homerun.engine.base import ContainerSpec, Event, InstanceSpec
from homerun.engine.images.store import ImageStore
from homerun.engine.oci.engine import OciEngine
from homerun.engine.oci.runtime import Runtime
from homerun.lib.clock import SystemClock
from homerun.model.probe import Probe


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def container(order: dict[str, Any]) -> ContainerSpec:
    return ContainerSpec(
        order["image"],
        order.get("name", ""),
        args=tuple(order["args"]),
        memory=order.get("memory", 64 << 20),
        depends_on=tuple(order.get("depends_on", ())),
        startup=Probe(port=order["port"]) if order.get("port") else None,
    )


async def main(state: Path, images: Path) -> None:
    engine = OciEngine(state, ImageStore(images), clock=SystemClock())

    def listen(event: Event) -> None:
        say(event=type(event).__name__, id=event.id)

    await engine.open(listen)
    if sys.argv[3:] == ["stuck"]:
        Runtime.start = lambda *_: time.sleep(1000)  # type: ignore[method-assign]
    say(event="Open")

    async def start(order: dict[str, Any]) -> None:
        containers = tuple(container(each) for each in order.get("containers", [order]))
        spec = InstanceSpec(order["id"], containers, {"batch": "b"}, order.get("port"))
        if order.get("ahead"):
            await engine.prepare(spec)
            say(event="Prepared", id=order["id"])
            return
        await engine.start(spec)
        say(event="Started", id=order["id"])

    async with Supervisor() as tasks:
        while line := await asyncio.to_thread(sys.stdin.readline):
            tasks.spawn(start(json.loads(line)), name="start")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
