"""The status of a domain mapping: whether requests get through, and what the domain's DNS must say. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from homerun.lib.timestamps import from_rfc3339
from homerun.model.names import last
from homerun.store.base import Document

Json = dict[str, Any]


def status(mapping: Document, host: str, certificate: Json, *, held: bool, routed: bool) -> Json:
    """`host`: where requests are taken. `certificate`: the condition that says what there is of one. `held`: the domain
    follows this mapping; `routed`: its service exists."""
    domain, body = last(mapping.name), mapping.body
    conditions = _conditions(domain, body["spec"]["routeName"], certificate, held=held, routed=routed)
    made: Json = {
        "observedGeneration": int(body["generation"]),
        "conditions": [{**condition, "lastTransitionTime": body["createTime"]} for condition in conditions],
    }
    if held:
        made |= {"mappedRouteName": body["spec"]["routeName"], "resourceRecords": [_record(domain, host)]}
    return made


def certificate_by_hand(domain: str, *, secure: bool) -> Json:
    """The condition when nobody asks for certificates. `secure`: there is TLS."""
    plain = "homerun takes plain HTTP, which needs no certificate. Start it with --https for HTTPS."
    shown = (
        f"Clients are shown {domain}.crt of the folder `certificates`, or that of --certificate. With --acme, homerun "
        "gets one by itself."
    )
    return {"type": "CertificateProvisioned", "status": "True", "message": shown if secure else plain}


def certificate_by_acme(domain: str, certificate: Mapping[str, Any], now: float) -> Json:
    """The condition when an ACME server is asked. `certificate`: the stored document, empty before there is one."""
    until = certificate.get("notAfter", "")
    good = bool(until) and now < from_rfc3339(until)
    made: Json = {"type": "CertificateProvisioned", "status": "True"}
    match certificate.get("state"):
        case "OWN":
            return made | {"message": f"{domain} has a certificate of your own."}
        case "FAILED":
            text = f"{certificate['message']}. It is tried again at {certificate['retryTime']}."
            if good:
                return made | {"message": f"Not renewed, and good until {until}: {text}"}
            return made | {"status": "False", "reason": "CertificateFailed", "message": text}
        case _ if good:
            return made | {"message": f"Good until {until}."}
        case _:
            text = f"Waiting for a certificate. The DNS of {domain} must lead here, and its port 80 to the plain port."
            return made | {"status": "Unknown", "reason": "CertificatePending", "message": text}


def _conditions(domain: str, route: str, certificate: Json, *, held: bool, routed: bool) -> list[Json]:
    """gcloud offers to override what has the reason MappingAlreadyExists."""
    if not held:
        message = f"Domain {domain} is mapped elsewhere already: delete that mapping, or override it (forceOverride)."
        return [
            {"type": "Ready", "status": "False", "reason": "MappingAlreadyExists", "message": message},
            {"type": "CertificateProvisioned", "status": "Unknown"},
            {"type": "DomainRoutable", "status": "False", "reason": "MappingAlreadyExists", "message": message},
        ]
    missing = {"reason": "RouteNotReady", "message": f"Service {route} does not exist: deploy it, then it is routed."}
    routable: Json = {"status": "True"} if routed else {"status": "False", **missing}
    ready = certificate if routed and certificate["status"] != "True" else routable
    return [{**ready, "type": "Ready"}, certificate, {"type": "DomainRoutable", **routable}]


def _record(domain: str, host: str) -> Json:
    """What the domain's DNS must say. `host`: where requests are taken, an address or a name."""
    relative = ".".join(domain.split(".")[:-2])
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return {"name": relative, "type": "CNAME", "rrdata": f"{host}."}
    return {"name": relative, "type": "A" if version == 4 else "AAAA", "rrdata": host}
