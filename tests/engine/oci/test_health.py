"""Liveness and readiness of a ready instance, with answers that the test gives, in virtual time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.aio.tasks import Supervisor
from homerun.engine.base import ContainerSpec, Event, InstanceSpec, Phase, Probed
from homerun.engine.oci import health, probes
from homerun.engine.oci.health import Health
from homerun.engine.oci.instance import Instance, Part
from homerun.engine.oci.network import Network
from homerun.engine.oci.records import Record
from homerun.model.probe import Check, Probe
from tests.support.clock import EPOCH, LoopClock

pytestmark = pytest.mark.looptime
LIVE = Probe(80, "/livez", timeout=1, period=10, failure_threshold=2)
READY = Probe(80, "/readyz", timeout=1, period=10, failure_threshold=1, success_threshold=2)


class Rig:
    """One instance with two containers; `wrong` is what is found of each path."""

    def __init__(self, folder: Path) -> None:
        web = ContainerSpec("i@sha256:1", "web", liveness=LIVE, readiness=READY)
        spec = InstanceSpec("i1", (web, ContainerSpec("i@sha256:1", "side", readiness=READY)), port=80)
        clock = LoopClock()
        self.instance = Instance(spec, Record.create(folder, spec), EPOCH, Phase.READY)
        self.instance.network = Network(-1, "10.0.0.1")
        self.events: list[Event] = []
        self.killed: list[str] = []
        self.granted: list[int] = []
        self.wrong: dict[str, str] = {}
        self.asked: list[tuple[float, str]] = []
        self.tasks = Supervisor()
        self.health = Health(clock, self.tasks, lambda _, event: self.events.append(event), self.kill, self.grant)

    def kill(self, instance: Instance, part: Part) -> None:
        self.killed.append(part.spec.name)
        self.health.end(instance)

    def grant(self, instance: Instance) -> None:
        self.granted.append(instance.asked)

    async def ask(self, host: str, probe: Probe, timeout: float) -> str:
        assert host == "10.0.0.1"
        self.asked.append((asyncio.get_running_loop().time(), probe.http_path or ""))
        await asyncio.sleep(0.01)
        return self.wrong.get(probe.http_path or "", "")

    def verdicts(self) -> list[tuple[str, Check, bool, tuple[str, ...]]]:
        found = [(e.container, e.check, e.well, e.unready) for e in self.events if isinstance(e, Probed)]
        self.events.clear()
        return found


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    monkeypatch.setattr(probes, "ask", rig.ask)
    assert health.probes is probes
    yield rig


async def test_each_probe_is_asked_once_in_a_period(rig: Rig) -> None:
    rig.health.begin(rig.instance)
    await asyncio.sleep(25)
    rig.health.end(rig.instance)
    assert [round(at) for at, path in rig.asked if path == "/livez"] == [0, 10, 20]
    assert [round(at) for at, path in rig.asked if path == "/readyz"] == [0, 0, 10, 10, 20, 20]
    await asyncio.sleep(100)
    assert len(rig.asked) == 9, "it ended"
    assert rig.verdicts() == [
        ("web", Check.LIVENESS, True, ()),
        ("web", Check.READINESS, True, ()),
        ("side", Check.READINESS, True, ()),
    ]


async def test_the_instance_is_ready_when_all_its_containers_are_and_that_is_written_down(rig: Rig) -> None:
    rig.wrong["/readyz"] = "no"
    rig.health.begin(rig.instance)
    await asyncio.sleep(1)
    assert rig.verdicts()[1:] == [
        ("web", Check.READINESS, False, ("web",)),
        ("side", Check.READINESS, False, ("web", "side")),
    ]
    assert rig.instance.state().unready == rig.instance.record.unready() == ("web", "side")
    rig.wrong.clear()
    await asyncio.sleep(25)
    rig.health.end(rig.instance)
    assert [unready for *_, unready in rig.verdicts()] == [("side",), ()]
    assert rig.instance.record.unready() == ()


async def test_what_is_not_alive_is_killed_and_its_end_is_that_of_the_instance(rig: Rig) -> None:
    rig.wrong["/livez"] = "no"
    rig.health.begin(rig.instance)
    await asyncio.sleep(100)
    assert rig.killed == ["web"]
    assert ("web", Check.LIVENESS, False, ()) in rig.verdicts()


async def test_what_is_known_from_before_is_no_news(rig: Rig) -> None:
    rig.instance.unready = ("side",)
    rig.health.begin(rig.instance, known=True)
    await asyncio.sleep(25)
    rig.health.end(rig.instance)
    assert rig.verdicts() == [("side", Check.READINESS, True, ())]


async def test_it_has_its_cpu_while_it_is_asked(rig: Rig) -> None:
    rig.health.begin(rig.instance)
    await asyncio.sleep(1)
    rig.health.end(rig.instance)
    assert max(rig.granted) == 3 and rig.granted[-1] == 0


async def test_what_is_not_ready_any_more_is_not_asked(rig: Rig) -> None:
    rig.instance.phase = Phase.STOPPING
    rig.health.begin(rig.instance)
    await asyncio.sleep(1)
    assert rig.asked == []
