"""Instances that were written down: what they keep, and when a checkpoint is of no use. Those with `made` need CRIU."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from homerun.engine.base import ContainerSpec, EngineUnavailable, InstanceSpec, Origin, Phase
from homerun.engine.oci import checkpoints, procfs
from homerun.engine.oci.checkpoints import Checkpoint, Checkpoints
from homerun.lib.errors import FailedPrecondition
from tests.engine.oci.conftest import PROBE, Rig
from tests.engine.oci.test_mounted import fetch
from tests.support.criu import CRIU

SPEC = InstanceSpec("i1", (ContainerSpec("image", env={"A": "1"}),), {"instance": "i1"}, 8080, checkpoint="rev")


def stand_in(folder: Path, *, works: bool = True) -> str:
    """A program that says what CRIU would."""
    program = folder / "criu"
    program.write_text(f"#!/bin/sh\necho 'Version: 4.2'\n[ $1 != check ] || {'true' if works else 'exit 1'}\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def made(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", tmp_path / "run", stand_in(tmp_path))


def keep(made: Checkpoints, spec: InstanceSpec) -> Path:
    """As `dump` leaves it."""
    folder = made._folder / checkpoints._key(spec.checkpoint)
    folder.mkdir()
    (folder / "about.json").write_bytes(msgspec.json.encode(made._about(spec)))
    return folder


needs_runc = pytest.mark.skipif(not shutil.which("runc"), reason="runc is not installed")


@needs_runc
def test_it_is_for_instances_like_the_one_that_was_written_down(made: Checkpoints) -> None:
    folder = keep(made, SPEC)
    assert made.find(replace(SPEC, id="i2", labels={"instance": "i2"})) == Checkpoint(folder)
    [container] = SPEC.containers
    assert made.find(replace(SPEC, containers=(replace(container, env={"A": "2"}),))) is None
    assert made.find(replace(SPEC, checkpoint="other")) is None
    assert made.find(replace(SPEC, checkpoint="")) is None


@needs_runc
def test_one_of_before_a_reboot_or_of_another_version_is_removed(made: Checkpoints, tmp_path: Path) -> None:
    folder = keep(made, SPEC)
    cut_short = made._folder / ".cut-short"
    cut_short.mkdir()
    Checkpoints(made._folder, tmp_path / "run", stand_in(tmp_path))
    assert folder.exists() and not cut_short.exists()
    about = replace_boot((folder / "about.json").read_bytes())
    (folder / "about.json").write_bytes(about)
    assert made.find(SPEC) is None
    Checkpoints(made._folder, tmp_path / "run", stand_in(tmp_path))
    assert not folder.exists()


def replace_boot(about: bytes) -> bytes:
    return about.replace(procfs.boot_id().encode(), b"another boot")


@needs_runc
def test_without_room_on_the_disk_there_is_none(made: Checkpoints) -> None:
    [container] = SPEC.containers
    with pytest.raises(FailedPrecondition, match="no room"):
        made._check_room(replace(SPEC, containers=(replace(container, memory=1 << 60),)))


@needs_runc
def test_where_criu_does_not_work_that_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="checkpoints cannot be made here"):
        Checkpoints(tmp_path / "checkpoints", tmp_path / "run", stand_in(tmp_path, works=False))
    with pytest.raises(EngineUnavailable, match="no-such"):
        Checkpoints(tmp_path / "checkpoints", tmp_path / "run", str(tmp_path / "no-such"))


def test_what_criu_says_is_told(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    assert checkpoints._reason(log) == ""
    log.write_text("(00.1) fine\n(00.2) Error (criu/sk-inet.c:1): inet: Connected socket\n(00.3) more\n")
    assert "inet: Connected socket" in checkpoints._reason(log)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, criu=CRIU)
    await rig.open()
    yield rig
    await rig.close()


async def spec_of(rig: Rig, id: str, *args: str, **env: str) -> InstanceSpec:
    rig.image = rig.image or await rig.pull()
    container = ContainerSpec(rig.image.pinned, args=args or ("serve",), env=env, memory=64 << 20, startup=PROBE)
    return InstanceSpec(id, (container,), {"instance": id}, 8080, checkpoint="rev")


criu = pytest.mark.skipif(not CRIU, reason="CRIU is not installed: scripts/criu .cache/criu")


@criu
@pytest.mark.host
async def test_an_instance_goes_on_ends_and_is_adopted_like_any_other(rig: Rig) -> None:
    await rig.engine.checkpoint(await spec_of(rig, "template"))
    assert not rig.engine.instances() and not rig.events
    assert rig.footprint()["monitors"] == rig.footprint()["cgroups"] == rig.footprint()["records"] == set()
    for id in ("a", "b"):
        await rig.engine.start(await spec_of(rig, id))
        ready = await rig.ready(id)
        assert ready.origin is Origin.CHECKPOINT and "restore" in ready.phases
    await rig.reopen()
    assert [state.phase for state in rig.engine.instances()] == [Phase.READY, Phase.READY]
    assert set(await rig.engine.cpu_used(["a", "b"])) == {"a", "b"}
    await rig.engine.stop("a")
    assert (await rig.exit("a")).ok
    assert await rig.output("a") == ["SIGTERM: goodbye"]


@criu
@pytest.mark.host
async def test_without_its_files_an_instance_begins_from_its_image(rig: Rig) -> None:
    await rig.engine.checkpoint(await spec_of(rig, "template"))
    [folder] = (rig.state / "checkpoints").iterdir()
    shutil.rmtree(folder / "image")
    await rig.engine.start(await spec_of(rig, "a"))
    assert (await rig.ready("a")).origin is Origin.IMAGE
    assert not folder.exists()


@criu
@pytest.mark.host
async def test_what_does_not_become_well_is_not_written_down(rig: Rig) -> None:
    spec = await spec_of(rig, "template", "exit", "3")
    hasty = replace(PROBE, period=1, timeout=1, failure_threshold=1)
    with pytest.raises(FailedPrecondition, match="did not become well"):
        await rig.engine.checkpoint(replace(spec, containers=(replace(spec.containers[0], startup=hasty),)))
    assert list((rig.state / "checkpoints").iterdir()) == []
    assert rig.footprint()["cgroups"] == set()


@criu
@pytest.mark.host
async def test_who_has_dev_log_open_is_heard_there_after_it_went_on(rig: Rig) -> None:
    await rig.engine.checkpoint(await spec_of(rig, "template", OPENLOG="yes"))
    await rig.engine.start(await spec_of(rig, "a", OPENLOG="yes"))
    ready = await rig.ready("a")
    assert ready.origin is Origin.CHECKPOINT
    await fetch(ready, "/syslog?text=after")
    async with asyncio.timeout(30):
        while not (sent := await rig.output("a", "syslog")):
            await asyncio.sleep(0.02)
    assert [line.endswith("after") for line in sent] == [True], "of its start nobody hears"


@criu
@pytest.mark.host
async def test_one_that_ends_before_it_is_well_is_not_waited_for(rig: Rig) -> None:
    with pytest.raises(FailedPrecondition, match="it has ended"):
        await rig.engine.checkpoint(await spec_of(rig, "template", "exit", "3"))
    assert rig.footprint()["monitors"] == rig.footprint()["cgroups"] == set()
