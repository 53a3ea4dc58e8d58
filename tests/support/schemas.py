"""Documents of any shape that a published schema allows, for hypothesis: nothing is picked by hand but some values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from homerun.wire.discovery import description

words = st.text("abcxyz", min_size=1, max_size=5)
texts = st.one_of(words, st.sampled_from(["", "a/b", "a:b,c", "x y", "ä", '"', "1", "true", "gs://b/o#7"]))
own_keys = st.one_of(words, st.builds("{}.example/{}".format, words, words))
labels = st.dictionaries(own_keys, words, max_size=2)

Overrides = Mapping[str, st.SearchStrategy[Any]]
"""`Schema.field`, or `.field` in any schema -> its values."""


def documents(api: str, schema: str, overrides: Overrides) -> st.SearchStrategy[dict[str, Any]]:
    """Messages `schema` of `api` with any of the fields that a client may write."""
    return _Generator(api, overrides).message(schema)


class _Generator:
    def __init__(self, api: str, overrides: Overrides) -> None:
        self._schemas = description(api).schemas
        self._overrides = overrides
        self._made: dict[str, st.SearchStrategy[Any]] = {}

    def message(self, name: str) -> st.SearchStrategy[Any]:
        if name not in self._made:
            self._made[name] = st.deferred(lambda: self._fields(name))
        return self._made[name]

    def _fields(self, name: str) -> st.SearchStrategy[Any]:
        """A few fields of each message, so that documents stay small and every field gets its turn."""
        fields = {
            field: self._field(name, field, schema)
            for field, schema in self._schemas[name].get("properties", {}).items()
            if not schema.get("readOnly")
        }
        chosen = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=6) if fields else st.just([])
        return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: fields[key] for key in keys}))

    def _field(self, message: str, field: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        for key in (f"{message}.{field}", f".{field}"):
            if key in self._overrides:
                return self._overrides[key]
        return self._value(schema)

    def _value(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            return self.message(schema["$ref"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        match schema["type"], schema.get("format"):
            case "array", _:
                return st.lists(self._value(schema["items"]), min_size=1, max_size=2)
            case "object", _:
                return st.dictionaries(words, self._value(schema["additionalProperties"]), max_size=2)
            case "boolean", _:
                return st.booleans()
            case "integer", _:
                return st.integers(0, 999_999)
            case "number", _:
                return st.sampled_from([0.0, 0.1, 0.65, 0.95])
            case "string", "int64":
                return st.integers(0, 1 << 40).map(str)
            case "string", "google-duration":
                return st.sampled_from(["0s", "1s", "300s", "3600s", "7200s", "1.5s", "0.000000001s"])
            case "string", "google-datetime":
                return st.just("2026-01-31T12:00:00Z")
            case "string", "byte":
                return st.sampled_from(["", "YQ=="])
        return texts
