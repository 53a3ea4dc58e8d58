"""Revision: import its image, check that it starts, and let it have instances while it exists.

The outcome (Ready, or the failed stage's message) is what the controller of its owner acts upon. Who runs the instances
depends on the owner: a service's fleets follow the load, a worker pool's crew has the size that its user gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from homerun.aio.tasks import Supervisor
from homerun.engine.base import Engine, ImageNotFound
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, condition
from homerun.model.names import Name
from homerun.store.base import Conflict, Document, Put, Store

NOT_READY = "Revision '{id}' is not ready and cannot serve traffic. {cause}"

Checked = Callable[[str, str], None]
"""Called with a revision's name and why its check failed (empty: it passed)."""


class Instances(Protocol):
    """Who runs the instances of revisions."""

    def revisions_of(self, owner: str) -> list[str]:
        """Those that may have instances."""
        ...

    def configure(self, revision: Document, image: str, owner: Document | None) -> None:
        """It may have instances of the pinned `image`, within its limits and those of `owner`."""
        ...

    def check(self, revision: str, checked: Checked) -> None:
        """Start one instance whatever the load; `checked` is told how it went."""
        ...

    def release(self, revision: str) -> None:
        """It is gone, or must not have instances; unknown: no error."""
        ...


class RevisionController:
    """`owner`: the kind whose revisions these are."""

    def __init__(
        self, owner: str, store: Store, engine: Engine, instances: Instances, supervisor: Supervisor, clock: Clock
    ) -> None:
        self._owner, self._store, self._engine, self._instances = owner, store, engine, instances
        self._supervisor, self._clock = supervisor, clock
        self._checking: set[str] = set()

    def keys(self, document: Document) -> list[str]:
        """An owner's targets and limits are the business of those of its revisions that have instances."""
        if document.kind == self._owner:
            return self._instances.revisions_of(document.name)
        return [document.name] if Name.parse(document.name).parent.kind == self._owner else []

    async def reconcile(self, key: str) -> None:
        revision = await self._store.get("Revision", key)
        if revision is None:
            self._checking.discard(key)
            self._instances.release(key)
            return
        state = ready_state(revision)
        if state == FAILED:
            self._instances.release(key)
            return
        pinned = revision.internal.get("digests")
        if pinned is None:
            await self._import_image(revision)
            return
        owner = await self._store.get(self._owner, names.parent(key))
        self._instances.configure(revision, pinned[0], owner)
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
            self._instances.check(revision.name, self._on_checked)

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
