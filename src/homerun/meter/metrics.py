"""What is counted for Prometheus, from what control hears anyway: answered requests, starts of instances, ended tasks.

Counters live as long as this process: Prometheus knows what to make of it when they begin again at zero. A revision has
them from its first request or start until it is deleted, so 10,000 services at rest have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from homerun.core.execution import Execution
from homerun.core.task import TaskState
from homerun.engine.base import Origin
from homerun.meter.cold_starts import ColdStart
from homerun.meter.histogram import Histogram
from homerun.model import names
from homerun.model.probe import Check
from homerun.wire.link import RequestLog

FINISHED = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.ABANDONED)
FIRST_REQUEST = "request"
"""The phase of a cold start that is not the instance's: how long the request that waited longest did so."""


@dataclass(slots=True)
class Phase:
    """One part of starts."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


@dataclass(slots=True)
class RevisionMetrics:
    latencies: dict[int, Histogram] = field(default_factory=dict)
    """By the first digit of the status."""
    waits: Histogram = field(default_factory=Histogram)
    """Of requests that found no slot at once."""
    startups: Histogram = field(default_factory=Histogram)
    phases: dict[str, Phase] = field(default_factory=dict)
    failed_starts: int = 0
    origins: Counter[Origin] = field(default_factory=Counter)
    """What those that succeeded began from."""
    cold_starts: int = 0
    """Starts that a request waited for."""
    failed_probes: Counter[Check] = field(default_factory=Counter)


class Metrics:
    """`exists`: whether there is such a revision still; of one that is gone nothing is counted any more."""

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self._exists = exists
        self.revisions: dict[str, RevisionMetrics] = {}
        self.tasks: dict[str, Counter[TaskState]] = {}
        """Of ended executions, by job."""

    def __repr__(self) -> str:
        return f"<Metrics of {len(self.revisions)} revisions, {len(self.tasks)} jobs>"

    def answered(self, request: RequestLog, start: ColdStart | None) -> None:
        """`start`: what it waited for."""
        mine = self.revisions.get(request.revision) or self._of(request.revision)
        if mine is None:
            return
        kind = request.status // 100
        histogram = mine.latencies.get(kind)
        if histogram is None:
            histogram = mine.latencies[kind] = Histogram()
        histogram.observe(request.latency)
        if request.waited:
            mine.waits.observe(request.waited)
        if start is not None and start.waited == 1:
            mine.cold_starts += 1
            mine.phases.setdefault(FIRST_REQUEST, Phase()).add(request.waited)

    def started(self, start: ColdStart, startup: float) -> None:
        """`startup`: seconds from the decision until it was ready."""
        mine = self._of(start.revision)
        if mine is not None:
            mine.startups.observe(startup)
            mine.origins[start.origin] += 1
            for name, seconds in start.phases.items():
                mine.phases.setdefault(name, Phase()).add(seconds)

    def not_started(self, revision: str) -> None:
        mine = self._of(revision)
        if mine is not None:
            mine.failed_starts += 1

    def probe_failed(self, revision: str, check: Check) -> None:
        """As often in a row as it takes."""
        mine = self._of(revision)
        if mine is not None:
            mine.failed_probes[check] += 1

    def gone(self, revision: str) -> None:
        self.revisions.pop(revision, None)

    def completed(self, execution: str, machine: Execution) -> None:
        ended = self.tasks.setdefault(names.parent(execution), Counter())
        for state in FINISHED:
            ended[state] += machine.count(state)

    def job_gone(self, job: str) -> None:
        self.tasks.pop(job, None)

    def _of(self, revision: str) -> RevisionMetrics | None:
        mine = self.revisions.get(revision)
        if mine is None and self._exists(revision):
            mine = self.revisions[revision] = RevisionMetrics()
        return mine
