"""An engine without containers: every instance follows the script of its image, on the event loop's clock.

It ships with homerun because it is how everything above the engine is tested, and because a daemon on it is a place
to try the API without root. Under a virtual clock (looptime) a day passes in milliseconds and is the same every time.
The object plays both the engine and the host: instances live on over `close` and the next `open`, as real ones do.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from homerun.engine.base import (
    Address,
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
    Phase,
    ProbeFailed,
    Ready,
)
from homerun.lib.clock import Clock
from homerun.lib.errors import AlreadyExists, FailedPrecondition, HomerunError, NotFound

TERMINATED = Exit(signal=15)
KILLED = Exit(signal=9)


@dataclass(frozen=True, slots=True)
class Line:
    """Something that the container writes, `after` seconds from its start."""

    text: str
    after: float = 0
    stream: str = "stdout"


@dataclass(frozen=True, slots=True)
class Script:
    """What instances of an image do. All times are seconds, counted from the start of the process."""

    pull: float = 0
    """How long a pull takes, the first time."""
    unusable: str = ""
    """If set, a pull raises ImageUnusable with this message."""
    digest: str = ""
    """Manifest digest; empty: made from the reference. Another one under the same tag is a new image."""
    start: float = 0.02
    """How long `start` takes."""
    start_error: HomerunError | None = None
    """If set, `start` raises it."""
    ready: float = 0.005
    """When the probe passes. Beyond the probe's limit it fails."""
    probe_failure: str = ""
    """If set, the probe never passes, and this is what it reports at its limit."""
    exit: Exit | None = None
    """How it ends by itself, at `exit_after`; None: it runs until it is stopped."""
    exit_after: float = 1
    on_term: Exit = TERMINATED
    """How it ends after SIGTERM, `stop_after` seconds later, unless the grace period is shorter."""
    stop_after: float = 0.01
    cpu: float = 0
    """Cores that it would use all the time; it gets what it is allotted of them."""
    lines: tuple[Line, ...] = ()
    address: Address | None = None
    """Where requests go; None: an address of its own that nothing listens on."""
    image: Image | None = None
    """Entrypoint, environment and so on; its reference and digest are filled in."""


Behaviour = Script | Callable[[InstanceSpec], Script]
"""A function sees the spec: what a task does may depend on its index and attempt."""


class _Instance:
    def __init__(self, spec: InstanceSpec, script: Script, state: InstanceState) -> None:
        self.spec = spec
        self.script = script
        self.state = state
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.unwritten = deque(sorted(script.lines, key=lambda line: line.after))
        self._loop = asyncio.get_running_loop()
        self._born = self._allotted = self._loop.time()
        self.cores = max(spec.container.cpu, spec.container.start_cpu)
        self._used = 0.0

    def allot(self, cores: float) -> None:
        self._used, self._allotted = self.cpu_used(), self._loop.time()
        self.cores = cores

    def cpu_used(self) -> float:
        return self._used + min(self.script.cpu, self.cores) * (self._loop.time() - self._allotted)

    def due(self) -> Iterator[Line]:
        """Take the lines whose time has come."""
        while self.unwritten and self.remaining(self.unwritten[0].after) < 1e-6:
            yield self.unwritten.popleft()

    def remaining(self, age: float) -> float:
        """Seconds until it is `age` old."""
        return self._born + age - self._loop.time()

    def after(self, seconds: float, what: str, then: Callable[[], None]) -> None:
        self.cancel(what)
        self.timers[what] = self._loop.call_later(seconds, then)

    def cancel(self, *what: str) -> None:
        for name in what or tuple(self.timers):
            if timer := self.timers.pop(name, None):
                timer.cancel()


