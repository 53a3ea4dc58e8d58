"""Kubernetes quantities, as `resources.limits` writes them: `500m`, `2`, `512Mi`, `1G`."""

from __future__ import annotations

import re

_BYTES = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGT]i?|Ki)?")


def parse_cpu(text: str) -> float:
    """Cores: `1000m` and `1` are 1.0. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if not match or match[2] not in (None, "m"):
        raise ValueError(f"{text!r} is no amount of CPU: write cores (1, 2, 0.5) or millicores (500m)")
    return float(match[1]) / (1000 if match[2] else 1)


def parse_bytes(text: str) -> int:
    """Bytes: `512Mi` is 536870912. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if not match or (match[2] or "") not in _BYTES:
        raise ValueError(f"{text!r} is no amount of memory: write a number with a unit, such as 512Mi or 2Gi")
    return int(float(match[1]) * _BYTES[match[2] or ""])


def parse_seconds(text: str) -> float:
    """A proto3 JSON Duration: `300s`, `0.5s`. Raises ValueError."""
    if not re.fullmatch(r"\d+(\.\d{1,9})?s", text):
        raise ValueError(f"{text!r} is no duration: write seconds with an s, such as 300s")
    return float(text[:-1])
