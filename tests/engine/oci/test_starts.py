"""How instances come to be, on real containers."""

import asyncio
import subprocess

import pytest

from homerun.engine.base import ContainerSpec, InstanceSpec, Phase, Ready
from homerun.engine.oci.cgroup import CgroupLayout, Cgroups
from homerun.engine.oci.layout import Layout
from homerun.lib.errors import Invalid
from tests.engine.oci.conftest import PROBE, Rig

pytestmark = pytest.mark.host


async def test_the_phases_of_a_start_add_up(rig: Rig) -> None:
    ready = await rig.ready(await rig.start("serve", probe=PROBE))
    assert list(ready.phases) == ["queue", "network", "mount", "create", "start", "listen"]
    assert 0.002 < sum(ready.phases.values()) < 60


# What cannot be started


BROKEN = {
    "missing": ("/nothing", {}, "the command /nothing is not in the image: no such file"),
    "not in PATH": ("nothing", {}, "not found in PATH=/usr/local/sbin"),
    "a folder": ("/tmp", {}, "/tmp is not a file"),
    "text": ("/x", {"/x": b"hello"}, "neither a program nor a script"),
    "no interpreter": ("/x", {"/x": b"#!/bin/sh\n"}, "its interpreter /bin/sh is not in the image"),
    "other machine": ("/x", {"/x": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\0" + bytes(60)}, "built for arm64"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_program_that_cannot_run_is_refused_with_its_cause(rig: Rig, what: str) -> None:
    command, files, message = BROKEN[what]
    image = await rig.pull(files, cmd=command)
    before = rig.footprint()
    with pytest.raises(Invalid, match=message):
        await rig.start("x", image=image)
    assert not rig.engine.instances()
    after = rig.footprint()
    assert after.pop("mount namespaces") >= before.pop("mount namespaces"), "a thread has been started"
    assert after == before


async def test_an_id_that_is_a_path_is_refused(rig: Rig) -> None:
    image = await rig.pull()
    for id in ("../../etc", "", ".hidden", "a/b", "x" * 129):
        with pytest.raises(Invalid, match="instance id"):
            await rig.engine.start(InstanceSpec(id, (ContainerSpec(image.pinned),)))


async def test_an_image_of_a_hundred_layers_runs(rig: Rig) -> None:
    layers = [{f"/layer{number}": str(number).encode()} for number in range(110)]
    assert await rig.run("cat", "/layer0", "/layer109", image=await rig.pull(*layers)) == ["0109"]


async def test_nothing_is_left_beneath_what_instances_do_not_get_to_see(rig: Rig) -> None:
    cgroups = Cgroups.of_host(Layout(rig.state).cgroup)
    if cgroups.layout is not CgroupLayout.HYBRID:
        pytest.skip("they get to see all of it")
    await rig.run("exit", "0")
    beneath = f"umount --lazy {cgroups.unified} && ls {cgroups.unified}"
    found = subprocess.run(["unshare", "--mount", "sh", "-c", beneath], capture_output=True, text=True, check=True)
    assert Layout(rig.state).cgroup not in found.stdout.split()


async def test_a_filter_that_was_compiled_before_is_the_same_filter(rig: Rig) -> None:
    runtime = rig.engine._host.runtime
    first, second = [runtime.filter(await rig.start("sleep")) for _ in range(2)]
    if not first:
        pytest.skip(f"this {runtime.name} keeps it to itself")
    assert rig.engine._host.filter.annotations()
    assert first == second
    lines = await rig.run("id")
    assert "Seccomp:\t2" in lines


async def test_a_cancelled_start_leaves_nothing(rig: Rig) -> None:
    image = await rig.pull()
    for delay in (0, 0.001, 0.005, 0.01, 0.02):
        task = asyncio.ensure_future(rig.start("sleep", image=image))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.wait([task])
    async with asyncio.timeout(10):
        while rig.footprint()["monitors"] or rig.engine.instances():
            await asyncio.sleep(0.01)
            for state in rig.engine.instances():  # of a start that was done before it was cancelled
                await rig.engine.stop(state.id, 0)
                if state.phase is Phase.EXITED:
                    await rig.engine.remove(state.id)
    footprint = rig.footprint()
    assert footprint["cgroups"] == footprint["records"] == footprint["runtime's state"] == set()


async def test_the_event_loop_is_not_blocked_by_starts(rig: Rig) -> None:
    image = await rig.pull()
    loop, longest = asyncio.get_running_loop(), 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    began = loop.time()
    watcher = asyncio.ensure_future(watch())
    ids = await asyncio.gather(*(rig.start("serve", image=image, probe=PROBE) for _ in range(8)))
    for id in ids:
        await rig.until(Ready, id)
    watcher.cancel()
    assert longest < (loop.time() - began) / 2
