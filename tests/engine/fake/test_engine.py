"""FakeEngine: what the scripts promise, beyond the contract that all engines share."""

import asyncio

import pytest

from homerun.engine.base import (
    Address,
    ContainerSpec,
    Event,
    Exit,
    Exited,
    ImageNotFound,
    ImageUnusable,
    InstanceSpec,
    Phase,
    Probed,
    Ready,
)
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Behaviour, Line, Script
from homerun.lib.errors import AlreadyExists, FailedPrecondition, Internal, NotFound
from homerun.model.probe import Check, Probe
from tests.support.clock import EPOCH, LoopClock

pytestmark = pytest.mark.looptime(start=0)

IMAGE = "docker://registry.test/app:v1"
PROBE = Probe(port=8080)


async def engine_with(script: Behaviour) -> tuple[FakeEngine, list[Event]]:
    engine = FakeEngine(LoopClock(), {IMAGE: script})
    events: list[Event] = []
    await engine.open(events.append)
    await engine.pull(IMAGE)
    return engine, events


def spec(engine: FakeEngine, id: str = "i1", probe: Probe | None = PROBE, **labels: str) -> InstanceSpec:
    [pinned] = engine.pinned(IMAGE)
    return InstanceSpec(id, (ContainerSpec(pinned, startup=probe),), labels, None if probe is None else probe.port)


async def test_a_service_starts_serves_and_stops_on_time() -> None:
    engine, events = await engine_with(Script(start=2, ready=3, stop_after=4))
    await engine.start(spec(engine))
    assert engine.instances()[0].phase is Phase.STARTING
    await asyncio.sleep(10)
    await engine.stop("i1", grace=10)
    assert engine.instances()[0].phase is Phase.STOPPING
    await asyncio.sleep(10)
    address = Address("10.0.0.1", 8080)
    assert events == [
        Probed("i1", EPOCH + 5, "", Check.STARTUP, True, 1),
        Ready("i1", address, EPOCH + 5, {"start": 2, "listen": 3}),
        Exited("i1", EPOCH + 16, Exit(signal=15)),
    ]
    [state] = engine.instances()
    assert (state.started, state.ready, state.exited) == (EPOCH + 2, EPOCH + 5, EPOCH + 16)
    assert (state.phase, state.exit, state.address) == (Phase.EXITED, Exit(signal=15), address)
    assert repr(engine) == "<FakeEngine open: 1 exited>"


async def test_grace_shorter_than_the_shutdown_means_sigkill() -> None:
    engine, events = await engine_with(Script(stop_after=30, on_term=Exit(code=0)))
    await engine.start(spec(engine, "patient"))
    await engine.start(spec(engine, "hasty"))
    await engine.stop("patient", grace=60)
    await engine.stop("hasty", grace=5)
    await asyncio.sleep(60)
    assert {e.id: (e.exit, round(e.at - EPOCH, 2)) for e in events if isinstance(e, Exited)} == {
        "patient": (Exit(code=0), 30.04),
        "hasty": (Exit(signal=9), 5.04),
    }


async def test_a_second_stop_can_only_hurry() -> None:
    engine, events = await engine_with(Script(start=0, stop_after=100))
    await engine.start(spec(engine))
    await engine.stop("i1", grace=50)
    await engine.stop("i1", grace=70)
    await engine.stop("i1", grace=20)
    await asyncio.sleep(200)
    assert events == [Exited("i1", EPOCH + 20, Exit(signal=9))]


async def test_a_job_without_probe_is_ready_at_once_and_has_no_address() -> None:
    engine, events = await engine_with(Script(start=0, exit=Exit(code=3), exit_after=7))
    await engine.start(spec(engine, probe=None))
    await asyncio.sleep(10)
    ready, exited = events
    assert isinstance(ready, Ready) and ready.address is None
    assert exited == Exited("i1", EPOCH + 7, Exit(code=3))


