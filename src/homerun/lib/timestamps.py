"""RFC 3339 in and out, the way proto3 JSON writes a Timestamp: UTC, `Z`, microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"\.(\d+)")


def to_rfc3339(seconds: float) -> str:
    """`1732446000.25` -> `2024-11-24T11:00:00.250000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_rfc3339(text: str) -> float:
    """Seconds since 1970. Raises ValueError when `text` is no timestamp. Digits past microseconds are dropped."""
    trimmed = _FRACTION.sub(lambda m: "." + m.group(1)[:6].ljust(6, "0"), text, count=1)
    parsed = datetime.fromisoformat(trimmed)
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()
