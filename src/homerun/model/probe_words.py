"""What the platform says about probes, word for word (contract §1.11)."""

from __future__ import annotations

from homerun.model.container import Container
from homerun.model.probe import Check, Probe

CANCELLED = "Connection failed with status CANCELLED."
"""The container ended while it was asked."""


def outcome(container: Container, check: Check, *, well: bool, times: int) -> str:
    """`STARTUP HTTP probe failed 3 times consecutively for container "web-1" on port 8080 path "/up".`"""
    probe = _probe(container, check)
    default = "Default " if check is Check.STARTUP and probe == Probe(container.port or 0) else ""
    count = f"{times} time{'' if times == 1 else 's'}"
    attempts = f"{times} attempt{'' if times == 1 else 's'}"
    what = f"succeeded after {attempts}" if well else f"failed {count} consecutively"
    return f'{default}{check} {probe.kind} probe {what} for container "{container.name}" on {probe}.'


def failure(container: Container, check: Check, *, times: int, wrong: str, found: str) -> str:
    """The same with its reason: what the last answer lacked, or what was `found` instead of one."""
    said = outcome(container, check, well=False, times=times)
    return f"{said.removesuffix('.')}: {found}" if found else f"{said} {wrong}".rstrip()


def _probe(container: Container, check: Check) -> Probe:
    by_check = {
        Check.STARTUP: container.startup_probe,
        Check.LIVENESS: container.liveness_probe,
        Check.READINESS: container.readiness_probe,
    }
    # None: an instance of a revision of another version of ours.
    return by_check[check] or Probe(container.port or 0)
