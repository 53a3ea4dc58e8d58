"""Conditions as Knative writes them: True, False, Unknown; reasons in CamelCase."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from homerun.model.conditions import FAILED, SUCCEEDED

_STATUS = {SUCCEEDED: "True", FAILED: "False"}
_SEVERITY = {"ERROR": "Error", "WARNING": "Warning", "INFO": "Info"}


def to_v1(conditions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_condition(condition) for condition in conditions]


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    made = {"type": condition["type"], "status": _STATUS.get(condition.get("state", ""), "Unknown")}
    reason = condition.get("reason") or condition.get("revisionReason") or condition.get("executionReason")
    if reason:
        made["reason"] = "".join(word.capitalize() for word in reason.split("_"))
    elif made["status"] == "Unknown":
        made["reason"] = "Deploying" if condition["type"].endswith("Ready") else "WaitingForOperation"
    for key in ("message", "lastTransitionTime"):
        if condition.get(key):
            made[key] = condition[key]
    if severity := _SEVERITY.get(condition.get("severity", "")):
        made["severity"] = severity
    return made
