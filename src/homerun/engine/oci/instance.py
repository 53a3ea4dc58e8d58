"""One instance, as the engine holds it in memory: what the record says, and the handles to watch and end it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from homerun.engine.base import Address, Exit, InstanceSpec, InstanceState, Phase
from homerun.engine.oci.network import Network
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.records import Record


@dataclass(eq=False)
class Instance:
    spec: InstanceSpec
    record: Record
    started: float
    """Wall clock."""
    phase: Phase = Phase.STARTING
    address: Address | None = None
    ready: float | None = None
    exited: float | None = None
    exit: Exit | None = None
    ended_first: str = ""
    """The container whose exit that is."""

    monitor: Process | None = None
    ours: bool = False
    """The monitor is a child of this process, which must wait for it."""
    init: Process | None = None
    network: Network | None = None
    phases: dict[str, float] = field(default_factory=dict)
    watch: int | None = None
    """Readable once the monitor has ended (pidfd)."""
    probe: asyncio.Task[None] | None = None
    kill: asyncio.TimerHandle | None = None
    """SIGKILL, when the grace period is over."""
    grace: float | None = None
    """stop was called before the program ran."""
    abandoned: bool = False
    """Whoever started it is gone (cancelled): it ends without a word."""

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def name(self) -> str:
        """What its container is called."""
        return self.spec.containers[0].name

    @property
    def launched(self) -> bool:
        """Its program runs or ran."""
        return self.monitor is not None or self.phase is Phase.EXITED

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
        )

    def __repr__(self) -> str:
        return f"<Instance {self.id} {self.phase}>"
