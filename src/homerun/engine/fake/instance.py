"""An instance without processes: its containers follow their scripts on the event loop's clock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from homerun.engine.base import ContainerSpec, Exit, FilesVolume, InstanceSpec, InstanceState, Origin
from homerun.engine.fake.script import Line, Script
from homerun.model.probe import Check


class Container:
    """One that runs or ran: it is born when it is made."""

    def __init__(self, spec: ContainerSpec, script: Script) -> None:
        self.spec = spec
        self.script = script
        self.well = False
        self.exit: Exit | None = None
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.unwritten = deque(sorted(script.lines, key=lambda line: line.after))
        self.wrong: dict[Check, str] = {}
        """What its probes find."""
        self._loop = asyncio.get_running_loop()
        self.born = self._loop.time()

    @property
    def settled(self) -> bool:
        """Those that depend on it need not wait any more."""
        return self.well or (self.exit is not None and self.exit.ok)

    def due(self) -> Iterator[Line]:
        """Take the lines whose time has come."""
        while self.unwritten and self.remaining(self.unwritten[0].after) < 1e-6:
            yield self.unwritten.popleft()

    def remaining(self, age: float) -> float:
        """Seconds until it is `age` old."""
        return self.born + age - self._loop.time()

    def after(self, seconds: float, what: str, then: Callable[[], None]) -> None:
        self.cancel(what)
        self.timers[what] = self._loop.call_later(seconds, then)

    def cancel(self, *what: str) -> None:
        for name in what or tuple(self.timers):
            if timer := self.timers.pop(name, None):
                timer.cancel()


class Instance:
    def __init__(self, spec: InstanceSpec, scripts: Sequence[Script], state: InstanceState, host: str) -> None:
        self.spec = spec
        self.host = host
        self.scripts = scripts
        self.state = state
        self.origin = Origin.IMAGE
        self.containers: dict[str, Container] = {}
        """Those that run or ran."""
        self.births: dict[str, asyncio.TimerHandle] = {}
        """Those that are about to."""
        self.first: tuple[str, Exit] | None = None
        """The end that ends the others."""
        self.files = {each.name: dict(each.files) for each in spec.volumes if isinstance(each, FilesVolume)}
        self.cores = spec.start_cpu
        self._used, self._since = 0.0, asyncio.get_running_loop().time()

    @property
    def running(self) -> list[Container]:
        return [container for container in self.containers.values() if container.exit is None]

    def waiting(self) -> Iterator[tuple[ContainerSpec, Script]]:
        """Those that may begin now and have not."""
        for spec, script in zip(self.spec.containers, self.scripts, strict=True):
            begun = spec.name in self.containers or spec.name in self.births
            if not begun and all(self._settled(name) for name in spec.depends_on):
                yield spec, script

    def _settled(self, name: str) -> bool:
        return name in self.containers and self.containers[name].settled

    @property
    def well(self) -> bool:
        return all(self._settled(spec.name) for spec in self.spec.containers)

    def allot(self, cores: float) -> None:
        self.settle()
        self.cores = cores

    def settle(self) -> None:
        """Before it uses more or less than so far."""
        self._used, self._since = self.cpu_used(), asyncio.get_running_loop().time()

    def cpu_used(self) -> float:
        wanted = sum(container.script.cpu for container in self.running)
        return self._used + min(wanted, self.cores) * (asyncio.get_running_loop().time() - self._since)

    def cancel(self) -> None:
        """Nothing more happens in it by itself."""
        for container in self.containers.values():
            container.cancel()
        self.stop_births()

    def stop_births(self) -> None:
        while self.births:
            self.births.popitem()[1].cancel()
