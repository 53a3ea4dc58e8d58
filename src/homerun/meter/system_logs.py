"""What the platform itself has to say about the instances of services, in the words of Cloud Run (contract §1.11 and
§1.12), as log lines beside those of the containers. In memory, the newest so many, as the request log is."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from homerun.engine.base import Exit, LogLine
from homerun.model import labels
from homerun.model.container import Container, StartupProbe
from homerun.model.revision import RevisionSpec

KEPT = 10_000
STREAM = "varlog/system"
_WHY = {"check": "DEPLOYMENT_ROLLOUT", "manual": "MANUAL_OR_CUSTOMER_MIN_INSTANCE"}
"""Drivers of the autoscaler that are not traffic."""


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

    def ready(self, spec: RevisionSpec, instance: str, at: float) -> None:
        attempt = "succeeded after 1 attempt" if _is_default(spec.ingress) else "succeeded"
        self._write(spec, instance, at, "INFO", _probe_text(spec.ingress, attempt))

    def not_started(self, spec: RevisionSpec, instance: str, at: float) -> None:
        text = _probe_text(spec.ingress, "failed 1 time consecutively" if _is_default(spec.ingress) else "failed")
        self._write(spec, instance, at, "ERROR", f"{text} The instance was not started.")

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


def _is_default(container: Container) -> bool:
    """Nobody declared a probe; to declare the same one makes no difference."""
    return container.startup_probe in (None, StartupProbe(container.port or 0))


def _probe_text(container: Container, what: str) -> str:
    """`Default STARTUP TCP probe succeeded after 1 attempt for container "hello-1" on port 8080.`"""
    probe = container.startup_probe or StartupProbe(container.port or 0)
    kind = f"{'Default ' if _is_default(container) else ''}STARTUP {'TCP' if probe.path is None else 'HTTP'} probe"
    where = f"port {probe.port}" if probe.path is None else f'path "{probe.path}"'
    return f'{kind} {what} for container "{container.name}" on {where}.'
