"""Domain mappings: a host name of the user's own that leads to a service (contract §13.8). There is no v2 of these.

Stored as they were written. Which mapping a domain follows is a document of its own (`Domain`), since a domain leads to
one service whatever the project and the region: the first mapping holds it, another one must override. What a mapping
has come to is worked out when somebody looks. Every domain is the user's own here, so none is verified.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run import reads
from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.apis.run.writes import change, new_etag, unsaved
from homerun.apis.run_v1 import names, objects
from homerun.apis.run_v1.domain_status import certificate_by_acme, certificate_by_hand, status
from homerun.apis.run_v1.requests import SUCCESS, body_of, check_field_selector, dry_run
from homerun.lib import ids
from homerun.lib.errors import AlreadyExists, Violation
from homerun.model import limits
from homerun.model.identity import OWNER
from homerun.model.names import Name, check_id
from homerun.store.base import ABSENT, Delete, Document, Put, Write
from homerun.wire.labels import parse_selector
from homerun.wire.paging import page

Json = dict[str, Any]
API_VERSION = "domains.cloudrun.com/v1"
COLLECTION = "domainmappings"
_PARENTS = ("namespaces", "projects.locations")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def handlers(backend: Backend) -> dict[str, Handler]:
    """By method id."""
    domains = Domains(backend)
    found: dict[str, Handler] = {"run.projects.authorizeddomains.list": authorized}
    for parent in _PARENTS:
        found |= {
            f"run.{parent}.{COLLECTION}.create": domains.create,
            f"run.{parent}.{COLLECTION}.get": domains.get,
            f"run.{parent}.{COLLECTION}.list": domains.list,
            f"run.{parent}.{COLLECTION}.delete": domains.delete,
            f"run.{parent}.authorizeddomains.list": authorized,
        }
    return found


async def authorized(call: Call) -> Any:
    """Every domain: that of the DNS root, which gcloud finds in whatever domain it is asked to map."""
    return {"domains": [{"id": "."}]}


class Domains:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        body, violations = body_of(call)
        metadata, spec = body.get("metadata", {}), body.get("spec", {})
        domain = metadata.get("name", "").lower()
        raise_violations([*violations, *_check(domain, spec, self._backend.addresses.domain)])
        name = location.child(COLLECTION, domain)
        mapping = self._born(name, metadata, spec)
        if dry_run(call):
            _absent(await self._backend.store.get("DomainMapping", str(name)), domain)
            return await self._view(unsaved(mapping))
        await self._backend.remember(name.project)

        def edit(claim: Document | None) -> Sequence[Write]:
            held = claim is not None and not spec.get("forceOverride")
            return [mapping] if held else [mapping, _claim(domain, mapping, claim)]

        _absent(await self._backend.store.get("DomainMapping", str(name)), domain)
        stored, *_ = await change(self._backend.store, "Domain", f"domains/{domain}", edit)
        return await self._view(stored)

    async def get(self, call: Call) -> Any:
        name = (await names.parent(self._backend, call)).child(COLLECTION, call.variables["domainmappingsId"])
        return await self._view(await reads.get(self._backend.store, "DomainMapping", str(name)))

    async def list(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        text = call.query.get("labelSelector", "")
        selector = parse_selector(text)
        check_field_selector(call)
        whole = location.location == "-"
        prefix = f"projects/{location.project}/locations/" if whole else f"{location}/{COLLECTION}/"
        key = f"{prefix} {COLLECTION} {text}"
        wanted = page(
            key, call.query.get("limit", ""), call.query.get("continue", ""), size_field="limit", token_field="continue"
        )

        def keep(document: Document) -> bool:
            return selector.matches(objects.labels(document))

        found = await reads.listing(self._backend.store, "DomainMapping", prefix, wanted, key, keep=keep)
        return {
            "apiVersion": API_VERSION,
            "kind": "DomainMappingList",
            "metadata": {"continue": found.next_token} if found.next_token else {},
            "items": [await self._view(document) for document in found.documents],
            "unreachable": [],
        }

    async def delete(self, call: Call) -> Any:
        name = (await names.parent(self._backend, call)).child(COLLECTION, call.variables["domainmappingsId"])
        mapping = await reads.get(self._backend.store, "DomainMapping", str(name))
        if dry_run(call):
            return SUCCESS

        def edit(claim: Document | None) -> Sequence[Write]:
            gone: list[Write] = [Delete("DomainMapping", mapping.name)]
            if claim is not None and claim.body["mapping"] == mapping.name:
                gone.append(Delete("Domain", claim.name, if_version=claim.version))
            return gone

        await change(self._backend.store, "Domain", f"domains/{name.id}", edit)
        return SUCCESS

    def _born(self, name: Name, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Put:
        body = {
            "name": str(name),
            "uid": ids.uid(),
            "generation": "1",
            "createTime": self._backend.now(),
            "creator": OWNER,
            "labels": metadata.get("labels", {}),
            "annotations": metadata.get("annotations", {}),
            "spec": {"certificateMode": "AUTOMATIC", **spec},
        }
        return Put("DomainMapping", str(name), body, {"etag": new_etag()}, if_version=ABSENT)

    async def _view(self, document: Document) -> Json:
        """With what it has come to."""
        name = Name.parse(document.name)
        claim = await self._backend.store.get("Domain", f"domains/{name.id}")
        service = await self._backend.store.get("Service", _service(name, document.body))
        held = claim is None or claim.body["mapping"] == document.name
        certificate = await self._certificate(name.id)
        made = status(document, self._backend.host, certificate, held=held, routed=service is not None)
        if held:
            made["url"] = self._backend.addresses.of_host(name.id)
        annotations = {**document.body["annotations"], "serving.knative.dev/creator": document.body["creator"]}
        metadata, spec = {"annotations": annotations}, document.body["spec"]
        return objects.v1_object(API_VERSION, document, name, self._backend.projects, metadata, spec, made)

    async def _certificate(self, domain: str) -> Json:
        if not self._backend.acme:
            return certificate_by_hand(domain, secure=self._backend.addresses.scheme == "https")
        found = await self._backend.store.get("Certificate", f"certificates/{domain}")
        return certificate_by_acme(domain, found.body if found is not None else {}, self._backend.clock.now())


def _check(domain: str, spec: Mapping[str, Any], own: str) -> Iterator[Violation]:
    """`own`: the domain of all services' default names."""
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        yield Violation("metadata.name", f"must be a domain name such as www.example.com, and is {domain[:70]!r}")
    elif domain == own or domain.endswith(f".{own}"):
        yield Violation("metadata.name", f"{domain} is homerun's own: services have names under {own} already")
    if problem := check_id(spec.get("routeName", ""), "spec.routeName", limits.SERVICE_ID):
        yield Violation("spec.routeName", problem)


def _absent(mapping: Document | None, domain: str) -> None:
    if mapping is not None:
        raise AlreadyExists(f"Domain mapping to {domain} already exists in this region.")


def _service(mapping: Name, body: Mapping[str, Any]) -> str:
    return f"{mapping.parent_location}/services/{body['spec']['routeName']}"


def _claim(domain: str, mapping: Put, before: Document | None) -> Put:
    body = {"mapping": mapping.name, "service": _service(Name.parse(mapping.name), mapping.body)}
    return Put("Domain", f"domains/{domain}", body, if_version=before.version if before else ABSENT)
