"""Starts of instances, each with what its time went into, and the requests that waited for it.

The newest of each revision are kept for people; those of running instances so that a request can be told, when it is
answered, that it waited for one: it came before the instance that answered it was ready.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homerun.engine.base import Origin, Ready
from homerun.wire.link import RequestLog

KEPT = 20
"""Of each revision."""
ENDED = 256
"""Instances that are remembered beyond their end."""


@dataclass(slots=True)
class ColdStart:
    """`ready`: wall clock. `phases`: seconds by name, in order; empty for an instance that was found running."""

    revision: str
    instance: str
    host: str
    ready: float
    phases: Mapping[str, float]
    origin: Origin = Origin.IMAGE
    waited: int = 0
    """Requests that waited for it."""
    longest: float = 0.0
    """Seconds that the first of them waited for its slot."""

    @property
    def took(self) -> float:
        return sum(self.phases.values())

    def delayed(self, request: RequestLog) -> bool:
        """Whether this answered request waited for it; then it is counted."""
        if not request.waited or request.at > self.ready:
            return False
        self.waited += 1
        self.longest = max(self.longest, request.waited)
        return True


class ColdStarts:
    def __init__(self) -> None:
        self._known: dict[str, ColdStart] = {}
        self._ended: deque[str] = deque()
        self._of: dict[str, deque[ColdStart]] = {}

    def __repr__(self) -> str:
        return f"<ColdStarts of {len(self._of)} revisions, {len(self._known)} instances>"

    def ready(self, revision: str, event: Ready) -> ColdStart:
        start = self.adopted(revision, event)
        self._of.setdefault(revision, deque(maxlen=KEPT)).append(start)
        return start

    def adopted(self, revision: str, event: Ready) -> ColdStart:
        """It ran before this process did: its start is nobody's news."""
        host = event.address.host if event.address is not None else ""
        start = self._known[event.id] = ColdStart(revision, event.id, host, event.at, dict(event.phases), event.origin)
        return start

    def ended(self, instance: str) -> None:
        """What its last requests were is told up to a second later."""
        self._ended.append(instance)
        if len(self._ended) > ENDED:
            self._known.pop(self._ended.popleft(), None)

    def gone(self, revision: str) -> None:
        self._of.pop(revision, None)

    def of(self, revisions: Iterable[str]) -> list[ColdStart]:
        """The newest of these revisions, in the order of time."""
        return sorted((start for name in revisions for start in self._of.get(name, ())), key=lambda start: start.ready)

    def start_of(self, instance: str) -> ColdStart | None:
        """None for one that is not known, or ended long ago."""
        return self._known.get(instance)
