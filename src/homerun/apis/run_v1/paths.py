"""A field's path as a v1 caller knows it, from its v2 path: errors name fields in the caller's own version."""

from __future__ import annotations

import re
from functools import cache

from homerun.apis.run_v1.per_container import CPU_IDLE, STARTUP_BOOST
from homerun.apis.run_v1.tables import LAYOUTS, RUN, TABLES

_ANNOTATIONS = "spec.template.metadata.annotations"
_ANNOTATED = (
    (r"containers\[\d*\]\.dependsOn.*", RUN + "container-dependencies"),
    (r"containers\[\d*\]\.baseImageUri.*", RUN + "base-images"),
    (r"containers\[\d*\]\.sourceCode.*", RUN + "sources"),
    (r"containers\[\d*\]\.resources\.cpuIdle", CPU_IDLE),
    (r"containers\[\d*\]\.resources\.startupCpuBoost", STARTUP_BOOST),
    (r"volumes\[\d*\]\.cloudSqlInstance.*", RUN + "cloudsql-instances"),
)
"""Below the template's spec in v2, an annotation of the template in v1."""

_RENAMED = (
    (r"\.valueSource\.secretKeyRef\.secret$", ".valueFrom.secretKeyRef.name"),
    (r"\.valueSource\.secretKeyRef\.version$", ".valueFrom.secretKeyRef.key"),
    (r"\.valueSource\b", ".valueFrom"),
    (r"(volumes\[\d*\])\.secret\.secret$", r"\1.secret.secretName"),
    (r"(volumes\[\d*\]\.secret\.items\[\d*\])\.version$", r"\1.key"),
    (r"(volumes\[\d*\])\.gcs\.bucket$", r"\1.csi.volumeAttributes[bucketName]"),
    (r"(volumes\[\d*\])\.gcs\.mountOptions.*$", r"\1.csi.volumeAttributes[mountOptions]"),
    (r"(volumes\[\d*\])\.gcs\b", r"\1.csi"),
    (r"^(spec\.(?:traffic|instanceSplits)\[\d*\])\.revision$", r"\1.revisionName"),
    (r"^(spec\.(?:traffic|instanceSplits)\[\d*\])\.type$", r"\1.latestRevision"),
)
"""Where the place is the same and the name is not."""


def v1_path(kind: str, v2_path: str) -> str:
    """What is in no table keeps its v2 path."""
    for row in _rows(kind):
        if rest := _below(v2_path, row[0]):
            return row[1] + rest[1:]
    for pattern, v1 in _annotated(kind):
        if pattern.fullmatch(v2_path):
            return v1
    for v2, v1 in _places(kind):
        if rest := _below(v2_path, v2):
            return renamed(v1 + rest[1:])
    return v2_path


def _below(path: str, prefix: str) -> str:
    """`=` and the rest of the path, or empty when `path` is not in `prefix`."""
    if path == prefix or path.startswith((f"{prefix}[", f"{prefix}.")):
        return "=" + path[len(prefix) :]
    return ""


def renamed(path: str) -> str:
    """The end of a path whose beginning is that of v1 already."""
    for pattern, name in _RENAMED:
        path, found = re.subn(pattern, name, path)
        if found:
            break
    return path


@cache
def _rows(kind: str) -> list[tuple[str, str]]:
    """The longest first: what is within a field comes before the field."""
    return sorted(((row.v2_path, row.v1_path) for row in TABLES[kind]), key=lambda row: -len(row[0]))


@cache
def _annotated(kind: str) -> list[tuple[re.Pattern[str], str]]:
    spec = re.escape(".".join(LAYOUTS[kind].v2_spec))
    policy = (re.compile(r"binaryAuthorization.*"), f"metadata.annotations[{RUN}binary-authorization]")
    return [policy] + [(re.compile(rf"{spec}\.{pattern}"), f"{_ANNOTATIONS}[{key}]") for pattern, key in _ANNOTATED]


@cache
def _places(kind: str) -> list[tuple[str, str]]:
    """v2 prefix -> v1 prefix; the first that fits."""
    layout = LAYOUTS[kind]
    return [
        ("template.labels", "spec.template.metadata.labels"),
        ("template.annotations", _ANNOTATIONS),
        (".".join(layout.v2_spec), ".".join(layout.v1_spec)),
        ("template", "spec.template.spec"),
        ("traffic", "spec.traffic"),
        ("instanceSplits", "spec.instanceSplits"),
        ("labels", "metadata.labels"),
        ("annotations", "metadata.annotations"),
        ("name", "metadata.name"),
    ]
