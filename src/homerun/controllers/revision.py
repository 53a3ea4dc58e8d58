"""Revision: import its image, check that it starts, and let it have instances while it exists.

The outcome (Ready, or the failed stage's message) is what the controller of its owner acts upon. Who runs the instances
depends on the owner: a service's fleets follow the load, a worker pool's crew has the size that its user gave it.
A change of the owner concerns only those of its revisions that have a share in it, or had one: the others of a thousand
are not looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from homerun.aio.tasks import Supervisor
from homerun.controllers.revision_status import (
    Standing,
    failed,
    image_reason,
    imported,
    ready,
    ready_state,
    standing_changed,
)
from homerun.controllers.secrets import REASON, Secrets
from homerun.core.backoff import delay
from homerun.engine.base import Engine
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.model import names
from homerun.model.conditions import FAILED, SUCCEEDED
from homerun.model.names import Name
from homerun.model.secret_needs import SecretNeeds
from homerun.store.base import Conflict, Document, Store

_log = logging.getLogger("homerun.controllers")
Checked = Callable[[str, str], None]
"""Called with a revision's name and why its check failed (empty: it passed)."""


class Instances(Protocol):
    """Who runs the instances of revisions."""

    def configure(self, revision: Document, images: Sequence[str], owner: Document | None) -> None:
        """It may have instances, of the pinned `images` (one for each container), within its limits and `owner`'s."""
        ...

    def check(self, revision: str, checked: Checked) -> None:
        """Start one instance whatever the load; `checked` is told how it went."""
        ...

    def release(self, revision: str) -> None:
        """It is gone, or must not have instances; unknown: no error."""
        ...


class RevisionController:
    """`owner`: the kind whose revisions these are. `standing`: how a revision's instances are, where that is known."""

    def __init__(
        self,
        owner: str,
        store: Store,
        engine: Engine,
        instances: Instances,
        supervisor: Supervisor,
        clock: Clock,
        secrets: Secrets,
        standing: Callable[[str], Standing] = lambda revision: Standing(),
    ) -> None:
        self._owner, self._store, self._engine, self._instances = owner, store, engine, instances
        self._supervisor, self._clock, self._standing = supervisor, clock, standing
        self._secrets = secrets
        self._checking: set[str] = set()
        self._sharing: dict[str, set[str]] = {}
        """Of each owner, the revisions that had a share in it when it was last looked at."""

    def keys(self, document: Document) -> set[str]:
        """An owner's targets and limits are the business of its revisions that have a share in it, or had one."""
        if document.kind != self._owner:
            return {document.name} if Name.parse(document.name).parent.kind == self._owner else set()
        before, sharing = self._sharing.pop(document.name, set()), _sharing(document)
        if sharing:
            self._sharing[document.name] = sharing
        return before | sharing

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
        self._instances.configure(revision, pinned, owner)
        if state == SUCCEEDED:
            serves = owner is not None and key in _sharing(owner)
            if put := standing_changed(revision, self._standing(key), self._clock.now(), serves=serves):
                await self._store.apply(put)
        elif key not in self._checking:
            self._check(revision)

    async def _import_image(self, revision: Document) -> None:
        if problem := await self._secrets.check(SecretNeeds.parse(revision.body, names.parent(revision.name))):
            await self._store.apply(failed(revision, "ResourcesAvailable", problem, self._clock.now(), REASON))
            return
        try:
            images = [await self._engine.pull(container["image"]) for container in revision.body["containers"]]
        except HomerunError as error:
            now, reason = self._clock.now(), image_reason(error)
            await self._store.apply(failed(revision, "ResourcesAvailable", error.message, now, reason))
            return
        await self._store.apply(imported(revision, images, self._clock.now()))

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
        failures = 0
        while (revision := await self._store.get("Revision", name)) is not None:
            now = self._clock.now()
            write = failed(revision, "ContainerHealthy", failure, now) if failure else ready(revision, now)
            try:
                await self._store.apply(write)
            except Conflict:
                continue
            except HomerunError as error:
                # The disk is full, say. How the check went is known to nobody but us.
                failures += 1
                _log.error("how the check of %s went cannot be written: %s", name, error.message)
                await asyncio.sleep(delay(failures))
                continue
            break
        self._checking.discard(name)


def _sharing(owner: Document) -> set[str]:
    """Full names of the revisions that have traffic, a tag, or instances by a split."""
    statuses = (*owner.body.get("trafficStatuses", ()), *owner.body.get("instanceSplitStatuses", ()))
    return {f"{owner.name}/revisions/{names.last(status['revision'])}" for status in statuses}
