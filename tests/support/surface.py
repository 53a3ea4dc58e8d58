"""What Google publishes of a REST API, as a fuzzer needs it: methods with all their parameters, and what they answer.

The judge of answers is strict: an answer must be what its schema says to the letter, output-only fields included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from homerun.wire.schema import parse

Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One method. `query`: schema of each parameter of its own; `request` and `response`: names of schemas or empty."""

    api: str
    id: str
    verb: str
    path: str
    query: Mapping[str, Json] = field(default_factory=dict)
    request: str = ""
    response: str = ""

    @property
    def variables(self) -> list[str]:
        return [part.partition("}")[0] for part in self.path.split("{")[1:]]

    @property
    def schemas(self) -> Mapping[str, Json]:
        return schemas(self.api) if self.api else {}


def operations(api: str) -> list[Operation]:
    return list(_operations(api, _document(api)))


@cache
def schemas(api: str) -> Mapping[str, Json]:
    found: Mapping[str, Json] = _document(api)["schemas"]
    return found


def complaints(api: str, schema: str, value: Any) -> list[str]:
    """What is wrong with `value` as an answer that is a `schema`."""
    parsed, violations = parse(_writable(api), schema, value)
    found = [f"{v.field}: {v.description}" for v in violations]
    if not found and parsed != value:
        found = [f"{path} is not in the form of its schema" for path in _differences(value, parsed, "")]
    return found


def _differences(value: Any, parsed: Any, path: str) -> Iterator[str]:
    """Empty lists and objects are no difference: proto3 JSON may have them or not."""
    if isinstance(value, dict) and isinstance(parsed, dict):
        for key, item in value.items():
            if not key.startswith("@") and item not in ([], {}):
                yield from _differences(item, parsed.get(key), f"{path}.{key}")
    elif isinstance(value, list) and isinstance(parsed, list) and len(value) == len(parsed):
        for index, (mine, theirs) in enumerate(zip(value, parsed, strict=True)):
            yield from _differences(mine, theirs, f"{path}[{index}]")
    elif value != parsed:
        yield f"{path} ({value!r:.80}, not {parsed!r:.80})"


@cache
def _writable(api: str) -> Mapping[str, Json]:
    """The schemas without output-only fields, so that a parser of requests judges answers."""
    return {name: _without(schema, "readOnly") for name, schema in schemas(api).items()}


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, key) for k, v in value.items() if k != key or isinstance(v, dict)}
    return [_without(v, key) for v in value] if isinstance(value, list) else value


@cache
def _document(api: str) -> Json:
    text = files("googleapiclient.discovery_cache.documents").joinpath(f"{api}.json").read_text()
    document: Json = json.loads(text)
    return document


def _operations(api: str, resource: Json) -> Iterator[Operation]:
    for method in resource.get("methods", {}).values():
        yield Operation(
            api,
            method["id"],
            method["httpMethod"],
            method.get("flatPath") or method["path"],
            {k: v for k, v in method.get("parameters", {}).items() if v["location"] == "query"},
            method.get("request", {}).get("$ref", ""),
            method.get("response", {}).get("$ref", ""),
        )
    for child in resource.get("resources", {}).values():
        yield from _operations(api, child)
