"""Targets of traffic, or of instances, in both versions (contract §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.model.names import last

Json = dict[str, Any]


def to_v2(target: Mapping[str, Any], type: str) -> Json:
    """latestRevision is true where no revision is named. `type`: how the types begin."""
    by_name = f"{type}REVISION"
    made: Json = {"type": by_name, "revision": target["revisionName"]} if target.get("revisionName") else {}
    if not made or target.get("latestRevision"):
        made["type"] = f"{type}LATEST"
    return made | {key: target[key] for key in ("percent", "tag") if target.get(key)}


def to_v1(target: Mapping[str, Any]) -> Json:
    made: Json = {"latestRevision": True}
    if target.get("type", "").endswith("_REVISION") or target.get("revision"):
        made = {"revisionName": last(target.get("revision", ""))}
    return made | {key: target[key] for key in ("percent", "tag") if target.get(key)}
