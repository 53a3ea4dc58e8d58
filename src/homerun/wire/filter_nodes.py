"""A parsed filter: a tree that can be asked about JSON objects (`matches`), and about what it demands (`required`)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homerun.wire.filter_values import compare, texts, values

Json = Mapping[str, Any]
Path = tuple[str, ...]
POSITIVE = {"!=": "=", "!~": "=~"}
"""A comparison that a missing field passes, and its opposite."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path` empty: any text of the object."""

    path: Path
    op: str
    value: str

    def matches(self, entry: Json) -> bool:
        if not self.path:
            return any(self.value.lower() in text.lower() for text in texts(entry))
        op = POSITIVE.get(self.op, self.op)
        found = any(compare(value, op, self.value, self.path) for value in values(entry, self.path))
        return found != (self.op in POSITIVE)


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]

    def matches(self, entry: Json) -> bool:
        return all(part.matches(entry) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]

    def matches(self, entry: Json) -> bool:
        return any(part.matches(entry) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    part: Node

    def matches(self, entry: Json) -> bool:
        return not self.part.matches(entry)


@dataclass(frozen=True, slots=True)
class Search:
    """Phrases of one or more whole words, each somewhere in a text; in any text of the object if `path` is empty."""

    path: Path
    phrases: tuple[tuple[str, ...], ...]

    def matches(self, entry: Json) -> bool:
        places = values(entry, self.path) if self.path else [entry]
        found = [words(text) for place in places for text in texts(place)]
        return all(any(_contains(text, phrase) for text in found) for phrase in self.phrases)


@dataclass(frozen=True, slots=True)
class InNet:
    path: Path
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def matches(self, entry: Json) -> bool:
        return any(_is_in(value, self.network) for value in values(entry, self.path))


Node = Comparison | And | Or | Not | Search | InNet


def required(node: Node, path: Path, op: str = "=") -> str | None:
    """The value that every match must have at `path`, if the filter says so outright."""
    match node:
        case Comparison() if node.path == path and node.op == op:
            return node.value
        case And():
            return next((v for part in node.parts if (v := required(part, path, op)) is not None), None)
    return None


def words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


def _contains(text: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(phrase)
    return any(text[start : start + size] == phrase for start in range(len(text) - size + 1))


def _is_in(value: Any, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(str(value)) in network
    except ValueError:
        return False
