"""Traffic targets of a Service, resolved against its revisions, and what the router must know of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from homerun.controllers import targets
from homerun.controllers.targets import Resolved
from homerun.model.urls import tag_url
from homerun.wire.link import RouteSet, Target

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_DEFAULT: tuple[dict[str, Any], ...] = ({"type": LATEST, "percent": 100},)


def resolve(service: Mapping[str, Any], latest_ready: str, ready: Collection[str], known: Collection[str]) -> Resolved:
    """v2 trafficStatuses; see controllers.targets.resolve."""

    def status(target: Mapping[str, Any], revision: str) -> dict[str, Any]:
        return _status(service, target, revision)

    found = targets.resolve(
        service["name"], service.get("traffic") or _DEFAULT, latest_ready, ready, known, status, "traffic"
    )
    return replace(found, statuses=_combined(found.statuses))


def _combined(statuses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A revision that is a target by its name and as the latest has one status, by name, with the sum (contract §4.2).

    Tags are statuses of their own.
    """
    untagged = [status for status in statuses if "tag" not in status]
    latest = {status["revision"] for status in untagged if status["type"] == LATEST}
    both = latest & {status["revision"] for status in untagged if status["type"] == BY_REVISION}
    made: list[dict[str, Any]] = []
    for status in statuses:
        if "tag" in status or status["revision"] not in both:
            made.append(status)
        elif not any("tag" not in other and other["revision"] == status["revision"] for other in made):
            parts = [other.get("percent", 0) for other in untagged if other["revision"] == status["revision"]]
            made.append({"type": BY_REVISION, "revision": status["revision"], "percent": sum(parts)})
    return made


def _status(service: Mapping[str, Any], target: Mapping[str, Any], revision: str) -> dict[str, Any]:
    status = {"type": target.get("type", LATEST), "revision": revision, "percent": target.get("percent", 0)}
    if tag := target.get("tag"):
        status |= {"tag": tag, "uri": tag_url(service["uri"], tag) if service.get("uri") else ""}
    return {key: value for key, value in status.items() if value}


def route(service: Mapping[str, Any], statuses: Sequence[Mapping[str, Any]]) -> RouteSet:
    """What the router must know to carry out `statuses`."""
    urls = [] if service.get("defaultUriDisabled") else service.get("urls") or [service["uri"]]
    return RouteSet(
        service=service["name"],
        hosts=sorted({urlsplit(url).hostname or "" for url in urls}),
        targets=[
            Target(f"{service['name']}/revisions/{s['revision']}", s.get("percent", 0), s.get("tag", ""))
            for s in statuses
        ],
    )
