"""The rules of labels and annotations (contract §7.2), paths below what has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from homerun.model import limits
from homerun.model.limits import AtMost
from homerun.model.rules import Rule, below, field

_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = limits.Text(
    r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", "at most 63 letters, digits, '-', '_' and '.'"
)
_KEYS = "at most 63 letters, digits, '-', '_' and '.', after a DNS prefix with a slash if any"


def _keys(values: Mapping[str, str], owner: str) -> Iterator[tuple[str, str]]:
    for key in values:
        if not _KEY.fullmatch(key):
            yield f"[{key}]", f"the key must have {_KEYS}"


def _size(values: Mapping[str, str], owner: str) -> Iterator[tuple[str, str]]:
    size = sum(len(key) + len(value) for key, value in values.items())
    if size > limits.ANNOTATIONS:
        yield "", f"has {size} characters in keys and values; at most {limits.ANNOTATIONS} are allowed"


def _reserved(values: Mapping[str, str], owner: str) -> Iterator[tuple[str, str]]:
    for key in values:
        prefix, slash, _ = key.partition("/")
        if slash and prefix in limits.RESERVED_NAMESPACES:
            yield f"[{key}]", f"{prefix} is a reserved namespace"


METADATA = (
    field("labels", AtMost(limits.LABELS, "labels"), "§7.2"),
    Rule("labels[*]", f"the key: {_KEYS}", "§7.2", _keys, at="labels"),
    field("labels[*]", _VALUE, "§7.2"),
    Rule("annotations[*]", f"the key: {_KEYS}", "§7.2", _keys, at="annotations"),
    Rule("annotations", f"at most {limits.ANNOTATIONS:,} characters together", "§7.2", _size),
)

_NAMESPACES = f"none of {', '.join(limits.RESERVED_NAMESPACES)} (v1 gives them a meaning)"
_RESERVED = tuple(Rule(key, _NAMESPACES, "§7.2", _reserved) for key in ("labels", "annotations"))
RESERVED = (*_RESERVED, *below("template", _RESERVED))
"""For callers of v2."""
