"""What v1 says in one annotation of the template, and v2 in a field of each container (contract §7.5).

CPU allocation is a single answer for the whole instance in v1; the rest are JSON objects by the container's name.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.apis.run_v1.codecs import BOOL, read_json
from homerun.apis.run_v1.tables import RUN

Json = dict[str, Any]
CPU_IDLE = RUN + "cpu-throttling"
STARTUP_BOOST = RUN + "startup-cpu-boost"
_OBJECT = re.compile(r"gs://([^/]+)/([^#]+)(?:#(\d+))?")


@dataclass(frozen=True, slots=True)
class _ByName:
    """`to_v2` raises ValueError; `to_v1` answers None for what it has no words for."""

    field: str
    to_v2: Callable[[Any], Any]
    to_v1: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a JSON object of texts, and has {value!r}")
    return value


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"must be a JSON object of lists of container names, and has {value!r}")
    return value


def _source_to_v2(value: Any) -> Json:
    match = _OBJECT.fullmatch(_text(value))
    if not match:
        raise ValueError(f"must name objects as gs://BUCKET/OBJECT, and has {value!r}")
    source = {"bucket": match[1], "object": match[2]} | ({"generation": match[3]} if match[3] else {})
    return {"cloudStorageSource": source}


def _source_to_v1(source: Mapping[str, Any]) -> str | None:
    stored = source.get("cloudStorageSource", {})
    generation = f"#{stored['generation']}" if "generation" in stored else ""
    text = f"gs://{stored.get('bucket', '')}/{stored.get('object', '')}{generation}"
    try:
        back = _source_to_v2(text)
    except ValueError:
        return None
    return text if back["cloudStorageSource"] == stored else None


_BY_NAME = {
    RUN + "container-dependencies": _ByName("dependsOn", _names, lambda value: value or None),
    RUN + "base-images": _ByName("baseImageUri", _text, lambda value: value or None),
    RUN + "sources": _ByName("sourceCode", _source_to_v2, _source_to_v1),
}


def to_v2(annotations: Mapping[str, str], containers: Sequence[Json], *, throttled: bool) -> Iterator[tuple[str, str]]:
    """Fill in the v2 `containers`; yield the annotations that are wrong, with why.

    `throttled`: CPU may be idle, a service's; v1's default is that it is.
    """
    for key, spread in _BY_NAME.items():
        if key in annotations:
            try:
                _spread(annotations[key], spread, containers)
            except ValueError as error:
                yield key, str(error)
    if throttled:
        yield from _cpu_to_v2(annotations, containers)


def _spread(text: str, spread: _ByName, containers: Sequence[Json]) -> None:
    values = read_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"must be a JSON object by container name, and is {text[:200]!r}")
    converted = {name: spread.to_v2(value) for name, value in values.items()}
    names = [container.get("name", "") for container in containers]
    if spread.field == "dependsOn" and (unknown := [name for name in converted if name not in names]):
        raise ValueError(f"no container is named {unknown[0]!r}")
    for container in containers:
        if container.get("name", "") in converted:
            container[spread.field] = copy.deepcopy(converted[container.get("name", "")])


def _cpu_to_v2(annotations: Mapping[str, str], containers: Sequence[Json]) -> Iterator[tuple[str, str]]:
    for key, field, default in ((CPU_IDLE, "cpuIdle", True), (STARTUP_BOOST, "startupCpuBoost", None)):
        value = default
        try:
            if annotations.get(key):
                value = BOOL.to_v2(annotations[key])
        except ValueError as error:
            yield key, str(error)
        if value is not None:
            for container in containers:
                container.setdefault("resources", {})[field] = value


def to_v1(containers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The annotations for these v2 containers. Of answers that differ, the first container's."""
    made: dict[str, str] = {}
    for key, spread in _BY_NAME.items():
        values = {
            c.get("name", ""): value
            for c in containers
            if c.get(spread.field) and (value := spread.to_v1(c[spread.field])) is not None
        }
        if values:
            made[key] = json.dumps(values, separators=(",", ":"))
    resources = [c["resources"] for c in containers if c.get("resources")]
    idle = next((r["cpuIdle"] for r in resources if "cpuIdle" in r), True)
    if not idle:
        made[CPU_IDLE] = "false"
    boost = next((r["startupCpuBoost"] for r in resources if "startupCpuBoost" in r), None)
    if boost is not None:
        made[STARTUP_BOOST] = "true" if boost else "false"
    return made
