"""Run a job, cancel an execution, delete one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.apis.run.writes import (
    Written,
    change,
    check_etag,
    existing,
    operation_put,
    unsaved,
    with_operation,
)
from homerun.lib import ids
from homerun.lib.errors import FailedPrecondition, ResourceExhausted, Violation
from homerun.model.checks import check_overrides
from homerun.model.conditions import FAILED
from homerun.model.identity import OWNER
from homerun.model.names import Name, last
from homerun.model.new_execution import crowded, execution_body, execution_internal, with_latest
from homerun.model.overlap import Overlap, refusal
from homerun.store.base import ABSENT, Document, Put, Write
from homerun.store.running import cancelled, unfinished

IMPORT_SECONDS = 30
"""How long a run waits for the job's image to be there."""


async def run(
    backend: Backend,
    job: Name,
    overrides: Mapping[str, Any],
    *,
    etag: str = "",
    violations: Iterable[Violation] = (),
    path: Callable[[str], str] = lambda path: path,
    author: str = OWNER,
    validate_only: bool = False,
) -> Written:
    """`overrides`: v2 JSON; `violations`: what is wrong with it already. `path`: v2 field path -> the caller's own.
    `author`: who asks for it."""
    existing(await backend.store.get("Job", str(job)), str(job))
    await backend.until("Job", str(job), lambda document: document is None or _is_imported(document), IMPORT_SECONDS)
    await _check_running(backend, job)
    others: list[Document] = []

    async def look() -> None:
        others[:] = await _unfinished(backend, job)

    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(job))
        check_etag(old, etag)
        _check_runnable(old)
        task = old.body["template"]["template"]
        found = check_overrides(overrides, task["containers"], job.id)
        raise_violations([*violations, *(Violation(path(v.field), v.description) for v in found)])
        name = job.child("executions", f"{job.id}-{ids.suffix(5)}")
        body = execution_body(old.body, name.id, overrides, backend.clock.now(), author)
        internal = execution_internal(old.body, old.internal, overrides)
        replaced = _overlapping(old, others)
        if replaced:
            internal["replaces"] = [other.name for other in others]
        operation = operation_put(name, "Execution", body, "run", internal, done=validate_only)
        internal = with_operation(internal, operation, 1)
        return [
            Put("Execution", str(name), body, internal, if_version=ABSENT),
            operation,
            Put("Job", old.name, with_latest(old.body, body), old.internal, if_version=old.version),
            Put("Running", str(name), {}),
            *replaced,
        ]

    if validate_only:
        await look()
        put, operation, *_ = edit(await backend.store.get("Job", str(job)))
        assert isinstance(put, Put) and isinstance(operation, Put)
        return Written(unsaved(put), unsaved(operation))
    resource, stored, *_ = await change(backend.store, "Job", str(job), edit, look)
    return Written(resource, stored)


async def cancel(backend: Backend, name: Name, *, etag: str = "", validate_only: bool = False) -> Written:
    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(name))
        check_etag(old, etag)
        if "completionTime" in old.body:
            raise FailedPrecondition(f"Execution {name.id} has ended already: there is nothing to cancel")
        operation = operation_put(name, "Execution", old.body, "cancel", old.internal, done=validate_only)
        internal = with_operation({**old.internal, "cancel": True}, operation, 1)
        return [Put(old.kind, old.name, old.body, internal, if_version=old.version), operation]

    return await _apply(backend, name, edit, validate_only=validate_only)


async def delete(backend: Backend, name: Name, *, etag: str = "", validate_only: bool = False) -> Written:
    """Running tasks are stopped first."""

    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(name))
        check_etag(old, etag)
        body = {**old.body, "deleteTime": backend.now()}
        operation = operation_put(name, "Execution", body, "delete", old.internal, done=validate_only)
        internal = with_operation(old.internal, operation, 1)
        return [Put(old.kind, old.name, body, internal, if_version=old.version), operation]

    return await _apply(backend, name, edit, validate_only=validate_only)


async def _apply(backend: Backend, name: Name, edit: Any, *, validate_only: bool) -> Written:
    if validate_only:
        put, operation = edit(await backend.store.get("Execution", str(name)))
        return Written(unsaved(put), unsaved(operation))
    resource, stored = await change(backend.store, "Execution", str(name), edit)
    return Written(resource, stored)


async def _check_running(backend: Backend, job: Name) -> None:
    running = await backend.store.count("Running", prefix=f"{job.parent_location}/jobs/")
    if problem := crowded(job.parent_location, running):
        raise ResourceExhausted(problem)


async def _unfinished(backend: Backend, job: Name) -> list[Document]:
    """Executions of the job that are not over and stand in the way of one more; none if it does not mind them."""
    document = await backend.store.get("Job", str(job))
    if document is None or Overlap.of(document.body) is Overlap.ALLOW:
        return []
    return await unfinished(backend.store, str(job))


def _overlapping(job: Document, others: Sequence[Document]) -> Sequence[Write]:
    """What becomes of `others`, which stand in the way: they are cancelled. Raises FailedPrecondition if the job
    forbids that."""
    if problem := refusal(job.body, [other.name for other in others]):
        raise FailedPrecondition(problem)
    return cancelled(others)


def _is_imported(job: Document) -> bool:
    """Its image is there, or cannot be. A job with a token goes on reconciling after that."""
    return not job.body.get("reconciling") or job.internal.get("pinned") == job.body["generation"]


def _check_runnable(job: Document) -> None:
    """One that failed with the execution that its token asked for can be run all the same."""
    ready = job.body.get("terminalCondition", {})
    if not _is_imported(job):
        raise FailedPrecondition(f"Job {last(job.name)} is not ready yet: its image is still being imported. Try again")
    if ready.get("state") == FAILED and job.internal.get("pinned") != job.body["generation"]:
        raise FailedPrecondition(f"Job {last(job.name)} cannot run: {ready.get('message', 'it is not ready')}")
