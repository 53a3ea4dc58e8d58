"""What control hears of the data plane, on its way to those who look: logs, cold starts, metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from homerun.controllers.observer import Observer
from homerun.core.autoscaler import Decision
from homerun.engine.base import Exited, Probed, Ready
from homerun.lib.clock import Clock
from homerun.meter.attempt_logs import AttemptLogs
from homerun.meter.cold_starts import ColdStarts
from homerun.meter.log_book import Making
from homerun.meter.metrics import Metrics
from homerun.meter.requests import request_row
from homerun.meter.system_logs import SystemLogs
from homerun.model.revision import RevisionSpec
from homerun.wire.link import RequestLog


class Observatory(Observer):
    """`exists`: whether there is such a revision. `write` keeps what is made of it, soon (meter.log_book)."""

    def __init__(self, exists: Callable[[str], bool], clock: Clock, write: Callable[[Making], None]) -> None:
        self._clock, self._write = clock, write
        self.system = SystemLogs(lambda project, row: write(lambda: (project, row)))
        self.attempts = AttemptLogs(clock, lambda project, row: write(lambda: (project, row)))
        self.starts = ColdStarts()
        self.metrics = Metrics(exists)

    def answered(self, request: RequestLog) -> None:
        """Called for each request: what it costs limits how many there can be."""
        start = self.starts.start_of(request.instance)
        delayed = start is not None and start.delayed(request)
        self.metrics.answered(request, start if delayed else None)
        if request.revision:
            self._write(partial(request_row, request, start, delayed=delayed))

    # controllers.capacity.Observer

    def starting(self, spec: RevisionSpec, instance: str, decision: Decision) -> None:
        self.system.starting(spec, instance, decision.driver, decision.reason, self._clock.now())

    def ready(self, spec: RevisionSpec, event: Ready, startup: float) -> None:
        self.metrics.started(self.starts.ready(spec.name, event), startup)

    def adopted(self, spec: RevisionSpec, event: Ready) -> None:
        self.starts.adopted(spec.name, event)

    def not_started(self, spec: RevisionSpec, instance: str, error: str) -> None:
        self.metrics.not_started(spec.name)
        if error:
            self.system.not_started(spec, instance, error, self._clock.now())

    def probed(self, spec: RevisionSpec, event: Probed) -> None:
        self.system.probed(spec, event)
        if not event.well:
            self.metrics.probe_failed(spec.name, event.check)

    def exited(self, spec: RevisionSpec, event: Exited, text: str) -> None:
        self.system.ended(spec, event.id, event.exit, text, event.at)

    def ended(self, instance: str) -> None:
        self.starts.ended(instance)

    def gone(self, revision: str) -> None:
        self.starts.gone(revision)
        self.metrics.gone(revision)
