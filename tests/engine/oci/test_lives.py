"""Instances of several containers, on a kernel: what they share, what each has for itself, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from homerun.engine.base import ContainerSpec, Exit, Exited, Phase
from homerun.engine.oci import monitor
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.records import Record
from homerun.lib.errors import Invalid
from homerun.model.probe import Probe
from tests.engine.oci.conftest import PROBE, Rig
from tests.engine.oci.test_adopt import Controller, closed

__all__ = ["closed"]
pytestmark = pytest.mark.host

SIDE = Probe(port=9000)


def container(name: str, *args: str, **fields: Any) -> ContainerSpec:
    return ContainerSpec("", name, args=args, **{"memory": 64 << 20, **fields})


WEB = container("web", "serve", startup=PROBE)
CACHE = container("cache", "serve", "9000", startup=SIDE)


MARKS = {("writer", "/mark: written"), ("look", "/mark: No such file or directory")}


async def get(host: str, path: str) -> str:
    reader, writer = await asyncio.open_connection(host, 8080)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    return body.decode()


async def test_they_find_each_other_on_one_network_and_share_nothing_else(either: Rig) -> None:
    look = container("look", "cat", "/etc/hosts", "/proc/self/cgroup", "/mark", depends_on=("cache", "writer"))
    writer = container("writer", "write", "/mark", "1")
    id = await either.several(WEB, CACHE, writer, look, port=8080, main="web")
    ready = await either.ready(id)
    assert ready.address is not None
    assert await get(ready.address.host, "/connect?host=127.0.0.1&port=9000") == "connected\n"
    async with asyncio.timeout(30):
        while not MARKS <= (said := {(line.container, line.text) for line in await either.engine.logs({})}):
            await asyncio.sleep(0.05)
    [hosts] = [text for _, text in said if text.startswith("127.0.0.1")]
    assert hosts.split()[1:] == ["localhost", "web", "cache", "writer", "look"]
    await either.engine.stop(id)
    assert await either.exit(id) == Exit(code=0)
    left = either.footprint()
    assert not left["cgroups"] and not left["monitors"] and not left["runtime's state"] and not left["mounts"]


async def test_each_has_limits_of_its_own_and_says_when_it_is_over_them(rig: Rig) -> None:
    eater = container("eater", "eat", "100", memory=32 << 20, depends_on=("web",))
    id = await rig.several(WEB, eater, port=8080)
    event = await rig.until(Exited, id)
    assert isinstance(event, Exited)
    assert (event.exit, event.container) == (Exit(signal=9, oom=True), "eater")
    assert "SIGTERM: goodbye" in await rig.output(id), "the other one was told"


async def test_cpu_is_divided_and_counted_together(rig: Rig) -> None:
    web = container("web", "serve", startup=PROBE, env={"SPIN": "1"}, cpu=0.5)
    side = container("side", "serve", "9000", startup=SIDE, env={"SPIN": "1"}, cpu=0.25)
    id = await rig.several(web, side, port=8080)
    await rig.ready(id)
    cgroups = Cgroups.of_host(Layout(rig.state).cgroup)
    rig.engine.allot(id, 0.3)
    loop = asyncio.get_running_loop()
    began, before = loop.time(), (await rig.engine.cpu_used([id]))[id]
    await asyncio.sleep(1)
    least = cgroups.cpu_used(f"{id}/web") + cgroups.cpu_used(f"{id}/side")
    together = (await rig.engine.cpu_used([id]))[id]
    most = cgroups.cpu_used(f"{id}/web") + cgroups.cpu_used(f"{id}/side")
    assert together - before < 0.6 * (loop.time() - began), "0.3 cores, and a period on top"
    assert least - 0.1 < together < most + 0.1


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ((container("web", "serve"), container("web", "serve")), "a name of its own"),
        ((container("web", "serve"), container("a/b", "serve")), "a name of its own"),
        ((container("web", "serve", depends_on=("gone",)),), "gone, which does not exist"),
        ((container("a", depends_on=("b",)), container("b", depends_on=("a",))), "a, b wait for each other"),
        (tuple(container(f"c{number}", "serve") for number in range(11)), "11 containers"),
        ((container("web", "serve"), container("side", command=("/nope",))), "container side: the command /nope"),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    rig: Rig, containers: tuple[ContainerSpec, ...], message: str
) -> None:
    await rig.pull()
    with pytest.raises(Invalid, match=message):
        await rig.several(*containers)
    left = rig.footprint()
    assert not left["cgroups"] and not left["monitors"] and not left["records"]
    assert not rig.engine.instances()


async def test_the_main_one_must_exist(rig: Rig) -> None:
    with pytest.raises(Invalid, match="main container x"):
        await rig.several(WEB, CACHE, main="x")


async def test_a_killed_monitor_of_one_takes_all_down(rig: Rig) -> None:
    id = await rig.several(container("a", "sleep"), container("b", "sleep"))
    await rig.ready(id)
    [pids] = monitor.find(rig.state / "instances").values()
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    assert await rig.exit(id) == Exit()
    assert not rig.footprint()["cgroups"] and not rig.footprint()["monitors"]


def several(image: str, **more: Any) -> dict[str, Any]:
    cache = {"name": "cache", "image": image, "args": ["serve", "9000"], "port": 9000}
    return {
        "containers": [{"name": "web", "image": image, "args": ["serve"], "port": 8080, **more}, cache],
        "port": 8080,
    }


@pytest.mark.parametrize("round", range(6))
async def test_killed_in_the_middle_of_starts_of_several(closed: Rig, round: int) -> None:
    """Whatever was begun goes on until it is ready, with all its containers; the rest can be started."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    ids = [f"k{number}" for number in range(3)]
    for id in ids:
        controller.order(id=id, **several(image, depends_on=["cache"]))
    await asyncio.sleep(0.02 * round)
    await controller.kill()
    await rig.open()
    there = {state.id: state for state in rig.engine.instances()}
    assert {said["id"] for said in controller.said if said["event"] == "Started"} <= there.keys()
    for id in ids:
        if id not in there:
            assert not (rig.state / "instances" / id).exists()
            continue
        if there[id].phase is Phase.STARTING:
            await rig.ready(id)
        address = next(state.address for state in rig.engine.instances() if state.id == id)
        assert address is not None
        assert await get(address.host, "/connect?host=127.0.0.1&port=9000") == "connected\n"


async def test_killed_between_two_of_its_starts(closed: Rig) -> None:
    """The first container runs, the second waits for it; the one that waits is not let go twice, nor forgotten."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    containers = [
        {"name": "task", "image": image, "args": ["exit", "3", "ran"], "depends_on": ["slow"]},
        {"name": "slow", "image": image, "args": ["serve", "9000"], "port": 9999},
    ]
    controller.order(id="i0", containers=containers)
    await controller.until("Started", "i0")
    await controller.kill()
    record = Record(Layout(rig.state).instances / "i0")
    assert record.begun("i0+task") is None, "its dependency is not well yet"
    await rig.open()
    assert not [line for line in await rig.output("i0")]
    record.write_begun("i0+task", 1.0)  # as if it had been killed just before it let it go
    await rig.reopen()
    event = await rig.until(Exited, "i0")
    assert isinstance(event, Exited) and (event.exit, event.container) == (Exit(code=3), "task")
    assert await rig.output("i0") == ["ran", "SIGTERM: goodbye"]
