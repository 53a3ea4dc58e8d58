"""What the platform itself has to say about the instances of services, in the words of Cloud Run (contract §1.11 and
§1.12), as log entries beside those of the containers."""

from __future__ import annotations

from collections.abc import Callable

from homerun.engine.base import Exit, Probed
from homerun.meter.log_rows import SYSTEM, microseconds, origin
from homerun.model import labels
from homerun.model.names import Name
from homerun.model.probe import Check
from homerun.model.probe_words import outcome
from homerun.model.revision import RevisionSpec
from homerun.model.severity import severity_number
from homerun.model.volume import CloudSql
from homerun.store.log_base import LogRow

_WHY = {"check": "DEPLOYMENT_ROLLOUT", "manual": "MANUAL_OR_CUSTOMER_MIN_INSTANCE"}
"""Drivers of the autoscaler that are not traffic."""
_EFFECTS = {
    Check.STARTUP: ("The instance was not started.", "ERROR"),
    Check.LIVENESS: ("The instance has been shut down.", "ERROR"),
    Check.READINESS: ("The instance gets no new requests until it is ready again.", "WARNING"),
}
"""Of a probe that failed. The platform's words for the last one are not known."""


class SystemLogs:
    """`write` hears each of them: a project, and the entry."""

    def __init__(self, write: Callable[[str, LogRow], None]) -> None:
        self._say = write

    def starting(self, spec: RevisionSpec, instance: str, driver: str, reason: str, at: float) -> None:
        """`driver` of the autoscaler wanted it, for `reason`."""
        why = _WHY.get(driver, "AUTOSCALING")
        self._write(spec, instance, at, "INFO", f"Starting new instance. Reason: {why} - {reason}.")
        for volume in spec.volumes:
            if isinstance(volume, CloudSql):
                self._write(spec, instance, at, "WARNING", _no_cloud_sql(volume))

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
        name = Name.parse(spec.service)
        said = origin(SYSTEM, name, labels.of_revision(spec, instance), instance)
        self._say(name.project, LogRow(microseconds(at), said, severity_number(severity), text))


def _no_cloud_sql(volume: CloudSql) -> str:
    return (
        f"There is no Cloud SQL here: the folder for {', '.join(volume.instances)} is empty. "
        "Give the container the address of a database in a variable."
    )
