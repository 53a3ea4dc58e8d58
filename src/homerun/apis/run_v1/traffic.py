"""Traffic targets of both versions (contract §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.model.names import last

Json = dict[str, Any]
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"


def to_v2(target: Mapping[str, Any]) -> Json:
    """latestRevision is true where no revision is named."""
    made: Json = {"type": BY_REVISION, "revision": target["revisionName"]} if target.get("revisionName") else {}
    if not made or target.get("latestRevision"):
        made["type"] = LATEST
    return made | {key: target[key] for key in ("percent", "tag") if target.get(key)}


def to_v1(target: Mapping[str, Any]) -> Json:
    made: Json = {"latestRevision": True}
    if target.get("type") == BY_REVISION or target.get("revision"):
        made = {"revisionName": last(target.get("revision", ""))}
    return made | {key: target[key] for key in ("percent", "tag") if target.get(key)}
