"""Services and jobs as their authors write them: v1 -> v2 and back.

Scalar fields and annotations go by the table; what has a shape of its own (labels, containers, traffic) by hand. What
is lost on the way is kept as baggage (baggage.py), so that nothing is lost in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homerun.apis.run_v1 import containers as container_shapes
from homerun.apis.run_v1.baggage import lost
from homerun.apis.run_v1.codecs import BOOL
from homerun.apis.run_v1.tables import (
    CPU_IDLE,
    OUTPUT_ANNOTATIONS,
    OUTPUT_LABELS,
    STARTUP_BOOST,
    TABLES,
    v1_path,
)
from homerun.lib.errors import Violation
from homerun.model import limits

Json = dict[str, Any]
_LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
_BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_TEMPLATE_META = ("spec", "template", "metadata")
_CONTAINERS = {
    "Service": (("spec", "template", "spec", "containers"), ("template", "containers")),
    "Job": (("spec", "template", "spec", "template", "spec", "containers"), ("template", "template", "containers")),
}


def to_v2(kind: str, v1: Mapping[str, Any]) -> tuple[Json, list[Violation]]:
    """The v2 body, and what is wrong with values that v1 writes in a way of its own."""
    v2: Json = {}
    violations: list[Violation] = []
    for row in TABLES[kind]:
        value = _get(v1, row.v1)
        if value in (None, ""):
            continue
        try:
            _set(v2, row.v2, row.codec.to_v2(value))
        except ValueError as error:
            violations.append(Violation(row.v1_path, str(error)))
    _metadata_to_v2(v1.get("metadata", {}), v2, ())
    _metadata_to_v2(_get(v1, _TEMPLATE_META) or {}, v2, ("template",))
    v1_containers, v2_containers = _CONTAINERS[kind]
    made = [container_shapes.to_v2(container) for container in _get(v1, v1_containers) or ()]
    _set(v2, v2_containers, made)
    if kind == "Service":
        violations += _cpu_to_v2(_get(v1, (*_TEMPLATE_META, "annotations")) or {}, made)
        if traffic := _get(v1, ("spec", "traffic")):
            v2["traffic"] = [_target_to_v2(target) for target in traffic]
    return v2, violations


def to_v1(kind: str, v2: Mapping[str, Any]) -> Json:
    """`metadata.{labels,annotations}` and `spec`, without what the server adds."""
    v1: Json = {"metadata": {}, "spec": {"template": {"metadata": {}}}}
    for row in TABLES[kind]:
        value = _get(v2, row.v2)
        written = row.codec.to_v1(value) if value is not None and value != "" else None
        if written is not None:
            _set(v1, row.v1, written)
    _metadata_to_v1(v2, v1["metadata"])
    _metadata_to_v1(v2.get("template", {}), v1["spec"]["template"]["metadata"])
    v1_containers, v2_containers = _CONTAINERS[kind]
    found = _get(v2, v2_containers) or []
    _set(v1, v1_containers, [container_shapes.to_v1(container) for container in found])
    if kind == "Service":
        _cpu_to_v1(found, v1["spec"]["template"]["metadata"])
        if traffic := v2.get("traffic"):
            v1["spec"]["traffic"] = [_target_to_v1(target) for target in traffic]
    return v1


def baggage(kind: str, v1: Mapping[str, Any], v2: Mapping[str, Any]) -> Json:
    """What of `v1` is not in `v2`, its conversion."""
    sent: Json = {
        "metadata": {
            "labels": _without(v1.get("metadata", {}).get("labels", {}), OUTPUT_LABELS),
            "annotations": _without(v1.get("metadata", {}).get("annotations", {}), OUTPUT_ANNOTATIONS),
        },
        "spec": v1.get("spec", {}),
    }
    return lost(sent, to_v1(kind, v2)) or {}


def path_to_v1(kind: str) -> Callable[[str], str]:
    return lambda path: v1_path(kind, path)


def _metadata_to_v2(metadata: Mapping[str, Any], v2: Json, at: tuple[str, ...]) -> None:
    """What is in the platform's namespaces means something (the table knows what) or is baggage."""
    for field in ("labels", "annotations"):
        own = {key: value for key, value in metadata.get(field, {}).items() if not _reserved(key)}
        if own:
            _set(v2, (*at, field), own)


def _metadata_to_v1(v2: Mapping[str, Any], metadata: Json) -> None:
    for field in ("labels", "annotations"):
        if own := v2.get(field):
            metadata[field] = {**metadata.get(field, {}), **own}


def _reserved(key: str) -> bool:
    return "/" in key and key.partition("/")[0] in limits.RESERVED_NAMESPACES


def _cpu_to_v2(annotations: Mapping[str, str], containers: Sequence[Json]) -> list[Violation]:
    """v1 has one answer for the instance, v2 one for each container. Throttled is v1's default."""
    violations: list[Violation] = []
    for key, field, default in ((CPU_IDLE, "cpuIdle", True), (STARTUP_BOOST, "startupCpuBoost", False)):
        value = default
        try:
            if key in annotations:
                value = BOOL.to_v2(annotations[key])
        except ValueError as error:
            violations.append(Violation(f"spec.template.metadata.annotations[{key}]", str(error)))
        for container in containers:
            if value:
                container.setdefault("resources", {})[field] = True
            elif key in annotations:
                container.setdefault("resources", {})[field] = False
    return violations


def _cpu_to_v1(containers: Sequence[Mapping[str, Any]], metadata: Json) -> None:
    resources = [container.get("resources") or {} for container in containers]
    annotations = metadata.setdefault("annotations", {})
    if resources and not any(r.get("cpuIdle", not r) for r in resources):
        annotations[CPU_IDLE] = "false"
    elif any("cpuIdle" in r for r in resources):
        annotations[CPU_IDLE] = "true"
    if any("startupCpuBoost" in r for r in resources):
        annotations[STARTUP_BOOST] = "true" if any(r.get("startupCpuBoost") for r in resources) else "false"
    if not annotations:
        del metadata["annotations"]


def _target_to_v2(target: Mapping[str, Any]) -> Json:
    """latestRevision is true when no revision is named (contract §4.2)."""
    made: Json = {"type": _LATEST}
    if target.get("revisionName"):
        made = {"type": _BY_REVISION, "revision": target["revisionName"]}
    for key in ("percent", "tag"):
        if target.get(key):
            made[key] = target[key]
    return made


def _target_to_v1(target: Mapping[str, Any]) -> Json:
    made: Json = {}
    if target.get("type") == _BY_REVISION:
        made["revisionName"] = target["revision"].rpartition("/")[2]
    else:
        made["latestRevision"] = True
    for key in ("percent", "tag"):
        if target.get(key):
            made[key] = target[key]
    return made


def _without(values: Mapping[str, str], keys: frozenset[str]) -> Json:
    return {key: value for key, value in values.items() if key not in keys}


def _get(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _set(target: Json, path: Sequence[str], value: Any) -> None:
    *parents, leaf = path
    for key in parents:
        target = target.setdefault(key, {})
    target[leaf] = value
