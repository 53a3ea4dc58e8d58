"""Delete a revision: only one that nobody needs (contract §4.1)."""

from __future__ import annotations

from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import Written, check_etag, existing, operation_put, unsaved
from homerun.lib.errors import Aborted, FailedPrecondition
from homerun.model.names import Name, last
from homerun.store.base import Conflict, Delete, Document, Put


async def delete(backend: Backend, name: Name, *, etag: str = "", validate_only: bool = False) -> Written:
    """Done at once: a revision that serves nothing has nothing to tear down but idle instances."""
    for _ in range(20):
        revision = existing(await backend.store.get("Revision", str(name)), str(name))
        check_etag(revision, etag)
        service = await backend.store.get("Service", str(name.parent))
        if service is not None:
            _check_retired(revision, service)
        operation = operation_put(name, "Revision", revision.body, "delete", revision.internal, done=True)
        if validate_only:
            return Written(revision, unsaved(operation))
        writes: list[Put | Delete] = [operation, Delete("Revision", str(name))]
        if service is not None:
            # Written as it is: proof that no traffic was moved here in between.
            writes.append(Put("Service", service.name, service.body, service.internal, if_version=service.version))
        try:
            stored, *_ = await backend.store.apply(*writes)
        except Conflict:
            continue
        return Written(revision, stored)
    raise Aborted(f"{name} changes all the time: try again")


def _check_retired(revision: Document, service: Document) -> None:
    id, body = last(revision.name), service.body
    if id in (last(body.get("latestCreatedRevision", "")), last(body.get("latestReadyRevision", ""))):
        raise FailedPrecondition(f"Revision {id} is the latest of its service and cannot be deleted")
    targets = [*body.get("traffic", ()), *body.get("trafficStatuses", ())]
    if id in [last(target.get("revision", "")) for target in targets]:
        raise FailedPrecondition(f"Revision {id} is a traffic target of its service: take it out of the traffic first")
