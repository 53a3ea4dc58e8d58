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
        owner = await backend.store.get(name.parent.kind, str(name.parent))
        if owner is not None:
            _check_retired(revision, owner)
        operation = operation_put(name, "Revision", revision.body, "delete", revision.internal, done=True)
        if validate_only:
            return Written(revision, unsaved(operation))
        writes: list[Put | Delete] = [operation, Delete("Revision", str(name))]
        if owner is not None:
            # Written as it is: proof that nothing was moved here in between.
            writes.append(Put(owner.kind, owner.name, owner.body, owner.internal, if_version=owner.version))
        try:
            stored, *_ = await backend.store.apply(*writes)
        except Conflict:
            continue
        return Written(revision, stored)
    raise Aborted(f"{name} changes all the time: try again")


_TARGETS = {"Service": ("traffic", "trafficStatuses"), "WorkerPool": ("instanceSplits", "instanceSplitStatuses")}


def _check_retired(revision: Document, owner: Document) -> None:
    id, body = last(revision.name), owner.body
    kind = "worker pool" if owner.kind == "WorkerPool" else "service"
    if id in (last(body.get("latestCreatedRevision", "")), last(body.get("latestReadyRevision", ""))):
        raise FailedPrecondition(f"Revision {id} is the latest of its {kind} and cannot be deleted")
    wished, had = _TARGETS[owner.kind]
    if id in [last(target.get("revision", "")) for target in (*body.get(wished, ()), *body.get(had, ()))]:
        raise FailedPrecondition(
            f"Revision {id} is a target in the {kind}'s {wished}: take it out of the {wished} first"
        )
