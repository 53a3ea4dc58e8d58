"""What a v1 request names. Namespaces are flat: an execution's name does not say whose it is, its prefix does."""

from __future__ import annotations

import re

from homerun.apis.rest import Call
from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import existing, not_found
from homerun.lib.errors import Invalid
from homerun.model.names import Name
from homerun.store.base import Document

_REGIONAL_HOST = re.compile(r"([a-z][-a-z0-9]*)-run\.")
_GLOBAL_HOST = re.compile(r"run\.")
"""gcloud asks there for lists of all regions."""
_LOCATION = re.compile(r"[a-z][-a-z0-9]{0,62}|-")
PARENTS = {"revisions": ("services", "workerPools"), "executions": ("jobs",)}


async def parent(backend: Backend, call: Call) -> Name:
    """The location: in the path, or in the host name (`us-central1-run.…`), or the default one.

    Of a list it may be `-`, all of them.
    """
    variables = call.variables
    project = variables.get("namespacesId") or variables["projectsId"]
    regional = _REGIONAL_HOST.match(call.host)
    lists = call.method.id.endswith(".list")
    default = "-" if lists and _GLOBAL_HOST.match(call.host) else backend.region
    location = variables.get("locationsId") or (regional[1] if regional else default)
    if location == "-" and not lists:
        raise Invalid.field("location", "name a location: '-' is allowed for lists only")
    if not _LOCATION.fullmatch(location):
        raise Invalid.field("location", f"{location!r} is no location, such as us-central1")
    return Name(await backend.project_id(project), location, ())


async def find(backend: Backend, location: Name, collection: str, id: str) -> Document:
    """The document that `id` names in a flat namespace. Raises NotFound."""
    for name in _candidates(location, collection, id):
        document = await backend.store.get(name.kind, str(name))
        if document is not None:
            return existing(document, str(name))
    raise not_found(str(location.child(collection, id)))


def _candidates(location: Name, collection: str, id: str) -> list[Name]:
    """`tasks/j-abcde-task0` -> `jobs/j/executions/j-abcde/tasks/j-abcde-task0`, and so for each hyphen."""
    if collection == "tasks":
        execution = id.rpartition("-task")[0]
        return [name.child("tasks", id) for name in _candidates(location, "executions", execution)]
    if collection not in PARENTS:
        return [location.child(collection, id)]
    parts = id.split("-")
    owners = ["-".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
    return [location.child(parent, owner).child(collection, id) for parent in PARENTS[collection] for owner in owners]
