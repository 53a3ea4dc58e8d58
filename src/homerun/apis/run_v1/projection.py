"""The part of a value that another version's schema has a place for. Most of a container is the same in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.wire.discovery import description


def kept(value: Mapping[str, Any], api: str, schema: str) -> dict[str, Any]:
    """`value` with only those fields that the message `schema` of `api` has as well, all the way down."""
    return _message(value, description(api).schemas, schema)


def _message(value: Mapping[str, Any], schemas: Mapping[str, Any], schema: str) -> dict[str, Any]:
    fields = schemas[schema].get("properties", {})
    return {key: _value(item, schemas, fields[key]) for key, item in value.items() if key in fields}


def _value(value: Any, schemas: Mapping[str, Any], field: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_value(item, schemas, field["items"]) for item in value]
    if isinstance(value, dict):
        return _message(value, schemas, field["$ref"]) if "$ref" in field else dict(value)
    return value
