"""The Revision that a template becomes. Immutable from then on, but for its status (contract §4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.lib import ids
from homerun.lib.timestamps import to_rfc3339
from homerun.model import names
from homerun.model.conditions import RECONCILING, condition
from homerun.model.defaults import EXECUTION_ENVIRONMENT
from homerun.model.names import Name
from homerun.model.revision import template_hash
from homerun.store.base import ABSENT, Put

_NOT_COPIED = ("revision", "healthCheckDisabled")
"""Template fields that a Revision does not have (google.cloud.run.v2.Revision)."""


def revision_name(owner: str, template: Mapping[str, Any], generation: int) -> str:
    """The user's choice, or `SERVICE-00001-xkc`."""
    id = template.get("revision") or f"{names.last(owner)}-{generation:05d}-{ids.consonants(3)}"
    return f"{owner}/revisions/{names.last(id)}"


def revision_document(
    owner: Mapping[str, Any], internal: Mapping[str, Any], name: str, ordinal: int, now: float
) -> Put:
    """`owner` is the body of a Service or WorkerPool, `internal` its internal part; `ordinal` counts from 1."""
    template = owner["template"]
    body = {key: value for key, value in template.items() if key not in _NOT_COPIED} | {
        "name": name,
        "uid": ids.uid(),
        "generation": "1",
        "createTime": to_rfc3339(now),
        "updateTime": to_rfc3339(now),
        "launchStage": owner.get("launchStage", "GA"),
        "creator": owner.get("lastModifier", owner.get("creator", "")),
        "reconciling": True,
        "conditions": [condition("Ready", RECONCILING, now, message="Importing the image.")],
    }
    is_worker = Name.parse(owner["name"]).kind == "WorkerPool"
    if is_worker:
        body["executionEnvironment"] = EXECUTION_ENVIRONMENT
    else:
        body["service"] = names.last(owner["name"])
    # What is scaled by hand to none is disabled: nothing runs, not even to be checked (contract §1.9, §2.3).
    scaling = owner.get("scaling", {})
    by_hand = is_worker or scaling.get("scalingMode") == "MANUAL"
    disabled = by_hand and scaling.get("manualInstanceCount") == 0
    kept = {
        "ordinal": ordinal,
        "skip_check": disabled or bool(template.get("healthCheckDisabled")),
        "v1": internal.get("v1", []),
        "template_hash": template_hash(template, internal.get("v1", [])),
    }
    return Put("Revision", name, body, kept, if_version=ABSENT)
