"""Making durable what an execution has come to, in batches.

All that has changed while one batch is on its way to the disk goes with the next, and nobody needs to know of a task's
state sooner than in a tenth of a second: ten thousand tasks that end are a thousand commits, not twenty thousand. A
batch is small, because what makes it, and what reads it, shares one thread with everybody's requests. An attempt's
instance is removed from the engine only after its outcome is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homerun.aio.tasks import Supervisor
from homerun.controllers.discards import Discards
from homerun.controllers.execution_status import Wait, completion_status, execution_body, failure_message
from homerun.controllers.operations import finish, pending_operations
from homerun.controllers.task_document import task_put
from homerun.core.backoff import delay
from homerun.core.billing import ByDay, Size, book_tasks, encode
from homerun.core.execution import Execution, Result
from homerun.lib.clock import Clock
from homerun.lib.errors import Aborted, FailedPrecondition, HomerunError
from homerun.model import names
from homerun.model.execution import ExecutionSpec
from homerun.store.base import Conflict, Delete, Document, Put, Store, Write

BATCH = 100
"""Tasks of a batch: their documents are some 10 ms of work."""
PAUSE = 0.1
"""Seconds between two batches of an execution, while one suffices."""
LONGEST_WAIT = 10.0
"""Seconds until a write that a full disk has refused is tried once more."""
_log = logging.getLogger("homerun.controllers")


@dataclass(slots=True)
class Record:
    """One execution's machine and what of it is durable."""

    spec: ExecutionSpec
    machine: Execution
    ended: dict[int, list[str]] = field(default_factory=dict)
    """Instances whose outcome is not durable yet, by task index."""
    stale: bool = True
    """The Execution's own document may not say yet what the machine knows."""
    busy: bool = False
    awaited: int = 0
    """News that belong into the next batch and are not here yet: until then there is none."""
    waiting: Wait = Wait.NOTHING
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """The machine has come to its end: that is not to wait for its turn."""

    @property
    def dirty(self) -> bool:
        return not self.awaited and (self.stale or bool(self.machine.changed))

    @property
    def over(self) -> bool:
        """It has ended, and that is durable."""
        return self.machine.ended and not (self.awaited or self.stale or self.machine.changed)


