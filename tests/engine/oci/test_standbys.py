"""What becomes of containers that are made ahead, whoever gives up on them and whenever. No host needed."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from homerun.aio.tasks import Supervisor
from homerun.engine.base import ContainerSpec, InstanceSpec
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.monitor import Monitor
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.records import Record
from homerun.engine.oci.standbys import Standbys
from homerun.lib.errors import Internal

SPEC = InstanceSpec("i1", (ContainerSpec("image", env={"TOKEN": "1"}),))


class Rig:
    """Stands in for the engine: makes nothing, and notes what is taken back."""

    def __init__(self) -> None:
        self.taken_back: list[str] = []
        self.made = asyncio.Event()
        self.standbys = Standbys(Supervisor(lambda name, error: None), self._take_back)

    def _take_back(self, instance: Instance, created: Sequence[Monitor]) -> None:
        assert created
        self.taken_back.append(instance.id)

    def add(self, alive: bool = True, error: Exception | None = None) -> asyncio.Task[None]:
        me = Process.of(os.getpid())
        assert me is not None
        process = me if alive else replace(me, start=me.start + 1)
        instance = Instance(SPEC, Record(Path("nowhere")), 0)
        return asyncio.create_task(self.standbys.add(instance, self._make([Monitor(process, process)], error)))

    async def _make(self, created: Sequence[Monitor], error: Exception | None) -> Sequence[Monitor]:
        await self.made.wait()
        if error is not None:
            raise error
        return created


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.made.set()
    await rig.standbys.close()
    assert len(rig.standbys) == 0


async def test_what_was_made_is_taken_once(rig: Rig) -> None:
    adding = rig.add()
    rig.made.set()
    await adding
    assert "i1" in rig.standbys
    standby = await rig.standbys.take(SPEC)
    assert standby is not None and standby.created
    assert await rig.standbys.take(SPEC) is None
    assert rig.taken_back == []


async def test_whoever_comes_early_waits_for_it(rig: Rig) -> None:
    adding = rig.add()
    await asyncio.sleep(0)
    taking = asyncio.create_task(rig.standbys.take(SPEC))
    await asyncio.sleep(0)
    rig.made.set()
    assert await taking is not None
    await adding


async def test_one_for_another_spec_is_thrown_away(rig: Rig) -> None:
    """A variable is of a secret, which has a new version now."""
    adding = rig.add()
    rig.made.set()
    await adding
    other = replace(SPEC, containers=(replace(SPEC.containers[0], env={"TOKEN": "2"}),))
    assert await rig.standbys.take(other) is None
    assert rig.taken_back == ["i1"]


async def test_one_that_ended_by_itself_is_thrown_away(rig: Rig) -> None:
    adding = rig.add(alive=False)
    rig.made.set()
    await adding
    assert await rig.standbys.take(SPEC) is None
    assert rig.taken_back == ["i1"]


async def test_what_cannot_be_made_is_told_and_leaves_nothing(rig: Rig) -> None:
    adding = rig.add(error=Internal("no"))
    rig.made.set()
    with pytest.raises(Internal):
        await adding
    assert "i1" not in rig.standbys
    assert await rig.standbys.take(SPEC) is None
    assert rig.taken_back == []


async def test_one_that_is_being_made_can_be_dismissed(rig: Rig) -> None:
    adding = rig.add()
    await asyncio.sleep(0)
    dismissing = asyncio.create_task(rig.standbys.dismiss("i1"))
    await asyncio.sleep(0)
    assert rig.taken_back == []
    rig.made.set()
    await dismissing
    assert rig.taken_back == ["i1"]
    await adding


async def test_it_is_not_forgotten_when_who_ordered_it_is_cancelled(rig: Rig) -> None:
    adding = rig.add()
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.wait([adding])
    rig.made.set()
    await rig.standbys.close()
    assert rig.taken_back == ["i1"]


async def test_nor_when_who_dismissed_it_is(rig: Rig) -> None:
    adding = rig.add()
    await asyncio.sleep(0)
    dismissing = asyncio.create_task(rig.standbys.dismiss("i1"))
    await asyncio.sleep(0)
    dismissing.cancel()
    await asyncio.wait([dismissing])
    rig.made.set()
    await adding
    await rig.standbys.close()
    assert rig.taken_back == ["i1"]


async def test_dismissing_the_unknown_is_no_error(rig: Rig) -> None:
    await rig.standbys.dismiss("nobody")
