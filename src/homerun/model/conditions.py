"""v2 Conditions: what the system says about an object's progress (google.cloud.run.v2.Condition).

Kept as the JSON they are stored as. A condition that did not change keeps its `lastTransitionTime`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homerun.lib.timestamps import to_rfc3339

Condition = dict[str, Any]

PENDING = "CONDITION_PENDING"
RECONCILING = "CONDITION_RECONCILING"
FAILED = "CONDITION_FAILED"
SUCCEEDED = "CONDITION_SUCCEEDED"


def condition(
    type: str,
    state: str,
    now: float,
    *,
    message: str = "",
    reason: str = "",
    revision_reason: str = "",
    execution_reason: str = "",
    severity: str = "",
) -> Condition:
    """One condition; empty texts are left out. At most one of the three reasons, each an enum name of v2."""
    made = {
        "type": type,
        "state": state,
        "message": message,
        "lastTransitionTime": to_rfc3339(now),
        "severity": severity,
        "reason": reason,
        "revisionReason": revision_reason,
        "executionReason": execution_reason,
    }
    return {key: value for key, value in made.items() if value}


def find(conditions: Iterable[Condition], type: str) -> Condition | None:
    return next((c for c in conditions if c.get("type") == type), None)


def merge(old: Iterable[Condition], new: Iterable[Condition]) -> list[Condition]:
    """`new`, each with the transition time of its equal in `old` where state and texts are the same."""
    before = {c["type"]: c for c in old}
    return [_keep_time(before.get(c["type"]), c) for c in new]


def _keep_time(old: Condition | None, new: Condition) -> Condition:
    if old is None:
        return new
    same = all(old.get(k) == new.get(k) for k in old.keys() | new.keys() if k != "lastTransitionTime")
    return old if same else new
