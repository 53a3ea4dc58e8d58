"""Containers: nearly the same in both versions (contract §7.5)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_SAME = ("name", "image", "command", "args", "workingDir", "ports", "startupProbe", "livenessProbe", "readinessProbe")
_PROBE = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "failureThreshold",
    "httpGet",
    "tcpSocket",
    "grpc",
)
_NESTED = {
    "ports": ("name", "containerPort"),
    "httpGet": ("path", "port", "httpHeaders"),
    "tcpSocket": ("port",),
    "grpc": ("port", "service"),
    "env": ("name", "value"),
}
"""What v2 has of these; v1 has more (`protocol`, `host`, `scheme`, …), which stays behind as baggage."""


def to_v2(container: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: copy.deepcopy(container[key]) for key in _SAME if container.get(key)}
    if "ports" in made:
        made["ports"] = [_only(port, _NESTED["ports"]) for port in made["ports"]]
    for key in ("startupProbe", "livenessProbe", "readinessProbe"):
        if key in made:
            made[key] = _probe(made[key])
    if container.get("env"):
        made["env"] = [_env(variable) for variable in container["env"]]
    if limits := container.get("resources", {}).get("limits"):
        made["resources"] = {"limits": dict(limits)}
    return made


def to_v1(container: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: copy.deepcopy(container[key]) for key in _SAME if container.get(key)}
    if container.get("env"):
        made["env"] = [{"name": v["name"], "value": v.get("value", "")} for v in container["env"]]
    if limits := container.get("resources", {}).get("limits"):
        made["resources"] = {"limits": dict(limits)}
    return made


def _env(variable: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": variable.get("name", ""), "value": variable.get("value", "")}


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    made = _only(probe, _PROBE)
    for kind in ("httpGet", "tcpSocket", "grpc"):
        if kind in made:
            made[kind] = _only(made[kind], _NESTED[kind])
    return made


def _only(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}
