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


@dataclass(frozen=True, slots=True)
class Method:
    """`id`: `run.projects.locations.services.create`. `path`: a template, `v2/projects/{projectsId}/…:verb`.

    `request`: the name of the body's schema, or empty.
    """

    id: str
    verb: str
    path: str
    request: str


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
    return Description({method.id: method for method in _methods(document)}, document["schemas"])


def _methods(resource: Mapping[str, Any]) -> Iterator[Method]:
    for method in resource.get("methods", {}).values():
        path = method.get("flatPath") or method["path"]
        yield Method(method["id"], method["httpMethod"], path, method.get("request", {}).get("$ref", ""))
    for child in resource.get("resources", {}).values():
        yield from _methods(child)
