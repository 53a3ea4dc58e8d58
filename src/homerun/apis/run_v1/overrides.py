"""The overrides of one run of a job: v1 has seconds where v2 has a duration, and another name for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VARIABLE = {"valueFrom": "valueSource"}


def overrides_to_v2(overrides: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in overrides.items() if key != "timeoutSeconds"}
    if overrides.get("timeoutSeconds"):
        made["timeout"] = f"{overrides['timeoutSeconds']}s"
    if "containerOverrides" in made:
        made["containerOverrides"] = [_container(override) for override in made["containerOverrides"]]
    return made


def _container(override: Mapping[str, Any]) -> dict[str, Any]:
    if "env" not in override:
        return dict(override)
    env = [{_VARIABLE.get(key, key): value for key, value in variable.items()} for variable in override["env"]]
    return {**override, "env": env}


def overrides_path(path: str) -> str:
    return path.replace("overrides.timeout", "overrides.timeoutSeconds").replace("].valueSource", "].valueFrom")
