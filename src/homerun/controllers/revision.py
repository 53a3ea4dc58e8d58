"""Revision: import its image, check that it starts, and let it have instances while it exists.

The outcome (Ready, or the failed stage's message) is what the Service's controller acts upon. A revision's limits on
instances follow from its own template and from what its service gives it: the minimum counts only while traffic is
routed to it (contract §2.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from homerun.aio.tasks import Supervisor
from homerun.controllers.capacity import Capacity
from homerun.core.autoscaler import Scaling
from homerun.engine.base import Engine, ImageNotFound
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, condition
from homerun.model.revision import RevisionSpec
from homerun.store.base import Conflict, Document, Put, Store

KINDS = frozenset({"Revision", "Service"})
NOT_READY = "Revision '{id}' is not ready and cannot serve traffic. {cause}"


class RevisionController:
    def __init__(self, store: Store, engine: Engine, capacity: Capacity, supervisor: Supervisor, clock: Clock) -> None:
        self._store, self._engine, self._capacity = store, engine, capacity
        self._supervisor, self._clock = supervisor, clock
        self._checking: set[str] = set()

    def keys(self, document: Document) -> list[str]:
        """A service's traffic and limits are the business of those of its revisions that have instances."""
        return [document.name] if document.kind == "Revision" else self._capacity.revisions_of(document.name)

    async def reconcile(self, key: str) -> None:
        revision = await self._store.get("Revision", key)
        if revision is None:
            self._checking.discard(key)
            self._capacity.release(key)
            return
        state = ready_state(revision)
        if state == FAILED:
            self._capacity.release(key)
            return
        pinned = revision.internal.get("digests")
        if pinned is None:
            await self._import_image(revision)
            return
        service = await self._store.get("Service", names.parent(key))
        self._capacity.configure(RevisionSpec.parse(revision.body), pinned[0], scaling(revision.body, service))
        if state != SUCCEEDED and key not in self._checking:
            self._check(revision)

    async def _import_image(self, revision: Document) -> None:
        try:
            images = [await self._engine.pull(container["image"]) for container in revision.body["containers"]]
        except HomerunError as error:
            reason = "CONTAINER_MISSING" if isinstance(error, ImageNotFound) else "CONTAINER_PERMISSION_DENIED"
            await self._store.apply(failed(revision, "ResourcesAvailable", error.message, self._clock.now(), reason))
            return
        pinned = [image.pinned for image in images]
        await self._store.apply(imported(revision, pinned, self._clock.now()))

    def _check(self, revision: Document) -> None:
        self._checking.add(revision.name)
        if revision.internal.get("skip_check"):
            self._on_checked(revision.name, "")
        else:
            self._capacity.check(revision.name, self._on_checked)

    def _on_checked(self, name: str, failure: str) -> None:
        self._supervisor.spawn(self._record_check(name, failure), name=f"record check of {names.last(name)}")

    async def _record_check(self, name: str, failure: str) -> None:
        """The revision may be deleted meanwhile, or written by somebody else: then once more."""
        while (revision := await self._store.get("Revision", name)) is not None:
            now = self._clock.now()
            write = failed(revision, "ContainerHealthy", failure, now) if failure else ready(revision, now)
            try:
                await self._store.apply(write)
            except Conflict:
                continue
            break
        self._checking.discard(name)


def scaling(revision: Mapping[str, Any], service: Document | None) -> Scaling:
    """What the revision's own template and its share of the service's limits allow."""
    spec = RevisionSpec.parse(revision)
    body = service.body if service is not None else {}
    id = names.last(spec.name)
    statuses = [s for s in body.get("trafficStatuses", ()) if s.get("revision") == id]
    share = sum(s.get("percent", 0) for s in statuses) / 100
    limits = body.get("scaling") or {}
    fixed = None
    if limits.get("scalingMode") == "MANUAL" and limits.get("manualInstanceCount") is not None:
        fixed = math.ceil(limits["manualInstanceCount"] * share)
    minimum = max(spec.min_instances if statuses else 0, math.ceil(limits.get("minInstanceCount", 0) * share))
    maximum = spec.max_instances
    if limits.get("maxInstanceCount") and share:
        maximum = min(maximum, math.ceil(limits["maxInstanceCount"] * share))
    return Scaling(spec.concurrency, min(minimum, maximum), maximum, fixed)


def imported(revision: Document, pinned: list[str], now: float) -> Put:
    """The image is here: now it must start."""
    return _put(
        revision,
        [
            condition("Ready", RECONCILING, now, message="Starting the container and waiting for it to listen."),
            condition("ResourcesAvailable", SUCCEEDED, now),
            condition("ContainerHealthy", RECONCILING, now),
        ],
        now,
        internal={**revision.internal, "digests": pinned},
    )


def ready(revision: Document, now: float) -> Put:
    return _put(
        revision,
        [condition(type, SUCCEEDED, now) for type in ("Ready", "ResourcesAvailable", "ContainerHealthy", "Active")],
        now,
        settled=True,
    )


def failed(revision: Document, stage: str, cause: str, now: float, reason: str = "") -> Put:
    """`stage` is the condition that failed: ResourcesAvailable (the image) or ContainerHealthy (the start)."""
    message = NOT_READY.format(id=names.last(revision.name), cause=cause)
    revision_reason = "" if reason else "HEALTH_CHECK_CONTAINER_ERROR"
    before = {c["type"]: c for c in revision.body["conditions"] if c["type"] not in ("Ready", stage)}
    failures = [
        condition(type, FAILED, now, message=text, reason=reason, revision_reason=revision_reason)
        for type, text in (("Ready", message), (stage, cause))
    ]
    return _put(revision, [*failures, *before.values()], now, settled=True)


def _put(
    revision: Document,
    new: list[conditions.Condition],
    now: float,
    *,
    settled: bool = False,
    internal: Mapping[str, Any] | None = None,
) -> Put:
    body = {**revision.body, "conditions": conditions.merge(revision.body["conditions"], new)}
    body["updateTime"] = to_rfc3339(now)
    if settled:
        body |= {"reconciling": False, "observedGeneration": revision.body["generation"]}
    return Put("Revision", revision.name, body, internal or revision.internal, if_version=revision.version)


def ready_state(revision: Document) -> str:
    found = conditions.find(revision.body["conditions"], "Ready")
    return str(found["state"]) if found else ""
