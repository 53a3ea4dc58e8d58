"""Run a job, cancel an execution, delete one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from homerun.apis.run.backend import AUTHOR, Backend
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
from homerun.lib.errors import FailedPrecondition, Violation
from homerun.model.checks import check_overrides
from homerun.model.conditions import FAILED, RECONCILING, condition
from homerun.model.names import Name, last
from homerun.store.base import ABSENT, Document, Put, Write

IMPORT_SECONDS = 30
"""How long a run waits for the job's image to be there."""

STAGES = ("Completed", "ResourcesAvailable", "Started")


async def run(
    backend: Backend,
    job: Name,
    overrides: Mapping[str, Any],
    *,
    etag: str = "",
    violations: Iterable[Violation] = (),
    path: Callable[[str], str] = lambda path: path,
    validate_only: bool = False,
) -> Written:
    """`overrides`: v2 JSON; `violations`: what is wrong with it already. `path`: v2 field path -> the caller's own."""
    existing(await backend.store.get("Job", str(job)), str(job))
    await backend.until("Job", str(job), lambda d: d is None or not d.body.get("reconciling"), IMPORT_SECONDS)

    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(job))
        check_etag(old, etag)
        _check_runnable(old)
        task = old.body["template"]["template"]
        found = check_overrides(overrides, task["containers"])
        raise_violations([*violations, *(Violation(path(v.field), v.description) for v in found)])
        name = job.child("executions", f"{job.id}-{ids.suffix(5)}")
        body = execution_body(old.body, name, overrides, backend)
        internal = {"v1": old.internal.get("v1", {}), "digests": old.internal.get("digests", [])}
        operation = operation_put(name, "Execution", body, "run", internal, done=validate_only)
        internal = with_operation(internal, operation, 1)
        latest = {"name": name.id, "createTime": body["createTime"], "completionStatus": "EXECUTION_PENDING"}
        count = int(old.body.get("executionCount", 0)) + 1
        parent = {**old.body, "latestCreatedExecution": latest, "executionCount": count}
        return [
            Put("Execution", str(name), body, internal, if_version=ABSENT),
            operation,
            Put("Job", old.name, parent, old.internal, if_version=old.version),
        ]

    if validate_only:
        put, operation, _ = edit(await backend.store.get("Job", str(job)))
        assert isinstance(put, Put) and isinstance(operation, Put)
        return Written(unsaved(put), unsaved(operation))
    resource, stored, _ = await change(backend.store, "Job", str(job), edit)
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


def execution_body(
    job: Mapping[str, Any], name: Name, overrides: Mapping[str, Any], backend: Backend
) -> dict[str, Any]:
    """The job's template as it is now, with `overrides`: later changes of the job do not touch it."""
    template = job["template"]
    now = backend.clock.now()
    task_count = overrides.get("taskCount") or template["taskCount"]
    return {
        "name": str(name),
        "uid": ids.uid(),
        "creator": AUTHOR,
        "generation": "1",
        "labels": {**job.get("labels", {}), **template.get("labels", {})},
        "annotations": template.get("annotations", {}),
        "createTime": backend.now(),
        "updateTime": backend.now(),
        "launchStage": job.get("launchStage", "GA"),
        "job": last(job["name"]),
        "parallelism": min(template.get("parallelism", 0), task_count),
        "taskCount": task_count,
        "template": _overridden(template["template"], overrides),
        "reconciling": True,
        "conditions": [condition(type, RECONCILING, now) for type in STAGES],
    }


def _overridden(template: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """args replace, env merges over what is there (contract §5.4)."""
    task = copy.deepcopy(dict(template))
    if float(overrides.get("timeout", "0s").rstrip("s")):
        task["timeout"] = overrides["timeout"]
    for override in overrides.get("containerOverrides", ()):
        containers = task["containers"]
        container = next((c for c in containers if c.get("name") == override.get("name")), containers[0])
        if override.get("args") or override.get("clearArgs"):
            container["args"] = override.get("args", [])
        if env := override.get("env"):
            names = {variable["name"] for variable in env}
            container["env"] = [v for v in container.get("env", ()) if v["name"] not in names] + list(env)
    return task


def _check_runnable(job: Document) -> None:
    ready = job.body.get("terminalCondition", {})
    if job.body.get("reconciling"):
        raise FailedPrecondition(f"Job {last(job.name)} is not ready yet: its image is still being imported. Try again")
    if ready.get("state") == FAILED:
        raise FailedPrecondition(f"Job {last(job.name)} cannot run: {ready.get('message', 'it is not ready')}")
