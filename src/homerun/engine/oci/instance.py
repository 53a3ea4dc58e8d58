"""One instance and its containers, as the engine holds them in memory: what the record says, and the handles to watch
and end them. What follows from what, in which order, is decided here; lives.py carries it out.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from homerun.engine.base import Address, ContainerSpec, Exit, InstanceSpec, InstanceState, Origin, Phase
from homerun.engine.oci.network import Network
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.records import Record

BETWEEN = "+"
"""Between the id of an instance and the name of one of its containers; in no id."""


@dataclass(eq=False)
class Part:
    """One container of an instance."""

    spec: ContainerSpec
    key: str
    """Its name for the runtime, its monitor and its log, where those of all instances are side by side."""
    group: str
    """Its cgroup, below homerun's."""
    monitor: Process | None = None
    init: Process | None = None
    begun: float | None = None
    """Since when its program runs. Wall clock."""
    well: bool = False
    """Its startup probe passed, or there is none and it runs."""
    ended: bool = False
    status: int | None = None
    """As conmon tells it, where that matters before all have ended; None: nobody saw it."""
    watch: int | None = None
    """Readable once the monitor has ended (pidfd)."""
    probe: asyncio.Task[None] | None = None
    syslog: socket.socket | None = None
    """Its /dev/log."""

    @property
    def settled(self) -> bool:
        """Whoever depends on it need not wait any more: it is well, or it did what it was there for."""
        return self.well or (self.ended and self.status == 0)

    def __repr__(self) -> str:
        return f"<Part {self.key}{' well' if self.well else ''}{' ended' if self.ended else ''}>"


def parts_of(spec: InstanceSpec) -> list[Part]:
    """One of several has its name beside that of the instance; a single one has the instance's."""
    if len(spec.containers) == 1:
        return [Part(spec.containers[0], spec.id, spec.id)]
    return [Part(each, f"{spec.id}{BETWEEN}{each.name}", f"{spec.id}/{each.name}") for each in spec.containers]


def owner(key: str) -> str:
    """The instance of a `Part.key`."""
    return key.partition(BETWEEN)[0]


@dataclass(eq=False)
class Instance:
    spec: InstanceSpec
    record: Record
    started: float
    """Wall clock."""
    phase: Phase = Phase.STARTING
    address: Address | None = None
    ready: float | None = None
    told: float | None = None
    """When it was told to end."""
    exited: float | None = None
    exit: Exit | None = None
    ended_first: str = ""
    """The container whose exit that is."""

    parts: Sequence[Part] = field(init=False)
    """In the order of the containers."""
    ours: bool = False
    """The monitors are children of this process, which must wait for them."""
    launched: bool = False
    """Its programs run or ran, or will after a crash of ours."""
    watched: float | None = None
    """Since when, on the monotonic clock; None: it is only being launched."""
    network: Network | None = None
    phases: dict[str, float] = field(default_factory=dict)
    origin: Origin = Origin.IMAGE
    unready: tuple[str, ...] = ()
    """Containers whose readiness probe failed."""
    asking: list[asyncio.Task[None]] = field(default_factory=list)
    """Liveness and readiness probes."""
    asked: int = 0
    """How many of them wait for an answer right now."""
    cores: float | None = None
    """What it is allotted; None: what its spec says."""
    granted: float | None = None
    """What it has, as long as it is ready: as above."""
    first: Part | None = None
    """Whose end is that of the instance, once it is known."""
    starting: asyncio.Task[None] | None = None
    """Until its programs run; None of an adopted one."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever replaces its files."""
    kill: asyncio.TimerHandle | None = None
    """SIGKILL, when the grace period is over."""
    grace: float | None = None
    """stop was called before the program ran."""
    abandoned: bool = False
    """Whoever started it is gone (cancelled): it ends without a word."""

    def __post_init__(self) -> None:
        self.parts = parts_of(self.spec)

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def running(self) -> list[Part]:
        """Those that have not ended, begun or not."""
        return [part for part in self.parts if not part.ended]

    def named(self, name: str) -> Part:
        """The first if none is called so."""
        return next((part for part in self.parts if part.spec.name == name), self.parts[0])

    @property
    def roots(self) -> list[Part]:
        """Those that wait for nobody."""
        return [part for part in self.parts if not part.spec.depends_on]

    def may_begin(self) -> list[Part]:
        """Those that have waited until now for what they depend on."""
        settled = {part.spec.name for part in self.parts if part.settled}
        return [part for part in self.running if part.begun is None and settled.issuperset(part.spec.depends_on)]

    @property
    def well(self) -> bool:
        return all(part.settled for part in self.parts)

    def decides(self, part: Part) -> bool:
        """Whether the end of this one is the end of all (InstanceSpec.main)."""
        main = self.spec.main
        return not main or part.spec.name == main or (part.status != 0 and self.phase is not Phase.STOPPING)

    def state(self) -> InstanceState:
        return InstanceState(
            self.id,
            self.spec.labels,
            self.phase,
            self.started,
            self.address,
            self.ready,
            self.exited,
            self.exit,
            self.ended_first,
            self.unready,
            self.told,
        )

    def __repr__(self) -> str:
        return f"<Instance {self.id} {self.phase}>"
