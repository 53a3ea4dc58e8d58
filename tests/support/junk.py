"""Random JSON: right by its schema, almost right, and not right at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

TEXTS = (
    "", " ", "a", "x" * 5000, "\u0000", "\ud800", "İı\u202e", "🦊" * 40, "../..", "%2e%2e%2f", "{{}}", "[]", "null",
    "-", "NaN", "1e9", "0", "-1", "300s", "-1s", "1.5s", "999999999999s", "0.0000000001s", "9" * 25, "true",
    "2026-01-31T12:00:00Z", "0000-00-00T00:00:00Z", "2026-01-31", "9999-12-31T23:59:59.999999999+23:59",
    "500m", "1Gi", "-5Mi", "1e400", "é.é", "a/b/c", "projects/homerun/locations/us-central1/services/s0",
    "\"quoted\"", "a=b,c in (d)", "run.googleapis.com/x", "\r\nX-Injected: 1", "s0-00001-aaa", "١٢",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 7, 80, 100, 101, 1000, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, 2**64, 10**30)
FLOATS = (0.5, -0.0, 1.0, 1e308, 1e-320, 3.0)


class Junk:
    def __init__(self, random: Random) -> None:
        self._random = random

    def anything(self, depth: int = 3) -> Any:
        """JSON of no schema at all."""
        roll = self._random.random()
        if roll < 0.35:
            return self._random.choice(TEXTS)
        if roll < 0.55:
            return self._random.choice((*NUMBERS, *FLOATS))
        if roll < 0.7 or not depth:
            return self._random.choice((None, True, False, [], {}))
        if roll < 0.85:
            return [self.anything(depth - 1) for _ in range(self._random.randrange(4))]
        return {self._random.choice(TEXTS): self.anything(depth - 1) for _ in range(self._random.randrange(4))}

    def by_schema(self, schemas: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 7) -> Any:
        """Of the right shape; what it means is left to chance."""
        if "$ref" in schema:
            return self.message(schemas, schema["$ref"], depth)
        match schema.get("type"):
            case "array":
                return [self.by_schema(schemas, schema["items"], depth) for _ in range(self._random.randrange(3))]
            case "object":
                values = schema.get("additionalProperties", {"type": "any"})
                keys = [self._random.choice(TEXTS[:12] + TEXTS[-8:]) for _ in range(self._random.randrange(3))]
                return {key: self.by_schema(schemas, values, depth) for key in keys}
            case "boolean":
                return self._random.random() < 0.5
            case "integer" | "number":
                return self._random.choice(NUMBERS[:11])
            case "string":
                return self._text(schema)
        return self.anything(1)

    def message(self, schemas: Mapping[str, Any], name: str, depth: int = 7) -> Any:
        properties = schemas[name].get("properties", {})
        if not depth or not properties:
            return {}
        share = self._random.choice((0.1, 0.3, 0.8))
        keys = [key for key in properties if self._random.random() < share]
        return {key: self.by_schema(schemas, properties[key], depth - 1) for key in keys}

    def _text(self, schema: Mapping[str, Any]) -> str:
        if "enum" in schema:
            return str(self._random.choice(schema["enum"]))
        match schema.get("format"):
            case "int64":
                return str(self._random.choice(NUMBERS[:14]))
            case "google-duration":
                return f"{self._random.choice((0, 1, 60, 3600, 604800, 10**9))}s"
            case "google-datetime":
                return "2026-01-31T12:00:00Z"
            case "byte":
                return "AAAA"
        return self._random.choice(TEXTS)

    def spoiled(self, value: Any, times: int) -> Any:
        """A copy in which `times` places are replaced, removed, or have something added."""
        value = copy.deepcopy(value)
        for _ in range(times):
            places = list(_places(value))
            if not places:
                return self.anything()
            holder, key = self._random.choice(places)
            roll = self._random.random()
            if roll < 0.6:
                holder[key] = self.anything(2)
            elif roll < 0.75:
                del holder[key]
            elif roll < 0.9 and isinstance(holder, dict):
                holder[self._random.choice(TEXTS)] = self.anything(2)
            else:
                holder[key] = [holder[key]] * self._random.choice((1, 2, 30))
        return value

    def bytes(self) -> bytes:
        """What is no JSON, or none that a parser likes."""
        return self._random.choice(
            (b"{", b'{"a":', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 20_000, b"NaN", b"1" * 5000, b'{"a":1,"a":2}',
             b"\xef\xbb\xbf{}", b'{"timeout":"\\ud800"}', b"\x00", b"null", b"-", b'"' + b"x" * 200_000 + b'"',
             b'{"template":1e999}', b"a=b&c=d")
        )  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield value, key
            yield from _places(item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield value, index
            yield from _places(item)


def encoded(value: Any) -> bytes:
    """As a sloppy client would: lone surrogates and all."""
    return json.dumps(value, ensure_ascii=True).encode()
