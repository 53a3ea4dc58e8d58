"""Traffic targets of a Service, resolved against its revisions (contract §4.2). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from homerun.model import names
from homerun.model.urls import tag_url
from homerun.wire.link import RouteSet, Target

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_DEFAULT: tuple[dict[str, Any], ...] = ({"type": LATEST, "percent": 100},)


@dataclass(frozen=True, slots=True)
class Resolved:
    """`statuses`: v2 trafficStatuses. `problem`: why the targets cannot be served, or empty."""

    statuses: list[dict[str, Any]]
    problem: str = ""


def resolve(service: Mapping[str, Any], latest_ready: str, ready: Collection[str], known: Collection[str]) -> Resolved:
    """`latest_ready`, `ready` and `known` are full revision names; nothing is ready yet when the first is empty."""
    statuses: list[dict[str, Any]] = []
    for target in service.get("traffic") or _DEFAULT:
        by_name = target.get("type") == BY_REVISION
        if not by_name and not latest_ready:
            continue
        name = f"{service['name']}/revisions/{names.last(target['revision'])}" if by_name else latest_ready
        if by_name and name not in ready:
            return Resolved([], _problem(name, name in known))
        statuses.append(_status(service, target, names.last(name)))
    return Resolved(statuses)


def _problem(revision: str, exists: bool) -> str:
    id = names.last(revision)
    if exists:
        return f"Revision '{id}' is not ready and cannot serve traffic."
    return f"Revision '{id}' referenced in traffic does not exist."


def _status(service: Mapping[str, Any], target: Mapping[str, Any], revision: str) -> dict[str, Any]:
    status = {"type": target.get("type", LATEST), "revision": revision, "percent": target.get("percent", 0)}
    if tag := target.get("tag"):
        status |= {"tag": tag, "uri": tag_url(service["uri"], tag)}
    return {key: value for key, value in status.items() if value}


def route(service: Mapping[str, Any], statuses: Sequence[Mapping[str, Any]]) -> RouteSet:
    """What the router must know to carry out `statuses`."""
    urls = service.get("urls") or [service["uri"]]
    return RouteSet(
        service=service["name"],
        hosts=sorted({urlsplit(url).hostname or "" for url in urls}),
        targets=[
            Target(f"{service['name']}/revisions/{s['revision']}", s.get("percent", 0), s.get("tag", ""))
            for s in statuses
        ],
    )
