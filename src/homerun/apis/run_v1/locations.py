"""Locations: any region name works, so the list is that of the default one and of those in use."""

from __future__ import annotations

from typing import Any

from homerun.apis.run.backend import Backend
from homerun.model.names import Name


async def locations(backend: Backend, project: str) -> list[dict[str, Any]]:
    found = {backend.region}
    for kind in ("Service", "WorkerPool", "Job"):
        found |= await _in_use(backend, kind, project)
    return [{"name": f"projects/{project}/locations/{id}", "locationId": id, "displayName": id} for id in sorted(found)]


async def _in_use(backend: Backend, kind: str, project: str) -> set[str]:
    """One step for each location, not for each document: skip past all that begin like the last one found."""
    prefix = f"projects/{project}/locations/"
    found: set[str] = set()
    after = ""
    while documents := await backend.store.list(kind, prefix=prefix, after=after, limit=1):
        location = Name.parse(documents[0].name).location
        found.add(location)
        after = f"{prefix}{location}0"  # "0" is the character after "/"
    return found
