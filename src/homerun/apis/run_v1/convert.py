"""Services, worker pools and jobs as their authors write them: v1 -> v2 and back, without loss.

Scalar fields and annotations go by the tables; what has a shape of its own (containers, volumes, traffic) has a file of
its own. What one version has no place for travels as a difference (difference.py): on the way to v2 it is baggage that
is kept beside the document, on the way to v1 it is an annotation, which comes back when a client writes what it read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from homerun.apis.run_v1 import containers, per_container, secrets, traffic, volumes
from homerun.apis.run_v1.difference import Entry, difference, restored
from homerun.apis.run_v1.paths import v1_path
from homerun.apis.run_v1.tables import (
    LAYOUTS,
    OUTPUT_ANNOTATIONS,
    OUTPUT_LABELS,
    RUN,
    SERVER_METADATA,
    TABLES,
    TEMPLATE_METADATA,
)
from homerun.lib.errors import Violation
from homerun.model import limits
from homerun.wire.discovery import description
from homerun.wire.schema import parse

Json = dict[str, Any]
SECRETS, CLOUD_SQL = RUN + "secrets", RUN + "cloudsql-instances"
BINARY_AUTHORIZATION = RUN + "binary-authorization"
SCALING_MODE = RUN + "scalingMode"
V2_ONLY = "homerun.dev/v2-only"
"""The annotation with what v2 has and v1 cannot say."""


def to_v2(kind: str, v1: Mapping[str, Any]) -> tuple[Json, list[Violation]]:
    """The v2 body, and what is wrong with values that v1 writes in a way of its own."""
    v2: Json = {}
    violations: list[Violation] = []
    for row in TABLES[kind]:
        value = _get(v1, row.v1)
        if value in (None, ""):
            continue
        try:
            converted = row.codec.to_v2(value)
        except ValueError as error:
            violations.append(Violation(row.v1_path, str(error)))
        else:
            if converted not in ([], {}):
                _set(v2, row.v2, converted)
    v2 |= _metadata_to_v2(v1.get("metadata", {}))
    template = _get(v1, TEMPLATE_METADATA) or {}
    if own := _metadata_to_v2(template):
        v2["template"] = v2.get("template", {}) | own
    violations += _spec_to_v2(kind, _get(v1, LAYOUTS[kind].v1_spec) or {}, template.get("annotations", {}), v2)
    annotations = v1.get("metadata", {}).get("annotations", {})
    if policy := annotations.get(BINARY_AUTHORIZATION):
        chosen = {"useDefault": True} if policy == "default" else {"policy": policy}
        v2["binaryAuthorization"] = v2.get("binaryAuthorization", {}) | chosen
    layout = LAYOUTS[kind]
    if targets := v1.get("spec", {}).get(layout.shares):
        v2[layout.shares] = [traffic.to_v2(target, layout.share_type) for target in targets]
    if kind == "WorkerPool" and annotations.get(SCALING_MODE, "manual") != "manual":
        found = f"must be manual, and is {annotations[SCALING_MODE]!r}: worker pools have as many instances as you say"
        violations.append(Violation(f"metadata.annotations[{SCALING_MODE}]", found))
    if V2_ONLY in annotations:
        v2, wrong = _with_v2_only(kind, v2, annotations[V2_ONLY])
        violations += wrong
    return v2, violations


def to_v1(kind: str, v2: Mapping[str, Any], aliases: str = "") -> Json:
    """`metadata.{labels,annotations}` and `spec`, without what the server adds.

    `v2`: the part that its author wrote. `aliases`: the secrets annotation of its author, whose names are used again.
    """
    v1 = shown(kind, v2, aliases)
    back, _ = to_v2(kind, v1)
    if lost := difference(v2, back, exact=True):
        v1["metadata"].setdefault("annotations", {})[V2_ONLY] = json.dumps(lost, separators=(",", ":"))
    return v1


def shown(kind: str, v2: Mapping[str, Any], aliases: str = "") -> Json:
    """As `to_v1`, without what v1 cannot say: for objects that nobody writes back."""
    v1: Json = {"metadata": {}, "spec": {"template": {"metadata": {}}}}
    for row in TABLES[kind]:
        value = _get(v2, row.v2)
        written = row.codec.to_v1(value) if value is not None and value != "" else None
        if written is not None:
            _set(v1, row.v1, written)
    template = v1["spec"]["template"]["metadata"]
    _metadata_to_v1(v2, v1["metadata"])
    _metadata_to_v1(v2.get("template", {}), template)
    _set(v1, LAYOUTS[kind].v1_spec, _spec_to_v1(kind, v2, template, aliases, _get(v1, LAYOUTS[kind].v1_spec) or {}))
    authorization = v2.get("binaryAuthorization", {})
    if policy := authorization.get("policy") or ("default" if authorization.get("useDefault") else ""):
        v1["metadata"].setdefault("annotations", {})[BINARY_AUTHORIZATION] = policy
    if targets := v2.get(LAYOUTS[kind].shares):
        v1["spec"][LAYOUTS[kind].shares] = [traffic.to_v1(target) for target in targets]
    if kind == "WorkerPool" and "manualInstanceCount" in v2.get("scaling", {}):
        v1["metadata"].setdefault("annotations", {})[SCALING_MODE] = "manual"
    return v1


def baggage(kind: str, v1: Mapping[str, Any], v2: Mapping[str, Any]) -> list[Entry]:
    """What of `v1` is not in `v2`, its conversion."""
    sent: Json = {"metadata": dict(v1.get("metadata", {})), "spec": v1.get("spec", {})}
    for field, output in (("labels", OUTPUT_LABELS), ("annotations", OUTPUT_ANNOTATIONS)):
        values = sent["metadata"].get(field, {})
        sent["metadata"][field] = {k: v for k, v in values.items() if k not in output and k != V2_ONLY}
    for key in SERVER_METADATA:
        sent["metadata"].pop(key, None)
    return [entry for entry in difference(sent, shown(kind, v2)) if not _names_secret(entry[0])]


def aliases_of(entries: Sequence[Entry]) -> str:
    """The secrets annotation as its author wrote it, in the baggage of a v1 object."""
    path = [*TEMPLATE_METADATA, "annotations", SECRETS]
    return next((sent or "" for at, _, sent in entries if at == path), "")


def path_to_v1(kind: str) -> Callable[[str], str]:
    return lambda path: v1_path(kind, path)


def _names_secret(path: Sequence[Any]) -> bool:
    """The author's aliases come back by way of the annotation: an alias without it would name another secret."""
    return path[-2:] in (["secretKeyRef", "name"], ["secret", "secretName"])