async def test_what_exits_before_it_is_ready_is_never_ready() -> None:
    engine, events = await engine_with(Script(ready=1, exit=Exit(code=1), exit_after=1))
    await engine.start(spec(engine))
    await asyncio.sleep(10)
    assert [type(event) for event in events] == [Exited]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (Script(start=0, probe_failure="it listens on 127.0.0.1:8080 only"), "it listens on 127.0.0.1:8080 only"),
        (Script(start=0, ready=61), "nothing listened on port 8080 within 60 s"),
    ],
)
async def test_a_failed_probe_kills(script: Script, message: str) -> None:
    engine, events = await engine_with(script)
    await engine.start(spec(engine, probe=Probe(8080, period=20, failure_threshold=3)))
    await asyncio.sleep(100)
    wrong = "Connection failed with status DEADLINE_EXCEEDED."
    probed = Probed("i1", EPOCH + 60, "", Check.STARTUP, False, 3, wrong, message)
    assert events == [probed, Exited("i1", EPOCH + 60, Exit(signal=9))]


async def test_stopping_what_starts_means_it_never_becomes_ready() -> None:
    engine, events = await engine_with(Script(ready=5))
    await engine.start(spec(engine))
    await engine.stop("i1")
    await asyncio.sleep(10)
    assert [type(event) for event in events] == [Exited]


async def test_instances_live_on_while_control_is_away() -> None:
    engine, _ = await engine_with(Script(start=0, exit=Exit(code=0), exit_after=50))
    await engine.start(spec(engine, "old"))
    await asyncio.sleep(30)
    await engine.start(spec(engine, "young"))
    await engine.start(spec(engine, "gone"))
    await engine.close()
    assert repr(engine) == "<FakeEngine closed: 2 starting, 1 ready>"
    engine.vanish("gone")
    await asyncio.sleep(30)

    events: list[Event] = []
    await engine.open(events.append)
    assert {state.id: state.phase for state in engine.instances()} == {"old": Phase.EXITED, "young": Phase.READY}
    assert [type(e) for e in events if e.id == "old"] == [Exited]
    await asyncio.sleep(30)
    assert [e for e in events if isinstance(e, Exited)] == [
        Exited("old", EPOCH + 50, Exit(code=0)),
        Exited("young", EPOCH + 80, Exit(code=0)),
    ]
    again: list[Event] = []
    await engine.open(again.append)
    assert again == []


async def test_kill_and_crash_are_exits_like_others_and_happen_once() -> None:
    engine, events = await engine_with(Script(start=0, exit=Exit(code=0), exit_after=99))
    for id in ("killed", "crashed"):
        await engine.start(spec(engine, id))
    engine.kill("killed")
    engine.crash("crashed", Exit(signal=9, oom=True))
    engine.kill("crashed")
    await engine.stop("killed")
    await asyncio.sleep(200)
    assert events == [Exited("killed", EPOCH, Exit(signal=9)), Exited("crashed", EPOCH, Exit(signal=9, oom=True))]


async def test_what_vanished_is_unknown_and_silent() -> None:
    engine, events = await engine_with(Script(exit=Exit(code=0), exit_after=5))
    await engine.start(spec(engine))
    engine.vanish("i1")
    await asyncio.sleep(10)
    assert (engine.instances(), events) == ([], [])
    await engine.stop("i1")
    await engine.remove("i1")


async def test_a_behaviour_may_depend_on_the_spec() -> None:
    def by_task(spec: InstanceSpec) -> Script:
        return Script(exit=Exit(code=int(spec.labels["task"])), exit_after=1)

    engine, events = await engine_with(by_task)
    for task in range(3):
        await engine.start(spec(engine, f"t{task}", probe=None, task=str(task)))
    await asyncio.sleep(5)
    assert [e.exit.code for e in events if isinstance(e, Exited)] == [0, 1, 2]
    assert [s.id for s in engine.started] == ["t0", "t1", "t2"]


