"""The overrides of one run of a job: v1 has seconds where v2 has a duration, and another name for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.run_v1.containers import secret_to_v2
from homerun.apis.run_v1.paths import renamed


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
    return {**override, "env": [_variable(variable) for variable in override["env"]]}


def _variable(variable: Mapping[str, Any]) -> dict[str, Any]:
    """Aliases of secrets are a template's: here, one of another project goes by its full name."""
    made = {key: value for key, value in variable.items() if key != "valueFrom"}
    if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
        made["valueSource"] = {"secretKeyRef": secret_to_v2(reference, {})}
    return made


def overrides_path(path: str) -> str:
    return renamed(path.replace("overrides.timeout", "overrides.timeoutSeconds"))
