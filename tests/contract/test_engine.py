"""What every Engine promises, on scripts or on a kernel. See homerun/engine/base.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import (
    THROTTLED,
    ContainerSpec,
    DiskVolume,
    Engine,
    EngineUnavailable,
    Event,
    Exit,
    Exited,
    FilesVolume,
    FolderVolume,
    ImageNotFound,
    InstanceSpec,
    MemoryVolume,
    Mount,
    Origin,
    Phase,
    Probed,
    Ready,
    Volume,
)
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Line, Script
from homerun.engine.images.store import ImageStore
from homerun.engine.oci.engine import OciEngine
from homerun.lib.clock import SystemClock
from homerun.lib.errors import AlreadyExists, FailedPrecondition, HomerunError, Invalid, NotFound
from homerun.model.probe import Check, Probe
from tests.support.clock import LoopClock
from tests.support.criu import CRIU
from tests.support.images import app_layer, make_image

PROBE = Probe(port=8080)
IMPATIENT = Probe(port=8080, period=0.3, timeout=0.3)


SLOW = 0.5
"""Seconds until the `slow` sidecar is well."""
SIDE = Probe(port=9000, period=30)
ENV = {"hang": ["ON_TERM=ignore"], "spin": ["SPIN=1"], "slow": [f"START_DELAY_MS={SLOW * 1000:.0f}"]}


class World:
    """An engine, what it said, and how to get an image that behaves in a certain way."""

    BEHAVIOURS = ("serve", "talk", "fail", "hang", "broken", "spin", "sidecar", "slow", "done")

    def __init__(
        self,
        make: Callable[[], Engine],
        references: dict[str, str],
        look: Callable[[Ready, str, str], Awaitable[bytes | None]],
    ) -> None:
        """`look`: what an instance that serves has in a file of a volume, which is mounted at /NAME."""
        self._make = make
        self.look = look
        self._references = references
        self.engine = make()
        self.events: list[Event] = []
        self._heard = asyncio.Event()

    def _listen(self, event: Event) -> None:
        self.events.append(event)
        self._heard.set()

    async def open(self) -> None:
        await self.engine.open(self._listen)

    async def reopen(self) -> None:
        self.engine = self._make()
        await self.open()

    async def spec(self, behaviour: str, id: str = "i1", probe: Probe | None = None, **labels: str) -> InstanceSpec:
        image = await self.engine.pull(self._references[behaviour])
        container = ContainerSpec(image.pinned, memory=64 << 20, startup=probe)
        return InstanceSpec(id, (container,), labels, None if probe is None else probe.port)

    async def container(self, name: str, behaviour: str, **fields: Any) -> ContainerSpec:
        image = await self.engine.pull(self._references[behaviour])
        return ContainerSpec(image.pinned, name=name, memory=64 << 20, **fields)

    async def until(self, kind: type[Event], id: str = "i1") -> Event:
        """Wait for an event of this kind and instance."""
        async with asyncio.timeout(30):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and event.id == id:
                        return event
                self._heard.clear()
                await self._heard.wait()

    async def ail(self, check: Check, status: int, id: str = "i1") -> None:
        """From now on that probe of it is answered with this status; 200: it is well."""
        if isinstance(self.engine, FakeEngine):
            self.engine.ail(id, "" if status == 200 else f"The answer had status {status}.", check)
            return
        [address] = [state.address for state in self.engine.instances() if state.id == id]
        assert address is not None
        reader, writer = await asyncio.open_connection(address.host, address.port)
        key = "live" if check is Check.LIVENESS else "ready"
        writer.write(f"GET /ail?{key}={status} HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()

    async def probed(self, check: Check, well: bool, id: str = "i1") -> Probed:
        """Wait for this verdict."""
        async with asyncio.timeout(30):
            while True:
                for event in self.events:
                    if isinstance(event, Probed) and (event.id, event.check, event.well) == (id, check, well):
                        return event
                self._heard.clear()
                await self._heard.wait()

    async def cpu_share(self, id: str = "i1") -> float:
        """Cores that it uses, over a while: never more than it may, however busy the machine is."""
        began, before = asyncio.get_running_loop().time(), (await self.engine.cpu_used([id]))[id]
        await asyncio.sleep(1)
        used = (await self.engine.cpu_used([id]))[id] - before
        return used / (asyncio.get_running_loop().time() - began)

    async def uses_cpu(self, id: str = "i1") -> None:
        """Wait until it has used more than it could if it were throttled."""
        before = (await self.engine.cpu_used([id]))[id]
        async with asyncio.timeout(30):
            while (await self.engine.cpu_used([id]))[id] < before + 30 * 2 * THROTTLED:
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for state in list(self.engine.instances()):
            await self.engine.stop(state.id, 0)
        for state in self.engine.instances():
            if state.phase is not Phase.EXITED:
                await self.until(Exited, state.id)
        await self.engine.close()


def fake_world(folder: Path) -> World:
    scripts = {
        "serve": Script(ready=0.01, on_term=Exit(code=0), lines=(Line("SIGTERM: goodbye", 3600),)),
        "talk": Script(exit=Exit(code=0), exit_after=0.02, lines=(Line("one"), Line("oops", 0.01, "stderr"))),
        "fail": Script(ready=1, exit=Exit(code=7), exit_after=0.01),
        "hang": Script(ready=9999, stop_after=9999),
        "broken": Script(start_error=Invalid("no such command")),
        "spin": Script(ready=0.01, on_term=Exit(code=0), cpu=1),
        "sidecar": Script(ready=0.01, on_term=Exit(code=0)),
        "slow": Script(ready=SLOW, on_term=Exit(code=0)),
        "done": Script(exit=Exit(code=0), exit_after=0.01),
    }
    engine = FakeEngine(LoopClock(), {f"docker://registry.test/{name}": script for name, script in scripts.items()})

    async def look(ready: Ready, volume: str, file: str) -> bytes | None:
        found = engine.files(ready.id, volume).get(file)
        return found and found[0]

    return World(lambda: engine, {name: f"docker://registry.test/{name}" for name in scripts}, look)


def oci_world(folder: Path) -> World:
    commands = {
        "serve": ["/app", "serve"],
        "talk": ["/app", "lines", "1"],
        "fail": ["/app", "exit", "7"],
        "hang": ["/app", "sleep"],
        "broken": ["/no-such-command"],
        "spin": ["/app", "serve"],
        "sidecar": ["/app", "serve", "9000"],
        "slow": ["/app", "serve", "9000"],
        "done": ["/app", "exit", "0"],
    }
    references = {}
    for name, command in commands.items():
        env = ENV.get(name, [])
        path = make_image(folder / f"{name}.tar", [app_layer()], cmd=command, env=env)
        references[name] = f"oci-archive:{path}"
    state = folder / "state"

    async def look(ready: Ready, volume: str, file: str) -> bytes | None:
        assert ready.address is not None
        reader, writer = await asyncio.open_connection(ready.address.host, ready.address.port)
        writer.write(f"GET /cat?path=/{volume}/{file} HTTP/1.0\r\n\r\n".encode())
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return body or None

    def make() -> Engine:
        return OciEngine(state, ImageStore(state / "images"), clock=SystemClock(), criu=CRIU)

    return World(make, references, look)


WORLDS = [
    pytest.param(fake_world, id="fake", marks=pytest.mark.looptime(start=0)),
    pytest.param(oci_world, id="oci", marks=pytest.mark.host),
]


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    world: World = request.param(tmp_path)
    await world.open()
    yield world
    await world.close()


# Starting


async def test_a_service_becomes_ready_at_an_address(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE, service="hello"))
    ready = await world.until(Ready)
    assert isinstance(ready, Ready)
    assert ready.address is not None and ready.address.port == 8080
    assert all(seconds >= 0 for seconds in ready.phases.values()) and ready.phases
    [state] = world.engine.instances()
    assert (state.id, state.labels, state.phase) == ("i1", {"service": "hello"}, Phase.READY)
    assert (state.address, state.ready) == (ready.address, ready.at)
    assert state.started <= ready.at


async def test_a_task_is_ready_as_soon_as_it_runs_and_exited_comes_last(world: World) -> None:
    await world.engine.start(await world.spec("talk"))
    await world.until(Exited)
    first, last = world.events
    assert isinstance(first, Ready) and first.address is None
    assert isinstance(last, Exited) and last.exit == Exit(code=0) and last.exit.ok
    [state] = world.engine.instances()
    assert (state.phase, state.exit, state.exited) == (Phase.EXITED, Exit(code=0), last.at)


async def test_an_exit_code_is_told(world: World) -> None:
    await world.engine.start(await world.spec("fail"))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=7) and not exited.exit.ok


async def test_an_instance_that_exits_before_it_is_ready_was_never_ready(world: World) -> None:
    await world.engine.start(await world.spec("fail", probe=PROBE))
    await world.until(Exited)
    assert [type(event) for event in world.events] == [Exited]


async def test_an_instance_that_does_not_become_ready_in_time_is_killed(world: World) -> None:
    await world.engine.start(await world.spec("hang", probe=IMPATIENT))
    await world.until(Exited)
    failed, exited = world.events
    assert isinstance(failed, Probed) and "8080" in failed.message
    assert isinstance(exited, Exited) and exited.exit == Exit(signal=9)


async def test_an_id_is_used_once(world: World) -> None:
    spec = await world.spec("talk")
    await world.engine.start(spec)
    with pytest.raises(AlreadyExists):
        await world.engine.start(spec)
    await world.until(Exited)
    with pytest.raises(AlreadyExists):
        await world.engine.start(spec)
    await world.engine.remove("i1")
    with pytest.raises(AlreadyExists):
        await world.engine.start(spec)


async def test_of_two_starts_of_the_same_id_at_once_one_wins(world: World) -> None:
    spec = await world.spec("talk")
    results = await asyncio.gather(world.engine.start(spec), world.engine.start(spec), return_exceptions=True)
    assert sorted(type(result) for result in results if result) == [AlreadyExists] or results.count(None) == 1
    await world.until(Exited)
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_an_image_must_have_been_pulled(world: World) -> None:
    with pytest.raises(ImageNotFound):
        await world.engine.pull("docker://registry.invalid/nobody/nothing:v1")
    absent = ContainerSpec("docker://registry.invalid/nobody/nothing@sha256:" + "0" * 64)
    with pytest.raises(NotFound):
        await world.engine.start(InstanceSpec("i1", (absent,)))
    assert not world.engine.instances()


async def test_pulling_again_gives_the_same_digest(world: World) -> None:
    first, second = await world.spec("serve"), await world.spec("serve")
    assert first.containers[0].image == second.containers[0].image
    assert "@sha256:" in first.containers[0].image


async def test_a_start_that_fails_leaves_nothing_and_is_not_an_event(world: World) -> None:
    spec = await world.spec("broken")
    with pytest.raises(HomerunError) as caught:
        await world.engine.start(spec)
    assert isinstance(caught.value, Invalid)
    assert not world.engine.instances()
    assert not world.events


async def test_many_start_at_once(world: World) -> None:
    specs = [await world.spec("serve", f"i{number}", PROBE) for number in range(12)]
    await asyncio.gather(*(world.engine.start(spec) for spec in specs))
    addresses = set()
    for spec in specs:
        ready = await world.until(Ready, spec.id)
        assert isinstance(ready, Ready)
        addresses.add(ready.address)
    assert len(addresses) == 12


# Made ahead


async def test_what_is_prepared_is_no_instance_until_it_is_started(world: World) -> None:
    spec = await world.spec("serve", probe=PROBE, service="hello")
    await world.engine.prepare(spec)
    assert not world.engine.instances() and not world.events
    await world.engine.stop("i1", 0)
    await world.engine.remove("i1")
    await world.engine.start(spec)
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.origin is Origin.STANDBY
    assert ready.address is not None and ready.address.port == 8080
    [state] = world.engine.instances()
    assert (state.id, state.labels, state.phase) == ("i1", {"service": "hello"}, Phase.READY)
    with pytest.raises(AlreadyExists):
        await world.engine.prepare(spec)


async def test_a_prepared_instance_of_several_containers_starts_in_their_order(world: World) -> None:
    main = await world.container("main", "talk", depends_on=("side",))
    side = await world.container("side", "slow", startup=SIDE)
    spec = InstanceSpec("i1", (main, side), main="main")
    await world.engine.prepare(spec)
    await world.engine.start(spec)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=0), "main")
    assert len([line for line in await world.engine.logs({}) if line.container == "main"]) == 2


async def test_what_was_prepared_for_something_else_is_not_used(world: World) -> None:
    """It might have been made with a secret that is another one now."""
    spec = await world.spec("serve", probe=PROBE)
    [container] = spec.containers
    other = replace(spec, containers=(replace(container, env={"TOKEN": "new"}),))
    await world.engine.prepare(spec)
    await world.engine.start(other)
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.origin is Origin.IMAGE


async def test_what_is_prepared_can_be_dismissed_and_its_id_used_again(world: World) -> None:
    spec = await world.spec("talk")
    await world.engine.prepare(spec)
    with pytest.raises(AlreadyExists):
        await world.engine.prepare(spec)
    await world.engine.dismiss("i1")
    await world.engine.dismiss("i1")
    await world.engine.start(spec)
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.origin is Origin.IMAGE
    await world.engine.dismiss("i1")
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)


async def test_what_cannot_be_prepared_leaves_nothing(world: World) -> None:
    spec = await world.spec("broken")
    with pytest.raises(Invalid):
        await world.engine.prepare(spec)
    with pytest.raises(Invalid):
        await world.engine.start(spec)
    assert not world.engine.instances() and not world.events


async def test_nothing_prepared_outlives_the_engine(world: World) -> None:
    spec = await world.spec("talk")
    await world.engine.prepare(spec)
    await world.engine.close()
    await world.reopen()
    assert not world.engine.instances()
    await world.engine.start(spec)
    await world.until(Exited)


# Checkpoints


async def test_instances_go_on_from_what_one_of_their_like_was_written_down(world: World) -> None:
    spec = replace(await world.spec("slow", "template", SIDE), checkpoint="rev")
    try:
        await world.engine.checkpoint(spec)
    except EngineUnavailable as error:
        pytest.skip(error.message)
    assert not world.engine.instances() and not world.events
    await world.engine.start(replace(spec, id="i1"))
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.origin is Origin.CHECKPOINT
    [container] = spec.containers
    other = replace(container, env={"OTHER": "1"})
    await world.engine.start(replace(spec, id="i2", containers=(other,)))
    ready = await world.until(Ready, "i2")
    assert isinstance(ready, Ready) and ready.origin is Origin.IMAGE
    await world.engine.drop_checkpoint("rev")
    await world.engine.drop_checkpoint("rev")
    await world.engine.start(replace(spec, id="i3"))
    ready = await world.until(Ready, "i3")
    assert isinstance(ready, Ready) and ready.origin is Origin.IMAGE


# Probes


async def test_a_startup_probe_that_passes_is_told_before_the_instance_is_ready(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE))
    await world.until(Ready)
    first, _ = world.events
    assert isinstance(first, Probed)
    assert (first.check, first.well, first.times) == (Check.STARTUP, True, 1)


def watched(spec: InstanceSpec, **probes: Probe) -> InstanceSpec:
    return replace(spec, containers=(replace(spec.containers[0], **probes),))


LIVE = Probe(8080, "/livez", period=0.1, timeout=5, failure_threshold=3)
READYZ = Probe(8080, "/readyz", period=0.1, timeout=5, failure_threshold=2, success_threshold=2)


async def test_an_instance_that_is_not_alive_any_more_is_killed(world: World) -> None:
    spec = watched(await world.spec("serve", probe=PROBE), liveness=LIVE)
    await world.engine.start(spec)
    first = await world.probed(Check.LIVENESS, well=True)
    assert first.times == 1
    await world.ail(Check.LIVENESS, 503)
    failed = await world.probed(Check.LIVENESS, well=False)
    assert (failed.times, failed.container, failed.wrong) == (3, spec.containers[0].name, "The answer had status 503.")
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(signal=9)


async def test_an_instance_that_is_not_ready_lives_and_says_when_it_is_again(world: World) -> None:
    await world.engine.start(watched(await world.spec("serve", probe=PROBE), readiness=READYZ))
    assert (await world.probed(Check.READINESS, well=True)).times == 2
    await world.ail(Check.READINESS, 503)
    failed = await world.probed(Check.READINESS, well=False)
    [state] = world.engine.instances()
    assert (failed.times, failed.unready) == (2, state.unready) and len(state.unready) == 1
    assert state.phase is Phase.READY
    world.events.clear()
    await world.ail(Check.READINESS, 200)
    well = await world.probed(Check.READINESS, well=True)
    assert (well.times, well.unready) == (2, ())
    assert world.engine.instances()[0].unready == ()


async def test_after_a_restart_probes_go_on_from_what_was_known(world: World) -> None:
    await world.engine.start(watched(await world.spec("serve", probe=PROBE), liveness=LIVE, readiness=READYZ))
    await world.probed(Check.LIVENESS, well=True)
    await world.ail(Check.READINESS, 503)
    await world.probed(Check.READINESS, well=False)
    await world.engine.close()
    world.events.clear()
    await world.reopen()
    assert len(world.engine.instances()[0].unready) == 1
    await world.ail(Check.READINESS, 200)
    assert (await world.probed(Check.READINESS, well=True)).unready == ()
    await world.ail(Check.LIVENESS, 503)
    await world.until(Exited)
    assert not [e for e in world.events if isinstance(e, Probed) and e.well and e.check is Check.LIVENESS], "no news"


async def test_what_stops_is_not_asked_any_more(world: World) -> None:
    await world.engine.start(watched(await world.spec("serve", probe=PROBE), liveness=LIVE))
    await world.probed(Check.LIVENESS, well=True)
    await world.ail(Check.LIVENESS, 503)
    await world.engine.stop("i1", grace=10)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit.ok
    assert [e.well for e in world.events if isinstance(e, Probed) and e.check is Check.LIVENESS] == [True]


async def test_a_throttled_instance_has_its_cpu_while_it_is_asked(world: World) -> None:
    """It spins all the time: with nearly no CPU, it would answer too late."""
    slow = replace(LIVE, period=0.5, timeout=0.4)
    await world.engine.start(watched(await world.spec("spin", probe=PROBE), liveness=slow))
    await world.until(Ready)
    world.engine.allot("i1", THROTTLED)
    await world.probed(Check.LIVENESS, well=True)
    await asyncio.sleep(3)
    assert not [e for e in world.events if isinstance(e, Exited)]


# Volumes


async def serve_with_files(world: World, **files: bytes) -> Ready:
    spec = await world.spec("serve", probe=PROBE)
    keys = FilesVolume("keys", {name: (content, 0o444) for name, content in files.items()})
    [container] = spec.containers
    container = replace(container, mounts=(Mount("keys", "/keys"),))
    await world.engine.start(replace(spec, containers=(container,), volumes=(keys,)))
    ready = await world.until(Ready)
    assert isinstance(ready, Ready)
    return ready


async def test_files_are_there_and_are_exchanged_for_others(world: World) -> None:
    ready = await serve_with_files(world, a=b"1", b=b"2")
    assert [await world.look(ready, "keys", name) for name in "abc"] == [b"1", b"2", None]
    await world.engine.refresh_files("i1", "keys", {"a": (b"new", 0o444), "c": (b"3", 0o444)})
    assert [await world.look(ready, "keys", name) for name in "abc"] == [b"new", None, b"3"]


async def test_files_can_be_exchanged_after_a_restart(world: World) -> None:
    ready = await serve_with_files(world, a=b"1")
    await world.engine.close()
    await world.reopen()
    await world.engine.refresh_files("i1", "keys", {"a": (b"new", 0o444)})
    assert await world.look(ready, "keys", "a") == b"new"


async def test_files_of_what_is_not_there_are_nobodys(world: World) -> None:
    ready = await serve_with_files(world, a=b"1")
    await world.engine.refresh_files("i1", "others", {"a": (b"new", 0o444)})
    await world.engine.refresh_files("i2", "keys", {"a": (b"new", 0o444)})
    assert await world.look(ready, "keys", "a") == b"1"
    await world.engine.stop("i1", 0)
    await world.until(Exited)
    await world.engine.refresh_files("i1", "keys", {"a": (b"new", 0o444)})


async def test_an_instance_with_volumes_of_every_kind_starts(world: World, tmp_path: Path) -> None:
    volumes: list[Volume] = [MemoryVolume("memory", 1 << 20), DiskVolume("disk", 8 << 20)]
    volumes += [FilesVolume("files", {}), FolderVolume("folder", str(tmp_path))]
    spec = await world.spec("serve", probe=PROBE)
    mounts = tuple(Mount(volume.name, f"/{volume.name}") for volume in volumes)
    containers = tuple(replace(container, mounts=mounts) for container in spec.containers)
    await world.engine.start(replace(spec, containers=containers, volumes=tuple(volumes)))
    await world.until(Ready)


# Stopping


async def test_stop_lets_the_container_end_by_itself(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE))
    await world.until(Ready)
    await world.engine.stop("i1", grace=10)
    assert world.engine.instances()[0].phase is Phase.STOPPING
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)


async def test_a_container_that_ignores_sigterm_is_killed_after_the_grace_period(world: World) -> None:
    await world.engine.start(await world.spec("hang"))
    await world.until(Ready)
    began = asyncio.get_running_loop().time()
    await world.engine.stop("i1", grace=0.3)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(signal=9)
    assert 0.25 < asyncio.get_running_loop().time() - began < 60


async def test_a_second_stop_can_shorten_the_grace_period(world: World) -> None:
    await world.engine.start(await world.spec("hang"))
    await world.until(Ready)
    await world.engine.stop("i1", grace=3600)
    await world.engine.stop("i1", grace=0)
    await world.until(Exited)
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_an_instance_stopped_while_it_starts_is_never_ready(world: World) -> None:
    await world.engine.start(await world.spec("hang", probe=PROBE))
    await world.engine.stop("i1", grace=0)
    await world.until(Exited)
    assert [type(event) for event in world.events] == [Exited]


async def test_stopping_the_unknown_and_the_exited_is_no_error(world: World) -> None:
    await world.engine.stop("nobody")
    await world.engine.start(await world.spec("fail"))
    await world.until(Exited)
    await world.engine.stop("i1")
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_only_an_exited_instance_can_be_removed(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE))
    await world.until(Ready)
    with pytest.raises(FailedPrecondition):
        await world.engine.remove("i1")
    await world.engine.stop("i1", 10)
    await world.until(Exited)
    await world.engine.remove("i1")
    await world.engine.remove("i1")
    assert not world.engine.instances()


# Several containers


async def test_it_is_ready_when_all_its_containers_are_well(world: World) -> None:
    web = await world.container("web", "serve", startup=PROBE)
    side = await world.container("side", "slow", startup=SIDE)
    await world.engine.start(InstanceSpec("i1", (web, side), port=8080))
    ready = await world.until(Ready)
    [state] = world.engine.instances()
    assert isinstance(ready, Ready) and ready.address is not None and ready.address.port == 8080
    assert ready.at - state.started > 0.9 * SLOW
    await world.engine.stop("i1")
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_a_container_begins_when_those_that_it_depends_on_are_well(world: World) -> None:
    main = await world.container("main", "talk", depends_on=("side",))
    side = await world.container("side", "slow", startup=SIDE)
    await world.engine.start(InstanceSpec("i1", (main, side), main="main"))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=0), "main")
    [state] = world.engine.instances()
    lines = [line for line in await world.engine.logs({}) if line.container == "main"]
    assert len(lines) == 2
    assert lines[0].time - state.started > 0.9 * SLOW


async def test_whichever_ends_takes_the_others_with_it(world: World) -> None:
    web = await world.container("web", "serve", startup=PROBE)
    side = await world.container("side", "fail")
    await world.engine.start(InstanceSpec("i1", (web, side), port=8080))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=7), "side")
    [state] = world.engine.instances()
    assert (state.phase, state.exit, state.container) == (Phase.EXITED, Exit(code=7), "side")


async def test_who_does_not_follow_is_killed_after_the_grace_period(world: World) -> None:
    hang, side = await world.container("hang", "hang"), await world.container("side", "done")
    await world.engine.start(InstanceSpec("i1", (hang, side), grace=0.3))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=0), "side")


async def test_beside_a_main_container_others_may_end_well(world: World) -> None:
    first = await world.container("first", "done")
    main = await world.container("main", "talk", depends_on=("first", "side"))
    side = await world.container("side", "slow", startup=SIDE)
    await world.engine.start(InstanceSpec("i1", (first, main, side), main="main"))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=0), "main")
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_beside_a_main_container_others_may_not_fail(world: World) -> None:
    main, side = await world.container("main", "hang"), await world.container("side", "fail")
    await world.engine.start(InstanceSpec("i1", (main, side), main="main", grace=0.3))
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=7), "side")


async def test_a_stopped_task_ends_as_its_main_container_does(world: World) -> None:
    main, side = await world.container("main", "hang"), await world.container("side", "sidecar")
    await world.engine.start(InstanceSpec("i1", (main, side), main="main"))
    await world.until(Ready)
    await world.engine.stop("i1", grace=0.3)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(signal=9), "main")


async def test_what_has_not_begun_when_it_is_stopped_never_does(world: World) -> None:
    main = await world.container("main", "talk", depends_on=("side",))
    side = await world.container("side", "hang", startup=SIDE)
    await world.engine.start(InstanceSpec("i1", (main, side), main="main"))
    await world.engine.stop("i1", grace=0.1)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and not exited.exit.ok
    assert not [line for line in await world.engine.logs({}) if line.container == "main"]
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Exited]


async def test_a_container_that_is_not_well_in_time_fails_them_all(world: World) -> None:
    web = await world.container("web", "serve", startup=PROBE)
    side = await world.container("side", "hang", startup=replace(SIDE, period=0.3, timeout=0.3))
    await world.engine.start(InstanceSpec("i1", (web, side), port=8080))
    await world.until(Exited)
    *_, failed, exited = world.events
    assert isinstance(failed, Probed) and (failed.container, failed.well) == ("side", False)
    assert "9000" in failed.message
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(signal=9), "side")


async def test_of_several_one_that_cannot_start_is_enough(world: World) -> None:
    web, broken = await world.container("web", "serve"), await world.container("side", "broken")
    with pytest.raises(Invalid):
        await world.engine.start(InstanceSpec("i1", (web, broken)))
    assert not world.engine.instances() and not world.events


async def test_a_start_goes_on_over_a_restart_of_who_ordered_it(world: World) -> None:
    web = await world.container("web", "serve", startup=PROBE, depends_on=("side",))
    side = await world.container("side", "slow", startup=SIDE)
    await world.engine.start(InstanceSpec("i1", (web, side), port=8080))
    await world.engine.close()
    await world.reopen()
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.address is not None and ready.address.port == 8080


async def test_who_comes_after_a_restart_sees_what_was_told_to_end(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE))
    await world.engine.start(await world.spec("talk", "i2"))
    await world.until(Ready)
    await world.until(Exited, "i2")
    assert [state.told for state in world.engine.instances()] == [None, None]
    await world.engine.stop("i1")
    await world.until(Exited)
    await world.engine.close()
    await world.reopen()
    told = {state.id: state for state in world.engine.instances()}
    assert told["i2"].told is None
    asked, ended = told["i1"].told, told["i1"].exited
    assert asked is not None and ended is not None and told["i1"].started <= asked <= ended


async def test_what_ended_while_nobody_watched_takes_the_others_with_it(world: World) -> None:
    web = await world.container("web", "serve", startup=PROBE)
    side = await world.container("side", "fail", startup=None)
    main = await world.container("hang", "hang")
    await world.engine.start(InstanceSpec("i1", (web, main, side), port=8080, grace=0.3))
    await world.engine.close()
    await asyncio.sleep(0.5)
    await world.reopen()
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and (exited.exit, exited.container) == (Exit(code=7), "side")


# CPU


async def test_an_instance_has_the_cpu_that_it_is_allotted(world: World) -> None:
    await world.engine.start(await world.spec("spin", probe=PROBE))
    await world.until(Ready)
    await world.uses_cpu()
    world.engine.allot("i1", THROTTLED)
    assert await world.cpu_share() < 5 * THROTTLED
    world.engine.allot("i1", None)
    await world.uses_cpu()


async def test_a_start_may_use_more_than_what_comes_after(world: World) -> None:
    spec = await world.spec("spin", probe=PROBE)
    await world.engine.start(replace(spec, containers=(replace(spec.containers[0], cpu=THROTTLED, start_cpu=1),)))
    await world.until(Ready)
    await world.uses_cpu()
    world.engine.allot("i1", None)
    assert await world.cpu_share() < 5 * THROTTLED


async def test_cpu_of_nobody(world: World) -> None:
    world.engine.allot("nobody", 1)
    assert await world.engine.cpu_used(["nobody"]) == {}
    await world.engine.start(await world.spec("fail"))
    await world.until(Exited)
    world.engine.allot("i1", 1)
    assert await world.engine.cpu_used(["i1"]) == {}


async def test_a_throttled_instance_ends_as_fast_as_any(world: World) -> None:
    await world.engine.start(await world.spec("spin", probe=PROBE))
    await world.until(Ready)
    world.engine.allot("i1", THROTTLED)
    await world.engine.stop("i1", grace=60)
    world.engine.allot("i1", THROTTLED)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)


async def test_whoever_throttled_is_gone_and_so_is_the_throttling(world: World) -> None:
    await world.engine.start(await world.spec("spin", probe=PROBE))
    await world.until(Ready)
    world.engine.allot("i1", THROTTLED)
    await world.engine.close()
    await world.reopen()
    await world.uses_cpu()


# Output


async def test_lines_have_their_stream_and_the_labels_of_the_instance(world: World) -> None:
    await world.engine.start(await world.spec("talk", job="j", task="0"))
    await world.until(Exited)
    lines = await world.engine.logs({"job": "j"})
    assert [line.stream for line in lines] == ["stdout", "stderr"]
    assert {line.instance for line in lines} == {"i1"}
    assert all(line.labels == {"job": "j", "task": "0"} for line in lines)
    assert [line.time for line in lines] == sorted(line.time for line in lines)


async def test_logs_are_chosen_by_labels_time_and_count(world: World) -> None:
    for number in range(3):
        await world.engine.start(await world.spec("talk", f"i{number}", job="j", task=str(number)))
        await world.until(Exited, f"i{number}")
    everything = await world.engine.logs({"job": "j"})
    assert len(everything) == 6
    assert await world.engine.logs({"job": "other"}) == []
    assert {line.instance for line in await world.engine.logs({"job": "j", "task": "1"})} == {"i1"}
    assert list(await world.engine.logs({"job": "j"}, limit=2)) == list(everything[-2:])
    assert await world.engine.logs({"job": "j"}, limit=0) == []
    third = everything[2].time
    assert [line for line in everything if line.time > third] == list(await world.engine.logs({}, since=third))
    assert [line for line in everything if line.time <= third] == list(await world.engine.logs({}, until=third))


async def taken(world: World, seconds: float = 30) -> dict[str, list[str]]:
    """All that was written, taken out of the engine in small steps, until nothing more comes."""
    found: dict[str, list[str]] = {}
    positions: dict[str, str] = {}
    output, woken = world.engine.output, asyncio.Event()
    keys = output.changed()
    while True:
        while keys:
            key = keys.pop()
            read = output.read(key, positions.get(key, ""), SystemClock().now())
            if read is None or not (safe := [n for n, line in enumerate(read.lines) if line.position]):
                continue
            until = safe[len(safe) // 2]  # the rest comes again
            found.setdefault(read.instance, []).extend(line.text for line in read.lines[: until + 1])
            positions[key] = read.lines[until].position
            output.settled(key, positions[key])
            keys.add(key)
        try:
            async with asyncio.timeout(0.5):
                output.watch(woken.set)
                await woken.wait()
        except TimeoutError:
            return found
        woken.clear()
        keys |= output.changed()


async def test_output_can_be_taken_line_by_line_each_once(world: World) -> None:
    for id in ("i1", "i2"):
        await world.engine.start(await world.spec("talk", id, job="j"))
    for id in ("i1", "i2"):
        await world.until(Exited, id)
    written: dict[str, list[str]] = {}
    lines = await world.engine.logs({"job": "j"})
    for line in lines:
        written.setdefault(line.instance, []).append(line.text)
    assert {id: sorted(texts) for id, texts in (await taken(world)).items()} == {
        id: sorted(texts) for id, texts in written.items()
    }


async def test_output_of_an_instance_that_was_removed_is_gone_once_it_was_taken(world: World) -> None:
    await world.engine.start(await world.spec("talk", job="j"))
    await world.until(Exited)
    await world.engine.remove("i1")
    [key] = world.engine.output.changed()
    read = world.engine.output.read(key, "", SystemClock().now())
    assert read is not None and read.ended and len(read.lines) == 2
    last = read.lines[-1].position
    assert world.engine.output.read(key, last, SystemClock().now()) is None
    assert world.engine.output.read(key, "", SystemClock().now()) is None


async def test_an_engine_that_was_opened_again_tells_of_all_output(world: World) -> None:
    await world.engine.start(await world.spec("talk", job="j"))
    await world.until(Exited)
    [key] = world.engine.output.changed()
    before = world.engine.output.read(key, "", SystemClock().now())
    assert before is not None
    await world.engine.close()
    await world.reopen()
    assert key in world.engine.output.changed()
    after = world.engine.output.read(key, before.lines[0].position, SystemClock().now())
    assert after is not None and list(after.lines) == list(before.lines[1:])


# Restarting


async def test_instances_go_on_while_the_engine_is_closed(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE, service="hello"))
    ready = await world.until(Ready)
    await world.engine.close()
    await world.reopen()
    [state] = world.engine.instances()
    assert isinstance(ready, Ready)
    assert (state.id, state.phase, state.labels, state.address) == (
        "i1",
        Phase.READY,
        {"service": "hello"},
        ready.address,
    )
    await world.engine.stop("i1", 10)
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)
    assert [type(event) for event in world.events if not isinstance(event, Probed)] == [Ready, Exited]


async def test_who_speaks_is_known_by_the_address_while_it_runs_also_to_those_who_come_later(world: World) -> None:
    await world.engine.start(await world.spec("serve", probe=PROBE, service="hello"))
    ready = await world.until(Ready)
    assert isinstance(ready, Ready) and ready.address is not None
    for _ in range(2):
        state = world.engine.at(ready.address.host)
        assert state is not None and (state.id, state.labels) == ("i1", {"service": "hello"})
        await world.engine.close()
        await world.reopen()
    assert world.engine.at("192.0.2.1") is None
    await world.engine.stop("i1")
    await world.until(Exited)
    assert world.engine.at(ready.address.host) is None


async def test_an_end_that_nobody_saw_is_told_at_the_next_open_and_only_then(world: World) -> None:
    spec = await world.spec("talk", job="j")
    await world.engine.start(spec)
    await world.engine.close()
    await asyncio.sleep(0.5)
    await world.reopen()
    exited = await world.until(Exited)
    assert isinstance(exited, Exited) and exited.exit == Exit(code=0)
    assert len(await world.engine.logs({"job": "j"})) == 2
    await world.engine.close()
    told = len(world.events)
    await world.reopen()
    await asyncio.sleep(0.1)
    assert len(world.events) == told
    assert [state.phase for state in world.engine.instances()] == [Phase.EXITED]
    with pytest.raises(AlreadyExists):
        await world.engine.start(spec)
