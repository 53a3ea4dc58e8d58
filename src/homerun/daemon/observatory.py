"""What control hears of the data plane, on its way to those who look: request logs, cold starts, metrics."""

from __future__ import annotations

from collections.abc import Callable

from homerun.controllers.capacity import Observer
from homerun.engine.base import Ready
from homerun.meter.cold_starts import ColdStarts
from homerun.meter.metrics import Metrics
from homerun.meter.requests import RequestLogs
from homerun.wire.link import RequestLog


class Observatory(Observer):
    """`exists`: whether there is such a revision."""

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self.requests = RequestLogs()
        self.starts = ColdStarts()
        self.metrics = Metrics(exists)

    def answered(self, request: RequestLog) -> None:
        """Called for each request: what it costs limits how many there can be."""
        start = self.starts.start_of(request.instance)
        delayed = start is not None and start.delayed(request)
        self.metrics.answered(request, start if delayed else None)
        self.requests.record(request, start, delayed=delayed)

    # controllers.capacity.Observer

    def ready(self, revision: str, event: Ready, startup: float) -> None:
        self.metrics.started(self.starts.ready(revision, event), startup)

    def adopted(self, revision: str, event: Ready) -> None:
        self.starts.adopted(revision, event)

    def not_started(self, revision: str) -> None:
        self.metrics.not_started(revision)

    def ended(self, instance: str) -> None:
        self.starts.ended(instance)

    def gone(self, revision: str) -> None:
        self.starts.gone(revision)
        self.metrics.gone(revision)
