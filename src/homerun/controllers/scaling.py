"""How many instances a revision may have: its own template's limits and its share of what its service allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homerun.core.autoscaler import Scaling
from homerun.core.split import split
from homerun.model import names
from homerun.model.revision import RevisionSpec
from homerun.store.base import Document

Limits = dict[str, Any]
_TAG_ONLY = "only a tag leads to it"


def scaling(spec: RevisionSpec, service: Document | None) -> Scaling:
    """What the service allows is divided among its revisions by their percent of the traffic (contract §2.3).

    A minimum counts only while traffic, or a tag, leads to the revision. Who gets any traffic may have an instance.
    """
    body = service.body if service is not None else {}
    id = names.last(spec.name)
    percents = shares(body)
    routed, percent = id in percents, percents.get(id, 0)
    limits: Limits = {"min": spec.min_instances if routed else 0, "max": spec.max_instances}
    service_wide = body.get("scaling") or {}
    if service_wide.get("scalingMode") == "MANUAL":
        limits = _manual(spec, service_wide, percents, percent) if routed else limits
    elif percent:
        _divide(limits, service_wide, percents, id)
    limits["min"] = min(limits["min"], limits["max"])
    return Scaling(
        spec.concurrency,
        cpu=spec.containers.cpu,
        concurrency_target=spec.concurrency_target,
        cpu_target=spec.cpu_target,
        **limits,
    )


def prospect(spec: RevisionSpec, service: Document | None) -> int:
    """The minimum of a new revision once what is meant for the latest one has moved to it."""
    if service is None:
        return 0
    id = names.last(spec.name)
    traffic = service.body.get("traffic") or [{"percent": 100}]
    statuses = [{**target, "revision": names.last(target.get("revision") or id)} for target in traffic]
    return scaling(spec, replace(service, body={**service.body, "trafficStatuses": statuses})).minimum


def shares(service: Mapping[str, Any]) -> Counter[str]:
    """Percent of the traffic by id of the revision; those that only a tag leads to have 0."""
    percents: Counter[str] = Counter()
    for status in service.get("trafficStatuses", ()):
        percents[names.last(status["revision"])] += status.get("percent", 0)
    return percents


def _divide(limits: Limits, service: Mapping[str, Any], percents: Counter[str], id: str) -> None:
    """Of both minimums the larger counts, of both maximums the smaller."""
    if total := service.get("minInstanceCount", 0):
        minimum = split(total, percents)[id]
        if minimum > limits["min"]:
            limits |= {"min": minimum, "min_from": _share(percents[id], total)}
    if total := service.get("maxInstanceCount", 0):
        maximum = max(split(total, percents)[id], 1)
        if maximum < limits["max"]:
            limits |= {"max": maximum, "max_from": _share(percents[id], total)}


def _manual(spec: RevisionSpec, service: Mapping[str, Any], percents: Counter[str], percent: int) -> Limits:
    """The limits of the revision do not count. One that only a tag leads to is not counted in, and not disabled: it has
    its own minimum, or what its requests need, which is one instance at most."""
    if percent:
        total = service.get("manualInstanceCount", service.get("minInstanceCount", 0))
        fixed, source = split(total, percents)[names.last(spec.name)], _share(percent, total)
    elif spec.min_instances:
        fixed, source = spec.min_instances, _TAG_ONLY
    else:
        return {"min": 0, "max": 1, "max_from": f"manual scaling, and {_TAG_ONLY}"}
    return {"min": 0, "max": spec.max_instances, "fixed": fixed, "fixed_from": source}


def _share(percent: int, total: int) -> str:
    return f"{percent} % of the service's {total}"
