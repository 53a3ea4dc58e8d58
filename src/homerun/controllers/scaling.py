"""How many instances a revision may have: its own template's limits and its share of what its service allows."""

from __future__ import annotations

import math

from homerun.core.autoscaler import Scaling
from homerun.model import names
from homerun.model.revision import RevisionSpec
from homerun.store.base import Document


def scaling(spec: RevisionSpec, service: Document | None) -> Scaling:
    """A minimum counts only while traffic is routed to the revision (contract §2.3)."""
    body = service.body if service is not None else {}
    id = names.last(spec.name)
    statuses = [s for s in body.get("trafficStatuses", ()) if s.get("revision") == id]
    share = sum(s.get("percent", 0) for s in statuses) / 100
    limits = body.get("scaling") or {}
    fixed = None
    if limits.get("scalingMode") == "MANUAL" and limits.get("manualInstanceCount") is not None:
        fixed = math.ceil(limits["manualInstanceCount"] * share)
    minimum = max(spec.min_instances if statuses else 0, math.ceil(limits.get("minInstanceCount", 0) * share))
    maximum = spec.max_instances
    if limits.get("maxInstanceCount") and share:
        maximum = min(maximum, math.ceil(limits["maxInstanceCount"] * share))
    return Scaling(spec.concurrency, min(minimum, maximum), maximum, fixed)
