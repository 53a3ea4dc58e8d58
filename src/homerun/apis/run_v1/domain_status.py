"""The status of a domain mapping: whether requests get through, and what the domain's DNS must say. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any

from homerun.model.names import last
from homerun.store.base import Document

Json = dict[str, Any]


def status(mapping: Document, host: str, *, held: bool, routed: bool) -> Json:
    """`host`: where requests are taken. `held`: the domain follows this mapping; `routed`: its service exists."""
    domain, body = last(mapping.name), mapping.body
    conditions = _conditions(domain, body["spec"]["routeName"], held=held, routed=routed)
    made: Json = {
        "observedGeneration": int(body["generation"]),
        "conditions": [{**condition, "lastTransitionTime": body["createTime"]} for condition in conditions],
    }
    if held:
        made |= {"mappedRouteName": body["spec"]["routeName"], "resourceRecords": [_record(domain, host)]}
    return made


def _conditions(domain: str, route: str, *, held: bool, routed: bool) -> list[Json]:
    """gcloud offers to override what has the reason MappingAlreadyExists."""
    if not held:
        message = f"Domain {domain} is mapped elsewhere already: delete that mapping, or override it (forceOverride)."
        return [
            {"type": "Ready", "status": "False", "reason": "MappingAlreadyExists", "message": message},
            {"type": "CertificateProvisioned", "status": "Unknown"},
            {"type": "DomainRoutable", "status": "False", "reason": "MappingAlreadyExists", "message": message},
        ]
    missing = {"reason": "RouteNotReady", "message": f"Service {route} does not exist: deploy it, then it is routed."}
    plain = "homerun takes plain HTTP, which needs no certificate. Put a proxy in front for HTTPS."
    ready: Json = {"status": "True"} if routed else {"status": "False", **missing}
    return [
        {"type": "Ready", **ready},
        {"type": "CertificateProvisioned", "status": "True", "message": plain},
        {"type": "DomainRoutable", **ready},
    ]


def _record(domain: str, host: str) -> Json:
    """What the domain's DNS must say. `host`: where requests are taken, an address or a name."""
    relative = ".".join(domain.split(".")[:-2])
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return {"name": relative, "type": "CNAME", "rrdata": f"{host}."}
    return {"name": relative, "type": "A" if version == 4 else "AAAA", "rrdata": host}
