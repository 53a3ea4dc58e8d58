"""Secrets and versions as clients see them: the documents, with the project's number in their names and an etag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import etag
from homerun.model.secret import SecretName
from homerun.store.base import Document


def shown_name(backend: Backend, name: SecretName) -> SecretName:
    """Google answers with the project's number, whichever was asked with."""
    return name.of(backend.projects.number_of(name.project))


def secret(backend: Backend, document: Document) -> dict[str, Any]:
    return _shown(backend, document, document.body)


def version(backend: Backend, document: Document, secret: Mapping[str, Any]) -> dict[str, Any]:
    """`secret`: the body of the secret that it is a version of."""
    return _shown(backend, document, document.body | _copies(secret.get("replication", {})))


def _shown(backend: Backend, document: Document, body: Mapping[str, Any]) -> dict[str, Any]:
    name = shown_name(backend, SecretName.parse(document.name))
    return {**body, "name": str(name), "etag": f'"{etag(document)}"'}


def _copies(replication: Mapping[str, Any]) -> dict[str, Any]:
    """Where it is said to be; in truth it is here. Regional ones do not say."""
    if "userManaged" in replication:
        replicas = [{"location": replica["location"]} for replica in replication["userManaged"]["replicas"]]
        return {"replicationStatus": {"userManaged": {"replicas": replicas}}}
    return {"replicationStatus": {"automatic": {}}} if "automatic" in replication else {}
