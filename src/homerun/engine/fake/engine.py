"""An engine without containers: every instance follows the script of its image, on the event loop's clock.

It ships with homerun because it is how everything above the engine is tested, and because a daemon on it is a place
to try the API without root. Under a virtual clock (looptime) a day passes in milliseconds and is the same every time.
The object plays both the engine and the host: instances live on over `close` and the next `open`, as real ones do.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from homerun.core.health import Watch
from homerun.engine.base import (
    Address,
    ContainerSpec,
    Event,
    Exit,
    Exited,
    Image,
    ImageNotFound,
    ImageUnusable,
    InstanceSpec,
    InstanceState,
    Listener,
    LogLine,
    Origin,
    Phase,
    Probed,
    Ready,
)
from homerun.engine.fake.instance import Container, Instance
from homerun.engine.fake.output import FakeOutput
from homerun.engine.fake.script import KILLED, Behaviour, Script, image_of
from homerun.lib.clock import Clock
from homerun.lib.errors import AlreadyExists, FailedPrecondition, NotFound
from homerun.model.probe import Check


class FakeEngine:
    """`images`: reference -> behaviour. Tests may add to it and change it at any time, as people push images."""

    def __init__(self, clock: Clock, images: Mapping[str, Behaviour] | None = None) -> None:
        self.images: dict[str, Behaviour] = dict(images or {})
        self.started: list[InstanceSpec] = []
        """Every spec that was started, in order, for tests to look at."""
        self.prepared: dict[str, InstanceSpec] = {}
        """What is made ahead now, by id."""
        self.checkpoints: dict[str, InstanceSpec] = {}
        """What was written down, by name."""
        self._clock = clock
        self._listener: Listener | None = None
        self._pulled: dict[str, tuple[Image, Behaviour]] = {}
        self._used: set[str] = set()
        self._instances: dict[str, Instance] = {}
        self._untold: deque[Event] = deque()
        """What happened while nobody listened."""
        self._logs: list[LogLine] = []
        self.output = FakeOutput(self._ended, lambda id: id not in self._instances)
        self._addresses = 0

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self.output.reopen()
        for id in self._instances:
            self.allot(id, None)
        while self._untold:
            listener(self._untold.popleft())

    async def close(self) -> None:
        """Who comes next sees what was written down: that one was told to end, and not who waits for that."""
        self._listener = None
        for instance in self._instances.values():
            if instance.state.phase is Phase.STOPPING:
                phase = Phase.STARTING if instance.state.ready is None else Phase.READY
                instance.state = replace(instance.state, phase=phase)
        self.prepared.clear()

    async def pull(self, reference: str) -> Image:
        if reference in self._pulled:
            return self._pulled[reference][0]
        behaviour = self.images.get(reference)
        if behaviour is None:
            raise ImageNotFound(
                f"image {reference} does not exist: known are {', '.join(sorted(self.images)) or 'none'}"
            )
        script = behaviour if isinstance(behaviour, Script) else Script()
        image = image_of(reference, script)
        if image.pinned not in self._pulled:
            await asyncio.sleep(script.pull)
        if script.unusable:
            raise ImageUnusable(script.unusable)
        self._pulled[image.pinned] = (image, behaviour)
        return image

    async def prepare(self, spec: InstanceSpec) -> None:
        scripts = self._admit(spec)
        self.prepared[spec.id] = spec
        try:
            await self._create(spec, scripts)
        except BaseException:
            self.prepared.pop(spec.id, None)
            raise

    async def dismiss(self, id: str) -> None:
        self.prepared.pop(id, None)

    async def checkpoint(self, spec: InstanceSpec) -> None:
        scripts = self._admit(spec)
        await self._create(spec, scripts)
        await asyncio.sleep(max(script.ready for script in scripts))
        for script in scripts:
            if script.checkpoint_error is not None:
                raise script.checkpoint_error
        self.checkpoints[spec.checkpoint] = replace(spec, id="", labels={})

    async def drop_checkpoint(self, name: str) -> None:
        self.checkpoints.pop(name, None)

    async def start(self, spec: InstanceSpec) -> None:
        prepared = self.prepared.pop(spec.id, None) == spec
        restored = self.checkpoints.get(spec.checkpoint) == replace(spec, id="", labels={})
        scripts = self._admit(spec)
        self._used.add(spec.id)
        if not prepared:
            try:
                await self._create(spec, scripts)
            except BaseException:
                self._used.discard(spec.id)
                raise
        state = InstanceState(spec.id, dict(spec.labels), Phase.STARTING, self._clock.now())
        self._addresses += 1
        high, low = divmod(self._addresses, 256)
        instance = self._instances[spec.id] = Instance(spec, scripts, state, f"10.0.{high % 256}.{low}")
        instance.origin = Origin.STANDBY if prepared else Origin.CHECKPOINT if restored else Origin.IMAGE
        self.started.append(spec)
        for container, script in list(instance.waiting()):
            self._run(instance, container, script)

    def _admit(self, spec: InstanceSpec) -> list[Script]:
        if spec.id in self._used or spec.id in self.prepared:
            raise AlreadyExists(f"instance {spec.id} exists or existed: choose an id that was never used")
        return [self._script(spec, container.image) for container in spec.containers]

    async def _create(self, spec: InstanceSpec, scripts: Sequence[Script]) -> None:
        await asyncio.sleep(max(s.start for c, s in zip(spec.containers, scripts, strict=True) if not c.depends_on))
        for script in scripts:
            if script.start_error is not None:
                raise script.start_error

    def _script(self, spec: InstanceSpec, image: str) -> Script:
        if image not in self._pulled:
            raise NotFound(f"image {image} is not here: pull it before starting {spec.id}")
        _, behaviour = self._pulled[image]
        return behaviour if isinstance(behaviour, Script) else behaviour(spec)

    async def stop(self, id: str, grace: float = 10) -> None:
        instance = self._instances.get(id)
        if instance is not None and instance.state.phase is not Phase.EXITED:
            if instance.state.told is None and instance.first is None:
                instance.state = replace(instance.state, told=self._clock.now())
            self._terminate(instance, grace)

    def _terminate(self, instance: Instance, grace: float) -> None:
        self.allot(instance.state.id, None)
        instance.state = replace(instance.state, phase=Phase.STOPPING)
        instance.stop_births()
        for container in instance.running:
            script = container.script
            exit, delay = (KILLED, grace) if grace < script.stop_after else (script.on_term, script.stop_after)
            pending = container.timers.get("stop")
            if pending is not None and pending.when() <= asyncio.get_running_loop().time() + delay:
                continue
            container.cancel("ready", *Check)
            container.after(delay, "stop", functools.partial(self._end, instance, container, exit))
        if not instance.running:
            self._conclude(instance)

    async def remove(self, id: str) -> None:
        instance = self._instances.get(id)
        if instance is None:
            return
        if instance.state.phase is not Phase.EXITED:
            raise FailedPrecondition(f"instance {id} is {instance.state.phase}: stop it, and remove it once it exited")
        del self._instances[id]
        self.output.touch(id)

    def allot(self, id: str, cores: float | None) -> None:
        instance = self._instances.get(id)
        if instance is not None and instance.state.phase is Phase.READY:
            instance.allot(instance.spec.cpu if cores is None else cores)

    async def refresh_files(self, id: str, volume: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        instance = self._instances.get(id)
        if instance is not None and instance.state.phase is not Phase.EXITED and volume in instance.files:
            instance.files[volume] = dict(files)

    async def cpu_used(self, ids: Iterable[str]) -> Mapping[str, float]:
        found = {id: self._instances[id] for id in ids if id in self._instances}
        return {id: i.cpu_used() for id, i in found.items() if i.state.phase is not Phase.EXITED}

    def instances(self) -> Sequence[InstanceState]:
        return [instance.state for instance in self._instances.values()]

    def at(self, host: str) -> InstanceState | None:
        running = (each for each in self._instances.values() if each.state.phase is not Phase.EXITED)
        return next((each.state for each in running if each.host == host), None)

    async def logs(
        self,
        labels: Mapping[str, str],
        *,
        since: float = 0,
        until: float | None = None,
        limit: int | None = None,
    ) -> Sequence[LogLine]:
        found = [
            line
            for line in self._logs
            if line.time > since and (until is None or line.time <= until) and _carries(line.labels, labels)
        ]
        found.sort(key=lambda line: line.time)
        return found if limit is None else found[max(0, len(found) - limit) :]

    # What happens to instances from outside, and what tests ask about; not part of the port.

    def pinned(self, reference: str) -> Sequence[str]:
        """Pinned references of all images that were pulled as `reference`, oldest first."""
        return [pinned for pinned, (image, _) in self._pulled.items() if image.reference == reference]

    def cores(self, id: str) -> float:
        """What it is allotted now."""
        return self._instances[id].cores

    def files(self, id: str, volume: str) -> Mapping[str, tuple[bytes, int]]:
        """What its containers find in a FilesVolume."""
        return self._instances[id].files[volume]

    def kill(self, id: str) -> None:
        """It dies by SIGKILL, for no reason that the engine knows."""
        instance = self._instances[id]
        for container in instance.running:
            self._end(instance, container, KILLED)

    def crash(self, id: str, exit: Exit, container: str = "") -> None:
        """`container` (or the first) ends now, with `exit`; what else the instance has follows."""
        instance = self._instances[id]
        found = instance.containers[container or instance.spec.containers[0].name]
        if found.exit is None:
            self._end(instance, found, exit)

    def ail(self, id: str, wrong: str, *checks: Check, container: str = "") -> None:
        """From now on probes of `container` (or the first), or only these, find that `wrong`; empty: it is well."""
        instance = self._instances[id]
        found = instance.containers[container or instance.spec.containers[0].name]
        found.wrong.update(dict.fromkeys(checks or Check, wrong))

    def vanish(self, id: str) -> None:
        """The machine went down and the engine came back without it: it is unknown and no event ever comes."""
        self._instances.pop(id).cancel()

    def write(self, id: str, text: str, stream: str = "stdout", container: str = "") -> None:
        """It writes a line now: `container`, or the first."""
        spec = self._instances[id].spec
        name = container or spec.containers[0].name
        line = LogLine(self._clock.now(), id, stream, text, spec.labels, name)
        self._logs.append(line)
        self.output.write(line, alone=len(spec.containers) == 1)

    def _ended(self, id: str) -> bool:
        instance = self._instances.get(id)
        return instance is None or instance.state.phase is Phase.EXITED

    def _run(self, instance: Instance, spec: ContainerSpec, script: Script) -> None:
        instance.births.pop(spec.name, None)
        instance.settle()
        container = instance.containers[spec.name] = Container(spec, script)
        self._write_due(instance, container)
        if script.exit is not None:
            container.after(script.exit_after, "exit", functools.partial(self._end, instance, container, script.exit))
        goes_on = instance.origin is Origin.CHECKPOINT
        wait = 0 if spec.startup is None or goes_on else script.ready
        if script.exit is not None and script.exit_after <= wait:
            return  # never ready: two timers for the same moment would run in any order
        if spec.startup is not None and (script.probe_failure or wait > spec.startup.limit):
            container.after(spec.startup.limit, "ready", lambda: self._not_ready(instance, container))
        else:
            container.after(wait, "ready", lambda: self._well(instance, container))

    def _write_due(self, instance: Instance, container: Container) -> None:
        for line in container.due():
            self.write(instance.spec.id, line.text, line.stream, container.spec.name)
        if container.unwritten:
            at = container.unwritten[0].after
            container.after(container.remaining(at), "lines", lambda: self._write_due(instance, container))

    def _well(self, instance: Instance, container: Container) -> None:
        container.well = True
        if container.spec.startup is not None:
            self._tell(Probed(instance.spec.id, self._clock.now(), container.spec.name, Check.STARTUP, True, 1))
        self._go_on(instance)

    def _go_on(self, instance: Instance) -> None:
        """Something is well now: who waited for it begins, or the instance is ready."""
        if instance.state.phase is not Phase.STARTING:
            return
        loop = asyncio.get_running_loop()
        for spec, script in list(instance.waiting()):
            instance.births[spec.name] = loop.call_later(script.start, self._run, instance, spec, script)
        if not instance.well:
            return
        at = self._clock.now()
        address = self._address(instance)
        instance.state = replace(instance.state, phase=Phase.READY, ready=at, address=address)
        first = instance.scripts[0]
        begin = first.start if instance.origin is Origin.IMAGE else 0.0
        phases = {"start": begin, "listen": 0.0 if instance.origin is Origin.CHECKPOINT else first.ready}
        self._tell(Ready(instance.spec.id, address, at, phases, instance.origin))
        for container in instance.running if instance.state.phase is Phase.READY else ():
            for check, probe in container.spec.watched.items():
                self._ask_when_due(instance, container, check, Watch(probe, container.born, loop.time()))

    def _ask_when_due(self, instance: Instance, container: Container, check: Check, watch: Watch) -> None:
        wait = max(watch.due - asyncio.get_running_loop().time(), 0.0)
        container.after(wait, check, functools.partial(self._ask, instance, container, check, watch))

    def _ask(self, instance: Instance, container: Container, check: Check, watch: Watch) -> None:
        wrong, id, name = container.wrong.get(check, ""), instance.spec.id, container.spec.name
        verdict = watch.answered(not wrong, asyncio.get_running_loop().time())
        self._ask_when_due(instance, container, check, watch)
        if verdict is None:
            return
        if check is Check.READINESS:
            others = tuple(other for other in instance.state.unready if other != name)
            instance.state = replace(instance.state, unready=others if verdict.well else (*others, name))
        now, unready = self._clock.now(), instance.state.unready
        self._tell(Probed(id, now, name, check, verdict.well, verdict.times, wrong, unready=unready))
        if check is Check.LIVENESS and not verdict.well:
            instance.first = (name, KILLED)
            self.kill(id)

    def _not_ready(self, instance: Instance, container: Container) -> None:
        probe = container.spec.startup
        assert probe is not None
        message = container.script.probe_failure or f"nothing listened on port {probe.port} within {probe.limit:g} s"
        wrong = "Connection failed with status DEADLINE_EXCEEDED."
        times = probe.failure_threshold
        name, now = container.spec.name, self._clock.now()
        self._tell(Probed(instance.spec.id, now, name, Check.STARTUP, False, times, wrong, message))
        if container.exit is None:  # the listener may have killed it already
            instance.first = (container.spec.name, KILLED)
            self.kill(instance.spec.id)

    def _end(self, instance: Instance, container: Container, exit: Exit) -> None:
        self._write_due(instance, container)
        container.cancel()
        instance.settle()
        container.exit = exit
        name, spec = container.spec.name, instance.spec
        stopping = instance.state.phase is Phase.STOPPING
        decides = not spec.main or name == spec.main or not (exit.ok or stopping)
        if decides and instance.first is None:
            instance.first = (name, exit)
        if decides and not stopping:
            self._terminate(instance, spec.grace)
        elif not stopping:
            self._go_on(instance)
        elif not instance.running:
            self._conclude(instance)

    def _conclude(self, instance: Instance) -> None:
        instance.cancel()
        at, spec = self._clock.now(), instance.spec
        first, exit = instance.first or (spec.main, KILLED)  # stopped before it began
        instance.state = replace(instance.state, phase=Phase.EXITED, exited=at, exit=exit, container=first)
        self.output.touch(spec.id)
        self._tell(Exited(spec.id, at, exit, first))

    def _address(self, instance: Instance) -> Address | None:
        given = next((script.address for script in instance.scripts if script.address is not None), None)
        if instance.spec.port is None or given is not None:
            return given
        return Address(instance.host, instance.spec.port)

    def _tell(self, event: Event) -> None:
        if self._listener is None:
            self._untold.append(event)
        else:
            self._listener(event)

    def __repr__(self) -> str:
        phases = [instance.state.phase.value for instance in self._instances.values()]
        counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in Phase if phase in phases)
        return f"<FakeEngine {'closed' if self._listener is None else 'open'}: {counts or 'no instances'}>"


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()