class FakeEngine:
    """`images`: reference -> behaviour. Tests may add to it and change it at any time, as people push images."""

    def __init__(self, clock: Clock, images: Mapping[str, Behaviour] | None = None) -> None:
        self.images: dict[str, Behaviour] = dict(images or {})
        self.started: list[InstanceSpec] = []
        """Every spec that was started, in order, for tests to look at."""
        self._clock = clock
        self._listener: Listener | None = None
        self._pulled: dict[str, tuple[Image, Behaviour]] = {}
        self._used: set[str] = set()
        self._instances: dict[str, _Instance] = {}
        self._untold: deque[Event] = deque()
        """What happened while nobody listened."""
        self._logs: list[LogLine] = []
        self._addresses = 0

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        for id in self._instances:
            self.allot(id, None)
        while self._untold:
            listener(self._untold.popleft())

    async def close(self) -> None:
        self._listener = None

    async def pull(self, reference: str) -> Image:
        if reference in self._pulled:
            return self._pulled[reference][0]
        behaviour = self.images.get(reference)
        if behaviour is None:
            raise ImageNotFound(
                f"image {reference} does not exist: known are {', '.join(sorted(self.images)) or 'none'}"
            )
        script = behaviour if isinstance(behaviour, Script) else Script()
        image = _image(reference, script)
        if image.pinned not in self._pulled:
            await asyncio.sleep(script.pull)
        if script.unusable:
            raise ImageUnusable(script.unusable)
        self._pulled[image.pinned] = (image, behaviour)
        return image

    async def start(self, spec: InstanceSpec) -> None:
        if spec.id in self._used:
            raise AlreadyExists(f"instance {spec.id} exists or existed: choose an id that was never used")
        if spec.container.image not in self._pulled:
            raise NotFound(f"image {spec.container.image} is not here: pull it before starting {spec.id}")
        _, behaviour = self._pulled[spec.container.image]
        script = behaviour if isinstance(behaviour, Script) else behaviour(spec)
        self._used.add(spec.id)
        try:
            await asyncio.sleep(script.start)
            if script.start_error is not None:
                raise script.start_error
        except BaseException:
            self._used.discard(spec.id)
            raise
        self._run(spec, script)

    async def stop(self, id: str, grace: float = 10) -> None:
        instance = self._instances.get(id)
        if instance is None or instance.state.phase is Phase.EXITED:
            return
        script = instance.script
        exit, delay = (KILLED, grace) if grace < script.stop_after else (script.on_term, script.stop_after)
        pending = instance.timers.get("stop")
        if pending is not None and pending.when() <= asyncio.get_running_loop().time() + delay:
            return
        instance.cancel("ready")
        self.allot(id, None)
        instance.state = replace(instance.state, phase=Phase.STOPPING)
        instance.after(delay, "stop", lambda: self.crash(id, exit))

    async def remove(self, id: str) -> None:
        instance = self._instances.get(id)
        if instance is None:
            return
        if instance.state.phase is not Phase.EXITED:
            raise FailedPrecondition(f"instance {id} is {instance.state.phase}: stop it, and remove it once it exited")
        del self._instances[id]

    def allot(self, id: str, cores: float | None) -> None:
        instance = self._instances.get(id)
        if instance is not None and instance.state.phase is Phase.READY:
            instance.allot(instance.spec.container.cpu if cores is None else cores)

    async def cpu_used(self, ids: Iterable[str]) -> Mapping[str, float]:
        found = {id: self._instances[id] for id in ids if id in self._instances}
        return {id: i.cpu_used() for id, i in found.items() if i.state.phase is not Phase.EXITED}

    def instances(self) -> Sequence[InstanceState]:
        return [instance.state for instance in self._instances.values()]

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

    async def forget_logs(self, labels: Mapping[str, str]) -> None:
        self._logs = [
            line for line in self._logs if line.instance in self._instances or not _carries(line.labels, labels)
        ]

    # What happens to instances from outside, and what tests ask about; not part of the port.

    def pinned(self, reference: str) -> Sequence[str]:
        """Pinned references of all images that were pulled as `reference`, oldest first."""
        return [pinned for pinned, (image, _) in self._pulled.items() if image.reference == reference]

    def cores(self, id: str) -> float:
        """What it is allotted now."""
        return self._instances[id].cores

    def kill(self, id: str) -> None:
        """It dies by SIGKILL, for no reason that the engine knows."""
        self.crash(id, KILLED)

    def crash(self, id: str, exit: Exit) -> None:
        """It ends now, with `exit`."""
        instance = self._instances[id]
        if instance.state.phase is Phase.EXITED:
            return
        self._write_due(instance)
        instance.cancel()
        at = self._clock.now()
        instance.state = replace(instance.state, phase=Phase.EXITED, exited=at, exit=exit)
        self._tell(Exited(id, at, exit))

    def vanish(self, id: str) -> None:
        """The machine went down and the engine came back without it: it is unknown and no event ever comes."""
        self._instances.pop(id).cancel()

    def write(self, id: str, text: str, stream: str = "stdout") -> None:
        """It writes a line now."""
        labels = self._instances[id].spec.labels
        self._logs.append(LogLine(self._clock.now(), id, stream, text, labels))

    def _run(self, spec: InstanceSpec, script: Script) -> None:
        state = InstanceState(spec.id, dict(spec.labels), Phase.STARTING, self._clock.now())
        instance = self._instances[spec.id] = _Instance(spec, script, state)
        self.started.append(spec)
        self._write_due(instance)
        if script.exit is not None:
            end = script.exit
            instance.after(script.exit_after, "exit", lambda: self.crash(spec.id, end))
        wait = 0 if spec.probe is None else script.ready
        if script.exit is not None and script.exit_after <= wait:
            return  # never ready: two timers for the same moment would run in any order
        if spec.probe is not None and (script.probe_failure or wait > spec.probe.limit):
            instance.after(spec.probe.limit, "ready", lambda: self._not_ready(instance))
        else:
            instance.after(wait, "ready", lambda: self._ready(instance))

    def _write_due(self, instance: _Instance) -> None:
        for line in instance.due():
            self.write(instance.spec.id, line.text, line.stream)
        if instance.unwritten:
            at = instance.unwritten[0].after
            instance.after(instance.remaining(at), "lines", lambda: self._write_due(instance))

    def _ready(self, instance: _Instance) -> None:
        at = self._clock.now()
        address = self._address(instance)
        instance.state = replace(instance.state, phase=Phase.READY, ready=at, address=address)
        self._tell(Ready(instance.spec.id, address, at, {"start": instance.script.start, "app": instance.script.ready}))

    def _not_ready(self, instance: _Instance) -> None:
        probe = instance.spec.probe
        assert probe is not None
        default = f"nothing listened on port {probe.port} within {probe.limit:g} s"
        self._tell(ProbeFailed(instance.spec.id, self._clock.now(), instance.script.probe_failure or default))
        if instance.state.phase is not Phase.EXITED:  # the listener may have killed it already
            self.kill(instance.spec.id)

    def _address(self, instance: _Instance) -> Address | None:
        if instance.spec.probe is None or instance.script.address is not None:
            return instance.script.address
        self._addresses += 1
        high, low = divmod(self._addresses, 256)
        return Address(f"10.0.{high % 256}.{low}", instance.spec.probe.port)

    def _tell(self, event: Event) -> None:
        if self._listener is None:
            self._untold.append(event)
        else:
            self._listener(event)

    def __repr__(self) -> str:
        phases = [instance.state.phase.value for instance in self._instances.values()]
        counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in Phase if phase in phases)
        return f"<FakeEngine {'closed' if self._listener is None else 'open'}: {counts or 'no instances'}>"


def _image(reference: str, script: Script) -> Image:
    digest = script.digest or "sha256:" + hashlib.sha256(reference.encode()).hexdigest()
    return replace(script.image or Image(reference, digest, cmd=("/app",)), reference=reference, digest=digest)


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()