class Recorder:
    """`ended` is called with an execution's name when its end is durable."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        discards: Discards,
        clock: Clock,
        ended: Callable[[str], None],
    ) -> None:
        self._store, self._supervisor, self._discards, self._clock = store, supervisor, discards, clock
        self._ended = ended
        self._writing: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Wait until everything that was asked for so far is durable."""
        while self._writing:
            await asyncio.wait(self._writing)

    def record(self, record: Record) -> None:
        """Write what has changed; one batch of an execution at a time. Returns at once."""
        if record.machine.ended:
            record.ending.set()
        if record.dirty and not record.busy:
            record.busy = True
            task = self._supervisor.spawn(self._batches(record), name=f"record {names.last(record.spec.name)}")
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _batches(self, record: Record) -> None:
        """Until nothing is left to write: what a full disk refuses is tried again, however long that takes."""
        failures = 0
        try:
            while record.dirty:
                try:
                    await self._batch(record)
                    await self._pause(record)
                    failures = 0
                except HomerunError as error:
                    failures += 1
                    _log.error("%s cannot be recorded: %s", record.spec.name, error.message)
                    await asyncio.sleep(delay(failures, most=LONGEST_WAIT))
        finally:
            record.busy = False
        if record.over:
            self._ended(record.spec.name)

    async def _pause(self, record: Record) -> None:
        """Until the next batch is due: at once while there is more than one can hold, and at the end."""
        if len(record.machine.changed) < BATCH and not record.machine.ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(record.ending.wait(), PAUSE)

    async def _batch(self, record: Record) -> None:
        document = await self._store.get("Execution", record.spec.name)
        if record.awaited:
            return  # since a moment ago
        alive = document is not None and "deleteTime" not in document.body
        changed = self._take(record, BATCH if alive else len(record.machine.changed))
        ended = {index: record.ended.pop(index) for index in changed if index in record.ended}
        try:
            if document is not None and alive:
                writes = self._task_writes(record, document, changed)
                await self._store.apply(*writes, *await self._execution_writes(record, document))
        except HomerunError as error:
            # Nothing of it was written: it is all due once more.
            record.stale = True
            record.machine.changed.update(changed)
            for index, ids in ended.items():
                record.ended.setdefault(index, []).extend(ids)
            if isinstance(error, Conflict):
                return  # somebody wrote to the Execution meanwhile (a cancellation): now with what they wrote
            raise
        for id in itertools.chain.from_iterable(ended.values()):
            self._discards.remove(id)

    @staticmethod
    def _take(record: Record, most: int) -> list[int]:
        """Tasks to write now, of those that have changed."""
        record.stale = False
        return record.machine.take_changed(most)

    def _task_writes(self, record: Record, document: Document, changed: list[int]) -> list[Write]:
        now, tasks = self._clock.now(), record.machine.tasks
        return [task_put(document.body, record.spec, tasks[index], now) for index in changed]

    async def _execution_writes(self, record: Record, document: Document) -> list[Write]:
        """The Execution's own status; at its end also its operations and what its job says of it."""
        machine = record.machine
        if machine.ended and machine.changed:
            # More than one batch is left: it has ended when the last one says so. This only sees that nobody writes.
            record.stale = True
            return [Put("Execution", document.name, document.body, document.internal, if_version=document.version)]
        body = execution_body(document.body, record.spec, machine, self._clock.now(), record.waiting)
        if not machine.ended:
            put = Put("Execution", document.name, body, document.internal, if_version=document.version)
            if "startTime" not in body or "startTime" in document.body:
                return [put]
            job = await self._store.get("Job", record.spec.job)
            return [put, *job_writes(job, body, {"completionStatus": completion_status(machine)})]
        operations = await pending_operations(self._store, document.internal)
        ran, internal = finish(
            operations, document.internal, "Execution", body, error=_error(record), verbs=("run", "create")
        )
        others, internal = finish(operations, internal, "Execution", body)
        job = await self._store.get("Job", record.spec.job)
        charge = charge_put(document, record.spec, machine, self._clock.now())
        latest = {"completionStatus": completion_status(machine), "completionTime": body["completionTime"]}
        return [
            Put("Execution", document.name, body, internal, if_version=document.version),
            Delete("Running", document.name),
            charge,
            *ran,
            *others,
            *job_writes(job, body, latest),
        ]


def _error(record: Record) -> HomerunError | None:
    match record.machine.result:
        case Result.FAILED:
            return FailedPrecondition(failure_message(record.spec, record.machine))
        case Result.CANCELLED:
            return Aborted("The execution was cancelled.")
    return None


def job_writes(job: Document | None, execution: Mapping[str, Any], news: Mapping[str, Any]) -> list[Write]:
    """`news` of the job's `latestCreatedExecution`, if it is this one."""
    latest = job.body.get("latestCreatedExecution") or {} if job is not None else {}
    if job is None or names.last(latest.get("name", "")) != names.last(execution["name"]):
        return []
    latest = {**latest, **news}
    return [Put("Job", job.name, {**job.body, "latestCreatedExecution": latest}, job.internal, if_version=job.version)]


def charge_put(document: Document, spec: ExecutionSpec, machine: Execution, now: float) -> Put:
    """What all its attempts cost, for whoever keeps the books (meter.meter): written with its end, so once."""
    days: ByDay = {}
    book_tasks(days, Size.of(spec.containers.cpu, spec.containers.memory), machine.tasks, now)
    body = {"owner": spec.job, "days": {day: encode(used) for day, used in days.items()}}
    return Put("Charge", f"{document.name}/{document.body['uid']}", body)
