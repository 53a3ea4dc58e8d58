"""Containers: nearly the same in both versions (contract §7.5). What differs is where variables come from.

Sandbox templates are containers too, with fewer fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.run_v1.projection import kept

Json = dict[str, Any]
CONTAINER, SANDBOX = "Container", "SandboxTemplate"


def to_v2(container: Mapping[str, Any], aliases: Mapping[str, str], schema: str = CONTAINER) -> Json:
    """`aliases`: of secrets, alias -> full name."""
    made = _full(kept(container, "run.v2", f"GoogleCloudRunV2{schema}"))
    for variable, before in zip(made.get("env", ()), container.get("env", ()), strict=True):
        if reference := (before.get("valueFrom") or {}).get("secretKeyRef"):
            variable["valueSource"] = {"secretKeyRef": secret_to_v2(reference, aliases)}
        elif "valueFrom" not in before:
            variable.setdefault("value", "")
    return made


def to_v1(container: Mapping[str, Any], aliases: Mapping[str, str], schema: str = CONTAINER) -> Json:
    """`aliases`: of secrets, full name -> alias."""
    made = _full(kept(container, "run.v1", schema))
    for variable, before in zip(made.get("env", ()), container.get("env", ()), strict=True):
        if reference := (before.get("valueSource") or {}).get("secretKeyRef"):
            variable["valueFrom"] = {"secretKeyRef": _secret_to_v1(reference, aliases)}
        elif "valueSource" not in before:
            variable.setdefault("value", "")
    return made


def _full(container: Json) -> Json:
    """gcloud sends "" for an unnamed container, and {} for resources that it does not set."""
    made = {key: value for key, value in container.items() if value not in ("", [], {})}
    if made.get("resources", {}).get("limits") == {}:
        del made["resources"]
    return made


def secret_to_v2(reference: Mapping[str, Any], aliases: Mapping[str, str]) -> Json:
    name = reference.get("name", "")
    return _given({"secret": aliases.get(name, name), "version": reference.get("key")})


def _secret_to_v1(reference: Mapping[str, Any], aliases: Mapping[str, str]) -> Json:
    name = reference.get("secret", "")
    return _given({"name": aliases.get(name, name), "key": reference.get("version")})


def _given(values: Json) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "")}
