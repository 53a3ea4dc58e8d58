"""The life of a service's instance, as a table. Everything that moves an instance from state to state is in this file.

starting ──ready──▶ ready ──drain──▶ draining ──drained──▶ stopping ──exited──▶ gone
    │                 │                 │                                        ▲
    └──────stop───────┴──────stop───────┴────────▶ stopping        exited: from any state

A ready one that says it is not (its readiness probe fails) is unready, until it says that it is; both drain and stop.
A draining one that is needed after all is ready again (recall), unless its probe says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    """It gets no new requests, and lives."""
    DRAINING = "draining"
    STOPPING = "stopping"
    GONE = "gone"


class Signal(StrEnum):
    READY = "ready"
    UNREADY = "unready"
    DRAIN = "drain"
    RECALL = "recall"
    DRAINED = "drained"
    STOP = "stop"
    EXITED = "exited"


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.STARTING, Signal.READY): State.READY,
    (State.STARTING, Signal.STOP): State.STOPPING,
    (State.READY, Signal.DRAIN): State.DRAINING,
    (State.READY, Signal.STOP): State.STOPPING,
    (State.READY, Signal.UNREADY): State.UNREADY,
    (State.UNREADY, Signal.READY): State.READY,
    (State.UNREADY, Signal.DRAIN): State.DRAINING,
    (State.UNREADY, Signal.STOP): State.STOPPING,
    (State.DRAINING, Signal.RECALL): State.READY,
    (State.DRAINING, Signal.DRAINED): State.STOPPING,
    (State.DRAINING, Signal.STOP): State.STOPPING,
    **{(state, Signal.EXITED): State.GONE for state in State if state is not State.GONE},
}


@dataclass(slots=True)
class Instance:
    """Times are seconds of one clock. `idle_since` is None while requests are in flight."""

    id: str
    created: float
    state: State = State.STARTING
    ready_at: float | None = None
    idle_since: float | None = None
    in_flight: int = 0
    well: bool = True
    """What its probes said last. Only what is ready moves on with it, but it is remembered of all."""

    def __repr__(self) -> str:
        return f"<Instance {self.id[:8]} {self.state}, {self.in_flight} in flight>"

    def signal(self, signal: Signal) -> bool:
        """Move on if the table says so. False: this signal means nothing in this state (late or repeated)."""
        target = TRANSITIONS.get((self.state, signal))
        if target is None:
            return False
        self.state = target
        return True
