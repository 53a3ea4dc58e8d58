"""Who is told what becomes of instances and revisions: for metrics, logs and explanations (daemon/observatory.py)."""

from __future__ import annotations

from homerun.core.autoscaler import Decision
from homerun.engine.base import Exited, Probed, Ready
from homerun.model.revision import RevisionSpec


class Observer:
    """Hears what becomes of instances and revisions, and does nothing about it."""

    def starting(self, spec: RevisionSpec, instance: str, decision: Decision) -> None: ...

    def ready(self, spec: RevisionSpec, event: Ready, startup: float) -> None:
        """`startup`: seconds since it was decided to start it."""

    def adopted(self, spec: RevisionSpec, event: Ready) -> None:
        """It was ready before this process began."""

    def not_started(self, spec: RevisionSpec, instance: str, error: str) -> None:
        """`error`: why there never was a process of it; empty if there was one."""

    def probed(self, spec: RevisionSpec, event: Probed) -> None: ...

    def exited(self, spec: RevisionSpec, event: Exited, text: str) -> None:
        """By itself, after it was ready; `text` says how."""

    def ended(self, instance: str) -> None:
        """In any way."""

    def gone(self, revision: str) -> None: ...
