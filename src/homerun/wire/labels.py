"""Kubernetes label selectors: `app = web,tier in (a, b),!old`, as the v1 API's labelSelector takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from homerun.lib.errors import Invalid

_SET = re.compile(r"\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)\s*")
_EQUALITY = re.compile(r"\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<values>[^\s!=,()]*)\s*")
_EXISTS = re.compile(r"\s*(?P<op>!?)\s*(?P<key>[^\s!=,()]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """`wanted` False: the label's value must be none of `values`. `values` None: the key's presence alone counts."""

    key: str
    values: frozenset[str] | None
    wanted: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found == self.wanted


@dataclass(frozen=True, slots=True)
class Selector:
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)

    def value(self, key: str) -> str | None:
        """The one value that `key` must have, if the selector demands one."""
        for r in self.requirements:
            if r.key == key and r.wanted and r.values is not None and len(r.values) == 1:
                return next(iter(r.values))
        return None


def parse_selector(text: str, field: str = "labelSelector") -> Selector:
    """Raises Invalid."""
    requirements, position = [], 0
    while position < len(text.rstrip()):
        match = _SET.match(text, position) or _EQUALITY.match(text, position) or _EXISTS.match(text, position)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise Invalid.field(
                field, f"cannot read {text[position:]!r}: write key = value, key != value, key in (a, b), key or !key"
            )
        requirements.append(_requirement(match))
        position = match.end() + 1
    return Selector(tuple(requirements))


def _requirement(match: re.Match[str]) -> Requirement:
    op, parts = match["op"], match.groupdict()
    if "values" not in parts:
        return Requirement(match["key"], None, wanted=not op)
    values = frozenset(value.strip() for value in match["values"].split(","))
    return Requirement(match["key"], values, wanted=op in ("=", "==", "in"))
