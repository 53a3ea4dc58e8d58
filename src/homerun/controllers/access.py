"""Who may call a service: its IAM policy and its ingress, put into its routes (contract §13.4, §13.6). Pure.

On one machine "internal" means this machine and the private networks that it is in. A load balancer is whatever proxy
stands in front, and such a proxy is in there too: so `internal-and-cloud-load-balancing` means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from homerun.model.identity import ANY_SERVICE
from homerun.model.policy import invokers
from homerun.model.urls import Addresses
from homerun.wire.link import Access, RouteSet

_INGRESS: dict[str, Literal["all", "internal", "none"]] = {
    "INGRESS_TRAFFIC_INTERNAL_ONLY": "internal",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER": "internal",
    "INGRESS_TRAFFIC_NONE": "none",
}


def guarded(route: RouteSet, service: Mapping[str, Any], addresses: Addresses) -> RouteSet:
    """`route` as `service` wants it guarded: for nobody yet, unless it lets everybody in unasked."""
    access = None if service.get("invokerIamDisabled") else Access(_audiences(service, addresses), [], [])
    ingress = _INGRESS.get(service.get("ingress", ""), "all")
    return msgspec.structs.replace(route, access=access, ingress=ingress)


def granted(route: RouteSet, policy: Mapping[str, Any]) -> RouteSet:
    """A guarded `route`, for those whom `policy` lets in."""
    allowed = invokers(policy)
    if route.access is None or allowed.public:
        return msgspec.structs.replace(route, access=None)
    access = Access(route.access.audiences, sorted(allowed.subjects), sorted(allowed.domains), allowed.known)
    return msgspec.structs.replace(route, access=access)


def _audiences(service: Mapping[str, Any], addresses: Addresses) -> list[str]:
    """In this order: the first is named to those who ask with a token for something else."""
    urls = [service.get("uri", ""), *service.get("urls", ())]
    urls += [target.get("uri", "") for target in service.get("trafficStatuses", ())]
    found = [each for url in filter(None, urls) for each in addresses.everywhere(url)]
    return list(dict.fromkeys([*found, *service.get("customAudiences", ()), ANY_SERVICE]))
