"""Stored documents as the v2 API shows them. They are v2 JSON already; what is derived is added here."""

from __future__ import annotations

from typing import Any

from homerun.apis.run.writes import etag
from homerun.store.base import Document


def resource(document: Document) -> dict[str, Any]:
    """Any resource, with its etag."""
    if document.kind == "Operation":
        return operation(document)
    return {**document.body, "etag": f'"{etag(document)}"'}


def operation(document: Document) -> dict[str, Any]:
    """Its response has the etag that the resource got with the write that it is about."""
    made = dict(document.body)
    if "response" in made and "etag" in document.internal:
        made["response"] = {**made["response"], "etag": f'"{document.internal["etag"]}"'}
    return made
