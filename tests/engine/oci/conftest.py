"""An engine on this machine's kernel, with images of the one test program."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import (
    ContainerSpec,
    Event,
    Exit,
    Exited,
    Image,
    InstanceSpec,
    Mount,
    Phase,
    Probed,
    Ready,
    Volume,
)
from homerun.engine.images.store import ImageStore
from homerun.engine.oci import monitor
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.engine import OciEngine
from homerun.engine.oci.layout import Layout
from homerun.lib.clock import SystemClock
from homerun.model.probe import Probe
from tests.support.images import Files, app_layer, make_image

PROBE = Probe(port=8080)


class Rig:
    """Starts the test program with any arguments, and says what became of it."""

    def __init__(self, folder: Path, runtime: str = "", **options: Any) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.runtime = runtime
        self.options = options
        self.events: list[Event] = []
        self.heard = asyncio.Event()
        self.ids = (f"i{number}" for number in itertools.count())
        self.image: Image | None = None
        self.engine = self.make()

    def make(self) -> OciEngine:
        images = ImageStore(self.folder / "images")
        return OciEngine(self.state, images, clock=SystemClock(), runtime=self.runtime, **self.options)

    async def open(self) -> None:
        await self.engine.open(self.listen)

    async def reopen(self) -> None:
        await self.engine.close()
        self.engine = self.make()
        await self.open()

    def listen(self, event: Event) -> None:
        self.events.append(event)
        self.heard.set()

    async def pull(self, *layers: Files | bytes, user: str = "", working_dir: str = "", cmd: str = "/app") -> Image:
        name = f"image{len(list(self.folder.glob('image*.tar')))}.tar"
        path = make_image(
            self.folder / name, [app_layer(), *layers], entrypoint=[cmd], user=user, working_dir=working_dir
        )
        return await self.engine.pull(f"oci-archive:{path}")

    async def start(
        self,
        *args: str,
        image: Image | None = None,
        probe: Probe | None = None,
        env: Mapping[str, str] | None = None,
        memory: int = 64 << 20,
        cpu: float = 1,
        labels: Mapping[str, str] | None = None,
        volumes: Sequence[Volume] = (),
        mounts: Sequence[Mount] | None = None,
        working_dir: str = "",
    ) -> str:
        """`mounts`: None is each volume at /NAME."""
        if image is None:
            image = self.image = self.image or await self.pull()
        id = next(self.ids)
        container = ContainerSpec(
            image.pinned,
            args=args,
            env=env or {},
            working_dir=working_dir,
            memory=memory,
            cpu=cpu,
            startup=probe,
            mounts=tuple([Mount(each.name, f"/{each.name}") for each in volumes] if mounts is None else mounts),
        )
        port = None if probe is None else probe.port
        await self.engine.start(InstanceSpec(id, (container,), labels or {}, port, tuple(volumes)))
        return id

    async def several(self, *containers: ContainerSpec, **fields: Any) -> str:
        """An instance of these; those without an image get the test program's."""
        image = self.image = self.image or await self.pull()
        id = next(self.ids)
        chosen = tuple(replace(each, image=each.image or image.pinned) for each in containers)
        await self.engine.start(InstanceSpec(id, chosen, **fields))
        return id

    async def until(self, kind: type[Event], id: str, limit: float = 30) -> Event:
        async with asyncio.timeout(limit):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and event.id == id:
                        return event
                self.heard.clear()
                await self.heard.wait()

    async def ready(self, id: str) -> Ready:
        event = await self.until(Ready, id)
        assert isinstance(event, Ready)
        return event

    async def exit(self, id: str) -> Exit:
        event = await self.until(Exited, id)
        assert isinstance(event, Exited)
        return event.exit

    async def failure(self, id: str) -> str:
        event = await self.until(Probed, id)
        assert isinstance(event, Probed)
        return event.message

    async def output(self, id: str, stream: str = "") -> list[str]:
        return [line.text for line in await self.engine.logs({}) if line.instance == id and stream in ("", line.stream)]

    async def run(self, *args: str, **how: object) -> list[str]:
        """What the program prints until it exits by itself."""
        id = await self.start(*args, **how)  # type: ignore[arg-type]
        await self.exit(id)
        return await self.output(id)

    def footprint(self) -> dict[str, set[str]]:
        """What of this engine is on the host. Others may be at work there, so only what bears its mark is counted."""
        layout = Layout(self.state)
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "cgroups": Cgroups.of_host(layout.cgroup).names(),
            "monitors": set(monitor.find(layout.instances)),
            "records": {path.name for path in layout.instances.glob("*")},
            "runtime's state": {path.name for path in layout.run.glob("*/*")},
            "mounts": {line for line in mounts if str(self.state) in line},
            "mount namespaces": {os.readlink(task / "ns/mnt") for task in Path("/proc/self/task").iterdir()},
            "links": {name for name in os.listdir("/sys/class/net") if name.endswith(f"-{layout.tag}")},
            "tables": {line for line in tables.splitlines() if layout.tag in line},
        }

    async def close(self) -> None:
        for state in list(self.engine.instances()):
            await self.engine.stop(state.id, 0)
        for state in self.engine.instances():
            if state.phase is not Phase.EXITED:
                await self.until(Exited, state.id)
        await self.engine.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.open()
    yield rig
    await rig.close()


@pytest.fixture(params=["crun", "runc"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """With each of the OCI runtimes."""
    rig = Rig(tmp_path, request.param)
    await rig.open()
    yield rig
    await rig.close()
