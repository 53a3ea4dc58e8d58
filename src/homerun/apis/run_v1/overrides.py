"""The overrides of one run of a job: v1 has seconds where v2 has a duration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overrides_to_v2(overrides: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in overrides.items() if key != "timeoutSeconds"}
    if overrides.get("timeoutSeconds"):
        made["timeout"] = f"{overrides['timeoutSeconds']}s"
    return made


def overrides_path(path: str) -> str:
    return path.replace("overrides.timeout", "overrides.timeoutSeconds")
