"""What a new engine makes of what a killed one left: nothing lost, nothing left over, nothing run twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import ContainerSpec, Exit, Exited, InstanceSpec, InstanceState, Phase, Ready
from homerun.engine.images.store import ImageStore
from homerun.engine.oci import monitor, procfs, runtime
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.engine import OciEngine
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.records import Pair, Record, Running
from homerun.lib.clock import SystemClock
from homerun.lib.errors import AlreadyExists
from tests.engine.oci.conftest import PROBE, Rig

pytestmark = pytest.mark.host


class Controller:
    """The process of controller.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    @classmethod
    async def run(cls, rig: Rig, *how: str) -> Controller:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.engine.oci.controller", rig.state, rig.folder / "images", *how),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        controller = cls(process)
        await controller.until("Open")
        return controller

    def start(self, id: str, image: str, *args: str, **how: Any) -> None:
        self.order(id=id, image=image, args=args, **how)

    def order(self, **order: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def until(self, event: str, id: str | None = None) -> None:
        assert self._process.stdout
        # To start Python and to try the runtimes takes an emulated machine (scripts/vm-test) more than half a minute.
        async with asyncio.timeout(300):
            while not any(said["event"] == event and said.get("id") == id for said in self.said):
                self.said.append(json.loads(await self._process.stdout.readline()))

    async def kill(self) -> None:
        self._process.kill()
        assert self._process.stdout
        rest = await self._process.stdout.read()
        self.said += [json.loads(line) for line in rest.splitlines() if line.endswith(b"}")]
        await self._process.wait()


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose engine is not open yet; its image is there."""
    rig = Rig(tmp_path)
    rig.image = await rig.pull()
    yield rig
    if rig.engine._lock is None:
        await rig.open()
    await rig.close()
    left = rig.footprint()
    assert not left["monitors"] and not left["cgroups"] and not left["runtime's state"]


def state_of(rig: Rig, id: str) -> InstanceState:
    return next(state for state in rig.engine.instances() if state.id == id)


async def test_nothing_is_lost_when_control_is_killed(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("service", image, "serve", port=8080)
    controller.start("long", image, "sleep")
    controller.start("short", image, "exit", "3", "before", "the end")
    await controller.until("Ready", "service")
    await controller.until("Exited", "short")
    controller.start("later", image, "sleep", "1")
    await controller.until("Started", "later")
    await controller.kill()
    await asyncio.sleep(1.2)

    await rig.open()
    assert await rig.exit("later") == Exit(code=0)
    phases = {state.id: state.phase for state in rig.engine.instances()}
    ended = Phase.EXITED
    assert phases == {"service": Phase.READY, "long": Phase.READY, "short": ended, "later": ended}
    assert state_of(rig, "short").exit == Exit(code=3)
    assert await rig.output("short") == ["before", "the end"]
    assert state_of(rig, "service").labels == {"batch": "b"}
    address = state_of(rig, "service").address
    assert address is not None
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await reader.read()).endswith(b"hello\n")
    writer.close()
    assert [type(event) for event in rig.events] == [Exited], "only what nobody had been told"
    await rig.engine.stop("long")
    assert await rig.exit("long") == Exit(code=0)
    assert await rig.output("long") == ["SIGTERM: goodbye"]


async def test_a_start_that_waits_for_its_port_is_taken_over(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("slow", image, "sleep", port=8080)
    await controller.until("Started", "slow")
    await controller.kill()
    await rig.open()
    assert state_of(rig, "slow").phase is Phase.STARTING
    assert state_of(rig, "slow").address is not None
    await rig.engine.stop("slow")
    await rig.exit("slow")
    assert not [event for event in rig.events if isinstance(event, Ready)]


@pytest.mark.parametrize("round", range(8))
async def test_killed_in_the_middle_of_starts(closed: Rig, round: int) -> None:
    """Whatever was reported as started is there; the rest either is, or can be started; nothing is half there."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    ids = [f"k{number}" for number in range(8)]
    for id in ids:
        controller.start(id, image, "sleep")
    await asyncio.sleep(0.015 * round)
    await controller.kill()
    await rig.open()
    there = {state.id for state in rig.engine.instances()}
    assert {said["id"] for said in controller.said if said["event"] == "Started"} <= there
    assert set(monitor.find(Layout(rig.state).instances)) <= there
    assert Cgroups.of_host(Layout(rig.state).cgroup).names() <= there
    for id in ids:
        spec = state_of(rig, id) if id in there else None
        if spec is None:
            assert not (rig.state / "instances" / id).exists()


async def test_a_start_that_was_cut_short_just_before_its_program_is_finished(closed: Rig) -> None:
    """The record says that it runs: so it must, and once."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig, "stuck")
    controller.start("late", image, "exit", "3", "ran")
    async with asyncio.timeout(30):
        while not Record(Layout(rig.state).instances / "late").running():
            await asyncio.sleep(0.01)
    await controller.kill()
    await rig.open()
    assert await rig.exit("late") == Exit(code=3)
    assert await rig.output("late") == ["ran"]


async def test_a_restart_that_is_killed_while_it_cleans_up_leaves_no_id_that_cannot_be_used(
    closed: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a start that was cut short the index of logs may know already; then nothing else may forget it first."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    layout, spec = Layout(rig.state), InstanceSpec("i0", (ContainerSpec(image, args=("exit", "0")),))
    for folder in (layout.instances, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    Record.create(layout.instances, spec)
    logs = Logs(layout.logs)
    logs.file("i0").touch()
    logs.add("i0", {}, {"i0": ""})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Logs, "drop", killed)
        await rig.open()
    await rig.open()
    await rig.engine.start(spec)
    assert await rig.exit("i0") == Exit(code=0)


async def test_an_id_stays_used_over_a_crash(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("i0", image, "exit", "0")
    await controller.until("Exited", "i0")
    await controller.kill()
    await rig.open()
    with pytest.raises(AlreadyExists):
        await rig.start("exit", "0")


async def test_a_network_of_an_adopted_instance_is_not_given_to_another(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("old", image, "serve", port=8080)
    await controller.until("Ready", "old")
    await controller.kill()
    await rig.open()
    old = state_of(rig, "old").address
    fresh = [(await rig.ready(await rig.start("serve", probe=PROBE))).address for _ in range(6)]
    assert old not in fresh and len(set(fresh)) == 6


async def test_a_killed_monitor_takes_its_container_down_and_nobody_knows_how_it_ended(rig: Rig) -> None:
    id = await rig.start("sleep")
    [[pid]] = monitor.find(rig.state / "instances").values()
    os.kill(pid, signal.SIGKILL)
    assert await rig.exit(id) == Exit()
    assert rig.footprint()["cgroups"] == set()


async def test_a_monitor_killed_while_nobody_watched(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("i0", image, "sleep")
    await controller.until("Started", "i0")
    await controller.kill()
    [[pid]] = monitor.find(rig.state / "instances").values()
    os.kill(pid, signal.SIGKILL)
    await rig.open()
    assert await rig.exit("i0") == Exit()


async def test_a_record_of_before_a_reboot_ended_in_a_way_that_nobody_saw(closed: Rig) -> None:
    """The pids in it may run again, as somebody else: they must be left alone."""
    rig = closed
    await rig.open()
    id = await rig.start("sleep")
    await rig.engine.close()
    record = Record(rig.state / "instances" / id)
    running = record.running()
    assert running is not None
    [pair] = running.pairs
    pair.init.send(signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pair.monitor.pid, 0)
    (record.folder / id).unlink()
    me = procfs.Process.of(os.getpid())
    assert me is not None
    record.write_running(Running("another boot", (Pair(me, me),), running.started, running.address))
    rig.engine = rig.make()
    await rig.open()
    assert await rig.exit(id) == Exit()


async def test_what_belongs_to_no_instance_is_swept_away(closed: Rig) -> None:
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("i0", image, "sleep")
    await controller.until("Started", "i0")
    await controller.kill()
    (rig.state / "instances/i0/process.json").unlink()  # as if it had been killed before it wrote that
    await rig.open()
    assert not rig.engine.instances()
    footprint = rig.footprint()
    assert footprint["monitors"] == footprint["cgroups"] == footprint["records"] == set()
    await rig.start("exit", "0")


class Ahead(SystemClock):
    """Somebody has set the wall clock by two hours."""

    def now(self) -> float:  # type: ignore[override]
        return super().now() + 7200


async def test_after_the_clock_was_set_an_instance_has_run_for_as_long_as_before(closed: Rig) -> None:
    rig = closed
    await rig.open()
    await rig.ready(await rig.start("serve", probe=PROBE))
    [before] = rig.engine.instances()
    await rig.engine.close()
    rig.engine = OciEngine(rig.state, ImageStore(rig.folder / "images"), clock=Ahead())
    await rig.open()
    [after] = rig.engine.instances()
    assert after.started - before.started == pytest.approx(7200, abs=1)
    assert after.ready and before.ready and after.ready - before.ready == pytest.approx(7200, abs=1)


async def test_what_was_made_ahead_is_swept_away(closed: Rig) -> None:
    """It never was an instance: nobody may count it, and its id can be used."""
    rig, image = closed, closed.image.pinned if closed.image else ""
    controller = await Controller.run(rig)
    controller.start("i0", image, "exit", "0", ahead=True)
    await controller.until("Prepared", "i0")
    await controller.kill()
    assert len(rig.footprint()["monitors"]) == 1
    await rig.open()
    assert not rig.engine.instances()
    footprint = rig.footprint()
    assert footprint["monitors"] == footprint["cgroups"] == footprint["records"] == set()
    assert footprint["runtime's state"] == set()
    assert await rig.exit(await rig.start("exit", "0")) == Exit(code=0)


async def test_killed_between_the_two_steps_of_letting_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe was opened and nothing written: its container still waits, and its program runs as if nothing was."""

    def killed(pipe: Path, init: procfs.Process, patience: float = 0) -> None:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))

    with monkeypatch.context() as patched:
        patched.setattr(runtime, "_let_go", killed)
        ids = [await rig.start("exit", "0", "ran") for _ in range(12)]
    await rig.reopen()
    for id in ids:
        exited = await rig.until(Exited, id)
        assert isinstance(exited, Exited) and exited.exit == Exit(code=0)
        assert await rig.output(id) == ["ran"]
