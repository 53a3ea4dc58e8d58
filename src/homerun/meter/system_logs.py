"""What the platform itself has to say about the instances of services, in the words of Cloud Run (contract §1.11 and
§1.12), as log lines beside those of the containers. In memory, the newest so many, as the request log is."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from homerun.engine.base import Exit, LogLine, Probed
from homerun.model import labels
from homerun.model.probe import Check
from homerun.model.probe_words import outcome
from homerun.model.revision import RevisionSpec

KEPT = 10_000
STREAM = "varlog/system"
_WHY = {"check": "DEPLOYMENT_ROLLOUT", "manual": "MANUAL_OR_CUSTOMER_MIN_INSTANCE"}
"""Drivers of the autoscaler that are not traffic."""
_EFFECTS = {
    Check.STARTUP: ("The instance was not started.", "ERROR"),
    Check.LIVENESS: ("The instance has been shut down.", "ERROR"),
    Check.READINESS: ("The instance gets no new requests until it is ready again.", "WARNING"),
}
"""Of a probe that failed. The platform's words for the last one are not known."""


class SystemLogs:
    def __init__(self, kept: int = KEPT) -> None:
        self._lines: deque[LogLine] = deque(maxlen=kept)

    def lines(
        self, wanted: Mapping[str, str], *, since: float = 0, until: float | None = None, limit: int | None = None
    ) -> Sequence[LogLine]:
        """As Engine.logs: with `limit`, the last so many, in time order."""
        matching = (
            line
            for line in reversed(self._lines)
            if since < line.time and (until is None or line.time <= until) and wanted.items() <= line.labels.items()
        )
        return list(islice(matching, limit))[::-1]

    def starting(self, spec: RevisionSpec, instance: str, driver: str, reason: str, at: float) -> None:
        """`driver` of the autoscaler wanted it, for `reason`."""
        why = _WHY.get(driver, "AUTOSCALING")
        self._write(spec, instance, at, "INFO", f"Starting new instance. Reason: {why} - {reason}.")

    def probed(self, spec: RevisionSpec, event: Probed) -> None:
        container = spec.containers.named(event.container)
        text = outcome(container, event.check, well=event.well, times=event.times)
        if event.well:
            self._write(spec, event.id, event.at, "INFO", text)
            return
        effect, severity = _EFFECTS[event.check]
        # What is wrong is a line of its own.
        self._write(spec, event.id, event.at, severity, f"{text} {effect}\n{event.wrong}".rstrip())

    def not_started(self, spec: RevisionSpec, instance: str, error: str, at: float) -> None:
        """`error`: why there never was a process of it."""
        self._write(spec, instance, at, "ERROR", f"Application failed to start: {error}")

    def ended(self, spec: RevisionSpec, instance: str, exit: Exit, text: str, at: float) -> None:
        """By itself, after it was ready; `text` says how."""
        if exit.oom:
            text = (
                f"Memory limit of {spec.ingress.memory >> 20} MiB exceeded. Consider increasing the memory limit, "
                "see https://cloud.google.com/run/docs/configuring/memory-limits"
            )
        self._write(spec, instance, at, "ERROR" if exit.oom else "WARNING", text)

    def _write(self, spec: RevisionSpec, instance: str, at: float, severity: str, text: str) -> None:
        line = json.dumps({"severity": severity, "message": text})
        self._lines.append(LogLine(at, instance, STREAM, line, labels.of_revision(spec, instance)))
