"""Job: pin its image, and take its executions along when it is deleted.

A job has no instances of its own. Its image is resolved at each create and update (contract §5.4); executions copy
template and digests when they are made, so that an update does not touch those that run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homerun.controllers.operations import finish, pending_operations
from homerun.controllers.revision_status import image_reason
from homerun.engine.base import Engine
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, names
from homerun.model.conditions import FAILED, SUCCEEDED, condition
from homerun.store.base import Delete, Document, Put, Store, Write

KINDS = frozenset({"Job", "Execution"})


class JobController:
    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self._store, self._engine, self._clock = store, engine, clock

    @staticmethod
    def key(document: Document) -> str:
        """An execution's end is its job's business: a deleted job waits for the last one."""
        return document.name if document.kind == "Job" else names.parent(document.name)

    async def reconcile(self, key: str) -> None:
        job = await self._store.get("Job", key)
        if job is None:
            return
        operations = await pending_operations(self._store, job.internal)
        if "deleteTime" in job.body:
            executions = await self._store.list("Execution", prefix=f"{key}/executions/")
            await self._store.apply(*deletion(job, executions, operations, self._clock.now()))
        elif job.body.get("observedGeneration") != job.body["generation"]:
            await self._settle(job, operations)

    async def _settle(self, job: Document, operations: Sequence[Document]) -> None:
        containers = job.body["template"]["template"]["containers"]
        try:
            images = [await self._engine.pull(container["image"]) for container in containers]
        except HomerunError as error:
            await self._store.apply(*settled(job, operations, self._clock.now(), error=error))
            return
        await self._store.apply(*settled(job, operations, self._clock.now(), digests=[i.pinned for i in images]))


def settled(
    job: Document,
    operations: Sequence[Document],
    now: float,
    *,
    digests: Sequence[str] = (),
    error: HomerunError | None = None,
) -> list[Write]:
    """This generation's image is pinned, or cannot be."""
    ready = condition("Ready", SUCCEEDED, now)
    if error is not None:
        ready = condition("Ready", FAILED, now, message=error.message, reason=image_reason(error))
    before = [c for c in (job.body.get("terminalCondition"),) if c]
    body: dict[str, Any] = {
        **job.body,
        "terminalCondition": conditions.merge(before, [ready])[0],
        "conditions": [],
        "reconciling": False,
        "observedGeneration": job.body["generation"],
        "updateTime": to_rfc3339(now),
    }
    generation = int(job.body["generation"])
    ended, internal = finish(operations, job.internal, "Job", body, error=error, generation=generation)
    return [Put("Job", job.name, body, {**internal, "digests": list(digests)}, if_version=job.version), *ended]


def deletion(job: Document, executions: Sequence[Document], operations: Sequence[Document], now: float) -> list[Write]:
    """First the executions, each by its own controller; when the last is gone, the job."""
    if executions:
        return [
            Put(e.kind, e.name, {**e.body, "deleteTime": to_rfc3339(now)}, e.internal, if_version=e.version)
            for e in executions
            if "deleteTime" not in e.body
        ]
    ended, _ = finish(operations, job.internal, "Job", job.body)
    return [*ended, Delete("Job", job.name, if_version=job.version)]
