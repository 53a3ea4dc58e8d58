"""Is this JSON what the published schema says? Everything that is wrong is found at once, each with its path.

What is right comes back normalised the way proto3 JSON is: camelCase names, 64-bit numbers as strings, enums by name,
durations with an `s`; null, empty lists and maps, and output-only fields are left out. Wrong parts are left out too, so
that rules about the meaning can still be applied to the rest and reported together.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from homerun.lib.errors import Violation
from homerun.wire.enums import enum_name

_ABSENT = object()
_CAMEL = re.compile(r"_([a-z0-9])")
_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_RANGE = {"int32": (-(1 << 31), (1 << 31) - 1), "int64": (-(1 << 63), (1 << 63) - 1), "uint32": (0, (1 << 32) - 1)}


def parse(schemas: Mapping[str, Any], name: str, value: Any) -> tuple[dict[str, Any], list[Violation]]:
    """`value` as the message `name` of `schemas`: what is right of it, and what is wrong with the rest."""
    parser = _Parser(schemas)
    parsed = parser.message(name, value, "")
    return (parsed if isinstance(parsed, dict) else {}), parser.violations


class _Parser:
    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self.violations: list[Violation] = []

    def message(self, name: str, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path or "body", f"must be an object ({_short(name)}), not {_kind(value)}")
        properties = self._schemas[name].get("properties", {})
        parsed: dict[str, Any] = {}
        for key, item in value.items():
            field = key if key in properties else _CAMEL.sub(lambda m: m[1].upper(), key)
            here = f"{path}.{key}" if path else key
            if field not in properties:
                if not key.startswith("@"):
                    self._wrong(here, f"Unknown field: {_short(name)} has no field {key!r}{_hint(key, properties)}")
            elif item is not None and not properties[field].get("readOnly"):
                self._keep(parsed, field, self.value(properties[field], item, here))
        return parsed

    def value(self, schema: Mapping[str, Any], value: Any, path: str) -> Any:
        if "$ref" in schema:
            return self.message(schema["$ref"], value, path)
        match schema["type"]:
            case "array":
                return self._array(schema["items"], value, path)
            case "object":
                return self._map(schema["additionalProperties"], value, path)
            case "any":
                return value
        try:
            return _SCALARS[schema["type"]](schema, value)
        except (ValueError, OverflowError) as error:
            return self._wrong(path, str(error))

    def _array(self, items: Mapping[str, Any], value: Any, path: str) -> Any:
        if not isinstance(value, list):
            return self._wrong(path, f"must be a list, not {_kind(value)}")
        found = [self.value(items, item, f"{path}[{index}]") for index, item in enumerate(value)]
        # A wrong element keeps its place, so that the paths of later ones stay right.
        return [({} if "$ref" in items else "") if item is _ABSENT else item for item in found] or _ABSENT

    def _map(self, values: Mapping[str, Any], value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, f"must be an object, not {_kind(value)}")
        parsed: dict[str, Any] = {}
        for key, item in value.items():
            self._keep(parsed, key, self.value(values, item, f"{path}[{key}]"))
        return parsed or _ABSENT

    def _keep(self, parsed: dict[str, Any], key: str, value: Any) -> None:
        if value is not _ABSENT:
            parsed[key] = value

    def _wrong(self, path: str, description: str) -> Any:
        self.violations.append(Violation(path, description))
        return _ABSENT


def _string(schema: Mapping[str, Any], value: Any) -> str:
    match schema.get("format"):
        case "int64":
            return str(_int(value, "int64"))
        case "google-duration":
            return _duration(value)
    if "enum" in schema:
        return _enum(schema["enum"], value)
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {_kind(value)}")
    match schema.get("format"):
        case "google-datetime":
            _check_datetime(value)
        case "byte":
            return _base64(value)
    return value


def _base64(value: str) -> str:
    """Both alphabets, padding optional, as the Protobuf JSON mapping allows; the standard one out."""
    standard = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64encode(base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)).decode()
    except (binascii.Error, ValueError):
        raise ValueError(f"{value[:40]!r} is not base64") from None


def _integer(schema: Mapping[str, Any], value: Any) -> int:
    return _int(value, schema.get("format", "int32"))


def _int(value: Any, format: str) -> int:
    """A number or, as the Protobuf JSON mapping allows, its digits in a string."""
    number: int | None = None
    if isinstance(value, bool):
        pass
    elif isinstance(value, int):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
        number = int(value)
    if number is None:
        raise ValueError(f"must be a whole number, not {_kind(value)}")
    low, high = _RANGE[format]
    if not low <= number <= high:
        raise ValueError(f"{number} is out of the range of {format}")
    return number


def _number(schema: Mapping[str, Any], value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number, not {_kind(value)}")
    return float(value)


def _boolean(schema: Mapping[str, Any], value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_kind(value)}")
    return value


_SCALARS: dict[str, Callable[[Mapping[str, Any], Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}


def _duration(value: Any) -> str:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f"must be a duration in seconds such as '300s', not {_kind(value)}")
    whole, _, fraction = value[:-1].partition(".")
    fraction = fraction.rstrip("0")
    return f"{int(whole)}.{fraction}s" if fraction else f"{int(whole)}s"


def _check_datetime(value: str) -> None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no RFC 3339 timestamp such as 2026-01-31T12:00:00Z") from None


def _enum(names: list[str], value: Any) -> str:
    name = enum_name(names, value) if isinstance(value, int) and not isinstance(value, bool) else value
    if name not in names:
        choices = [n for n in names if not n.endswith("_UNSPECIFIED")]
        raise ValueError(f"{value!r} is none of {', '.join(choices)}")
    return str(name)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "an object"
        case list():
            return "a list"
    return repr(value)[:60]


def _short(schema: str) -> str:
    return re.sub(r"^Google\w*?V\d", "", schema)


def _hint(key: str, known: Mapping[str, Any]) -> str:
    same = [name for name in known if name.lower() == key.replace("_", "").lower()]
    return f" (did you mean {same[0]!r}?)" if same else ""