async def test_unknown_and_unusable_images_are_refused() -> None:
    engine = FakeEngine(LoopClock(), {"docker://arm": Script(unusable="docker://arm is for arm64, this host is amd64")})
    with pytest.raises(ImageNotFound, match="docker://nowhere does not exist"):
        await engine.pull("docker://nowhere")
    with pytest.raises(ImageUnusable, match="is for arm64"):
        await engine.pull("docker://arm")
    with pytest.raises(NotFound, match="pull it before"):
        await engine.start(InstanceSpec("i1", (ContainerSpec("docker://arm@sha256:00"),)))


async def test_a_tag_that_moves_gets_another_digest_and_the_old_one_still_runs() -> None:
    engine, events = await engine_with(Script(start=0, digest="sha256:one", exit=Exit(code=1)))
    first = await engine.pull(IMAGE)
    engine.images[IMAGE] = Script(start=0, digest="sha256:two", exit=Exit(code=2))
    second = await engine.pull(IMAGE)
    assert (first.pinned, second.pinned) == (
        "docker://registry.test/app@sha256:one",
        "docker://registry.test/app@sha256:two",
    )
    assert await engine.pull(first.pinned) == first
    for image in (first, second):
        await engine.start(InstanceSpec(image.digest, (ContainerSpec(image.pinned),)))
    await asyncio.sleep(5)
    assert [e.exit.code for e in events if isinstance(e, Exited)] == [1, 2]


async def test_a_pull_takes_time_once() -> None:
    loop = asyncio.get_running_loop()
    engine, _ = await engine_with(Script(pull=12))
    assert loop.time() == 12
    await engine.pull(IMAGE)
    assert loop.time() == 12


async def test_a_failed_or_cancelled_start_leaves_nothing_and_the_id_free() -> None:
    engine, events = await engine_with(Script(start=5, start_error=Internal("/app: no such file")))
    with pytest.raises(Internal, match="no such file"):
        await engine.start(spec(engine))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await engine.start(spec(engine))
    assert (engine.instances(), events) == ([], [])
    engine.images[IMAGE] = Script(digest="sha256:good")
    good = await engine.pull(IMAGE)
    await engine.start(InstanceSpec("i1", (ContainerSpec(good.pinned),)))
    with pytest.raises(AlreadyExists, match="i1"):
        await engine.start(InstanceSpec("i1", (ContainerSpec(good.pinned),)))


async def test_only_what_exited_can_be_removed_and_its_id_stays_used() -> None:
    engine, _ = await engine_with(Script())
    await engine.start(spec(engine))
    with pytest.raises(FailedPrecondition, match="i1 is starting"):
        await engine.remove("i1")
    engine.kill("i1")
    await engine.remove("i1")
    assert engine.instances() == []
    with pytest.raises(AlreadyExists):
        await engine.start(spec(engine))


async def test_lines_come_in_time_and_the_last_one_before_the_exit() -> None:
    lines = (Line("done", 4), Line("hello"), Line("oops", 2, "stderr"), Line("never", 5))
    engine, _ = await engine_with(Script(start=0, exit=Exit(code=0), exit_after=4, lines=lines))
    await engine.start(spec(engine, probe=None, job="j", task="0"))
    await engine.start(spec(engine, "i2", probe=None, job="j", task="1"))
    await asyncio.sleep(10)
    found = await engine.logs({"task": "0"})
    assert [(line.time - EPOCH, line.stream, line.text) for line in found] == [
        (0, "stdout", "hello"),
        (2, "stderr", "oops"),
        (4, "stdout", "done"),
    ]
    assert found[0].labels == {"job": "j", "task": "0"}
    assert len(await engine.logs({"job": "j"})) == 6
    assert [line.text for line in await engine.logs({"task": "1"}, since=EPOCH, until=EPOCH + 2)] == ["oops"]
    assert [line.text for line in await engine.logs({"task": "1"}, limit=1)] == ["done"]
    assert await engine.logs({"task": "1"}, limit=0) == []


async def test_a_script_can_point_to_a_real_address() -> None:
    here = Address("127.0.0.1", 4321)
    engine, events = await engine_with(Script(address=here))
    await engine.start(spec(engine))
    await asyncio.sleep(1)
    [_, ready] = events
    assert isinstance(ready, Ready) and ready.address == here