def _spec_to_v2(kind: str, spec: Mapping[str, Any], annotations: Mapping[str, str], v2: Json) -> list[Violation]:
    """What runs: containers, volumes, sandboxes."""
    violations: list[Violation] = []
    at, layout = "spec.template.metadata.annotations", LAYOUTS[kind]
    try:
        aliases = secrets.parse_aliases(annotations.get(SECRETS, ""))
    except ValueError as error:
        aliases = {}
        violations.append(Violation(f"{at}[{SECRETS}]", str(error)))
    made: Json = {}
    if spec.get("containers"):
        made["containers"] = [containers.to_v2(container, aliases) for container in spec["containers"]]
    for index, volume in enumerate(spec.get("volumes", ())):
        converted, wrong = volumes.to_v2(volume, aliases)
        made.setdefault("volumes", []).append(converted)
        path = f"{'.'.join(layout.v1_spec)}.volumes[{index}]"
        violations += [Violation(f"{path}.{v.field}", v.description) for v in wrong]
    if "sandboxes" in spec:
        templates = spec["sandboxes"].get("templates", ())
        made["sandboxes"] = _templates(containers.to_v2(item, aliases, containers.SANDBOX) for item in templates)
    if instances := annotations.get(CLOUD_SQL):
        volumes.add_cloud_sql(instances, made)
    spread = per_container.to_v2(annotations, made.get("containers", ()), throttled=layout.throttled)
    violations += [Violation(f"{at}[{key}]", problem) for key, problem in spread]
    if made:
        _set(v2, layout.v2_spec, (_get(v2, layout.v2_spec) or {}) | made)
    return violations


def _spec_to_v1(kind: str, v2: Mapping[str, Any], metadata: Json, aliases: str, made: Json) -> Json:
    """`made`: the v1 spec so far; `metadata`: the template's, which gets annotations."""
    spec = dict(_get(v2, LAYOUTS[kind].v2_spec) or {})
    chosen = secrets.aliases_for(spec, secrets.parse_aliases(aliases))
    annotations = {
        CLOUD_SQL: volumes.take_cloud_sql(spec),
        SECRETS: secrets.format_aliases(chosen),
        **per_container.to_v1(spec.get("containers", ())),
    }
    if own := {key: value for key, value in annotations.items() if value}:
        metadata["annotations"] = metadata.get("annotations", {}) | own
    names = {name: alias for alias, name in chosen.items()}
    if spec.get("containers"):
        made["containers"] = [containers.to_v1(container, names) for container in spec["containers"]]
    if spec.get("volumes"):
        made["volumes"] = [volumes.to_v1(volume, names) for volume in spec["volumes"]]
    if "sandboxes" in spec:
        templates = spec["sandboxes"].get("templates", ())
        made["sandboxes"] = _templates(containers.to_v1(item, names, containers.SANDBOX) for item in templates)
    return made


def _templates(made: Any) -> Json:
    found = list(made)
    return {"templates": found} if found else {}


def _metadata_to_v2(metadata: Mapping[str, Any]) -> Json:
    """What is in the platform's namespaces means something (the tables know what) or is baggage."""
    made: Json = {}
    for field in ("labels", "annotations"):
        if own := {key: value for key, value in metadata.get(field, {}).items() if not _reserved(key)}:
            made[field] = own
    return made


def _metadata_to_v1(v2: Mapping[str, Any], metadata: Json) -> None:
    for field in ("labels", "annotations"):
        if own := v2.get(field):
            metadata[field] = {**metadata.get(field, {}), **own}


def _reserved(key: str) -> bool:
    return "/" in key and key.partition("/")[0] in limits.RESERVED_NAMESPACES


def _with_v2_only(kind: str, v2: Json, text: str) -> tuple[Json, list[Violation]]:
    """Anybody may have written the annotation: what it makes of `v2` is looked at like a v2 request."""
    at = f"metadata.annotations[{V2_ONLY}]"
    try:
        entries = msgspec.json.decode(text, type=list[tuple[list[str | int], Any, Any]])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return v2, [Violation(at, "must be left as homerun wrote it, or left out")]
    changed = restored(v2, [[path, made, sent] for path, made, sent in entries if path])
    parsed, wrong = parse(description("run.v2").schemas, f"GoogleCloudRunV2{kind}", changed)
    return parsed, [Violation(at, f"{violation.field}: {violation.description}") for violation in wrong]


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
