"""Deleting an execution: its tasks, then itself, with the operations that wait for it and what its job says of it."""

from __future__ import annotations

from homerun.controllers.execution_record import charge_put, job_writes
from homerun.controllers.execution_status import deleted_body
from homerun.controllers.operations import finish, pending_operations
from homerun.core.execution import Execution
from homerun.lib.errors import Aborted
from homerun.model import names
from homerun.model.execution import ExecutionSpec
from homerun.store.base import Delete, Document, Store, Write

PAGE = 500
"""Tasks that are deleted at a time."""


async def delete_execution(store: Store, document: Document, machine: Execution | None, now: float) -> None:
    """`machine`: of one that has not ended; what it is given to end in is not paid for."""
    spec = ExecutionSpec.parse(document.body)
    await _delete_tasks(store, spec)
    operations = await pending_operations(store, document.internal)
    body = deleted_body(document.body, now)
    error = Aborted(f"Execution {names.last(document.name)} was deleted.")
    ran, internal = finish(operations, document.internal, "Execution", body, error=error, verbs=("run", "create"))
    ended, _ = finish(operations, internal, "Execution", body)
    gone: list[Write] = [
        Delete("Running", document.name),
        Delete("Execution", document.name, if_version=document.version),
    ]
    if machine is not None and "completionTime" not in document.body:
        # There will be no other moment at which its end is written.
        gone.append(charge_put(document, spec, machine, now))
    job = await store.get("Job", names.parent(document.name))
    news = {"deleteTime": document.body["deleteTime"]}
    await store.apply(*gone, *ran, *ended, *job_writes(job, document.body, news))


async def _delete_tasks(store: Store, spec: ExecutionSpec) -> None:
    tasks = [Delete("Task", spec.task_name(index)) for index in range(spec.task_count)]
    for start in range(0, len(tasks), PAGE):
        await store.apply(*tasks[start : start + PAGE])
