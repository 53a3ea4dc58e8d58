"""Google's published descriptions of its REST APIs: methods with their paths, and schemas of what they carry.

Read from the discovery documents inside google-api-python-client, so nothing of Google's surface is copied by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_NEWER = {"run.v2": {"GoogleCloudRunV2Probe": {"successThreshold": {"type": "integer", "format": "int32"}}}}
"""Fields that the platform takes and its published description has not yet (contract §7.1), by schema."""


@dataclass(frozen=True, slots=True)
class Method:
    """`id`: `run.projects.locations.services.create`. `path`: a template, `v2/projects/{projectsId}/…:verb`.

    `request`: the name of the body's schema, or empty. `parameters`: those of the query; None: whatever is sent.
    `short`: the path with its resource name in one piece, `v2/{+parent}/services`; empty for what is in no description.
    """

    id: str
    verb: str
    path: str
    request: str
    parameters: frozenset[str] | None = None
    short: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """One discovery document, e.g. `run.v2`."""

    methods: Mapping[str, Method]
    schemas: Mapping[str, Any]


@cache
def description(api: str) -> Description:
    """`api`: `run.v1`, `run.v2`, ..."""
    text = files("googleapiclient.discovery_cache.documents").joinpath(f"{api}.json").read_text()
    document = json.loads(text)
    for schema, fields in _NEWER.get(api, {}).items():
        properties = document["schemas"][schema]["properties"]
        document["schemas"][schema]["properties"] = fields | properties
    common = frozenset(document["parameters"])
    return Description({method.id: method for method in _methods(document, common)}, document["schemas"])


def _methods(resource: Mapping[str, Any], common: frozenset[str]) -> Iterator[Method]:
    for method in resource.get("methods", {}).values():
        path = method.get("flatPath") or method["path"]
        query = {name for name, value in method.get("parameters", {}).items() if value["location"] == "query"}
        request = method.get("request", {}).get("$ref", "")
        yield Method(method["id"], method["httpMethod"], path, request, common | query, method["path"])
    for child in resource.get("resources", {}).values():
        yield from _methods(child, common)
