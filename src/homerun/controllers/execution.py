"""Execution -> Tasks: drives each unfinished execution's state machine.

The machine (core/execution.py) is in memory; the store has what was recorded, the engine what really runs. After a
restart the three are brought together in this order: recorded tasks, then what the engine knows of each attempt
(running, or exited while nobody looked), then what the engine has never heard of, which never began. Because an
instance outlives its exit until that is durable, an attempt whose success was seen is never repeated, whatever is
killed when.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass

from homerun.aio.tasks import Supervisor
from homerun.controllers.attempt_spec import AttemptSpecs, instance_id
from homerun.controllers.discards import Discards
from homerun.controllers.execution_deletion import delete_execution
from homerun.controllers.execution_record import Record, Recorder
from homerun.controllers.execution_status import Wait
from homerun.controllers.failure import SHOWN_LINES, log_tail
from homerun.controllers.orphans import Orphans
from homerun.controllers.refusals import Refusals
from homerun.controllers.secrets import Secrets
from homerun.controllers.task_document import task_from
from homerun.controllers.volumes import NO_FOLDERS, Folders
from homerun.core.admission import DELAY, Admission, Size
from homerun.core.execution import CLOCK_SET, Command, Execution, Start, Stop
from homerun.core.task import Task
from homerun.engine.base import Engine, Event, Exit, Exited, InstanceState, Phase, Probed
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.lib.timestamps import from_rfc3339
from homerun.model import labels, probe_words
from homerun.model.execution import ExecutionSpec
from homerun.store.base import Document, Store
from homerun.store.walk import walk

KINDS = frozenset({"Execution"})
_log = logging.getLogger("homerun.controllers")


@dataclass(slots=True)
class Run:
    """One unfinished execution. `replaces`: executions that it waits for."""

    images: Sequence[str]
    uid: str
    record: Record
    replaces: set[str]
    timer: asyncio.TimerHandle | None = None

    @property
    def spec(self) -> ExecutionSpec:
        return self.record.spec

    @property
    def machine(self) -> Execution:
        return self.record.machine


class ExecutionController:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        supervisor: Supervisor,
        discards: Discards,
        secrets: Secrets,
        clock: Clock,
        *,
        room: Size,
        others: Callable[[], Size] = Size,
        folders: Folders = NO_FOLDERS,
    ) -> None:
        """`room`: what all tasks may have together; `others`: what is held of it by what is no task."""
        self._store, self._engine, self._supervisor, self._clock = store, engine, supervisor, clock
        self._discards, self._others = discards, others
        self._specs = AttemptSpecs(secrets, folders, discards.grace)
        self._admission = Admission(room)
        self._explaining: set[asyncio.Task[None]] = set()
        self._delay: asyncio.TimerHandle | None = None
        self._recorder = Recorder(store, supervisor, discards, clock, self._forget)
        self._runs: dict[str, Run] = {}
        self._owners: dict[str, tuple[Run, int, int]] = {}
        self._causes: dict[str, str] = {}
        """What the engine kills because it did not start, and why, until its exit."""
        self._orphans = Orphans(engine)
        self._refusals = Refusals(self._go_on)
        self._epoch = clock.now() - clock.mono()
        """Of the monotonic clock. It moves when the wall clock is set."""
        self._idle: asyncio.Event | None = None
        self.on_end: Callable[[str, Execution], None] = lambda execution, machine: None
        """Called with an execution that has ended, when that is durable."""

    def unfinished(self) -> Iterable[tuple[ExecutionSpec, Execution]]:
        """All of them."""
        return [(run.spec, run.machine) for run in self._runs.values()]

    def machine(self, execution: str) -> Execution | None:
        """The state machine of an unfinished execution."""
        run = self._runs.get(execution)
        return None if run is None else run.machine

    def waiting(self, execution: str) -> str:
        """What an unfinished execution waits for before its first task; empty: nothing."""
        run = self._runs.get(execution)
        return "" if run is None else run.record.waiting.value

    def adopt(self, states: Iterable[InstanceState], executions: Container[str]) -> None:
        """What the engine found after a restart. `executions`: those that exist and are unfinished."""
        for state in states:
            execution = state.labels.get(labels.EXECUTION)
            if execution is None:
                continue
            if execution in executions:
                self._orphans.add(execution, state.id)
            else:
                self._discards.add([state])

    async def reconcile(self, key: str) -> None:
        # In this order: a run that ends while we read is durable, and we must not take what we read for unfinished.
        run = self._runs.get(key)
        document = await self._store.get("Execution", key)
        if document is None or "deleteTime" in document.body:
            if run is not None:
                self._cancel(run)
            if document is not None:
                machine = None if run is None else run.machine
                await delete_execution(self._store, document, machine, self._now())
            return
        if "completionTime" in document.body:
            return
        if run is None:
            run = await self._load(document)
        if document.internal.get("cancel"):
            self._cancel(run)
        self._pump()
        self._recorder.record(run.record)

    def _now(self) -> float:
        """The wall clock. When it has been set, no attempt has run for longer or shorter by that."""
        now = self._clock.now()
        by = now - self._clock.mono() - self._epoch
        if abs(by) > CLOCK_SET:
            self._epoch += by
            for run in self._runs.values():
                run.machine.clock_set(by)
        return now

    # Bringing an execution into memory

    async def _load(self, document: Document) -> Run:
        spec = ExecutionSpec.parse(document.body)
        tasks = await self._stored_tasks(spec)
        machine = Execution(
            [tasks.get(index) or Task(index) for index in range(spec.task_count)],
            parallelism=spec.parallelism,
            max_retries=spec.max_retries,
            timeout=spec.timeout,
        )
        # Tasks begin before all of them are written: one that is nowhere has not begun, or the engine knows of it.
        machine.changed.update(index for index in range(spec.task_count) if index not in tasks)
        run = Run(
            document.internal["digests"],
            document.body["uid"],
            Record(spec, machine),
            set(document.internal.get("replaces", ())),
        )
        self._runs[spec.name] = run
        self._join(run, document)
        self._reunite(run, self._orphans.take(spec.name))
        if problem := self._admission.refusal(Size(spec.containers.cpu, spec.containers.memory)):
            run.machine.impossible(problem, self._now())
        self._set_timer(run)
        for other in list(run.replaces):
            if await self._store.get("Running", other) is None:
                run.replaces.discard(other)
        return run

    async def _stored_tasks(self, spec: ExecutionSpec) -> dict[int, Task]:
        """By index."""
        stored = walk(self._store, "Task", prefix=f"{spec.name}/tasks/")
        return {document.body["index"]: task_from(document) async for document in stored}

    def _join(self, run: Run, document: Document) -> None:
        """It is among those that share the machine."""
        spec = run.spec
        need = Size(spec.containers.cpu, spec.containers.memory)
        until = None
        if document.internal.get("delayed") and not run.machine.begun:
            until = from_rfc3339(document.body["createTime"]) + DELAY
        self._admission.add(spec.name, need, until)

    def _reunite(self, run: Run, states: Iterable[InstanceState]) -> None:
        """Tell the machine what the engine knows of its attempts, oldest attempt first, and what it does not."""
        now, machine = self._now(), run.machine
        numbered = [(int(s.labels[labels.TASK]), int(s.labels[labels.ATTEMPT]), s) for s in states]
        for index, attempt, state in sorted(numbered, key=lambda item: item[:2]):
            machine.adopt(index, attempt, state.started)
            self._own(state.id, run, index, attempt)
            if state.told is not None:
                stops = machine.told_to_stop(index, attempt, state.told)
                self._carry_out(run, stops if state.phase is not Phase.EXITED else [])
            if state.phase is Phase.EXITED:
                self._on_exited(state.id, state.exited or now, state.exit or Exit())
        known = {(index, attempt) for index, attempt, _ in numbered}
        for task in machine.tasks:
            running = task.running
            if running is not None and (task.index, running.number) not in known:
                machine.forgotten(task.index, running.number, now)
        machine.reunited()

    # What the engine tells

    def on_event(self, event: Event) -> bool:
        """False: not an instance of a task."""
        owner = self._owners.get(event.id)
        if owner is None:
            return False
        if isinstance(event, Probed) and not event.well:
            container = owner[0].spec.containers.named(event.container)
            self._causes[event.id] = probe_words.failure(
                container, event.check, times=event.times, wrong=event.wrong, found=event.message
            )
        if isinstance(event, Exited):
            self._on_exited(event.id, event.at, event.exit)
            self._settle(owner[0])
        return True

    def _on_exited(self, id: str, at: float, exit: Exit) -> None:
        run, index, attempt = self._disown(id)
        known = run.machine.failed_task is not None
        self._now()  # so that what began is told by the clock by which it ended
        run.record.ended.setdefault(index, []).append(id)
        # Its record is due even if the machine has heard of this exit before: only then is the instance removed.
        run.machine.changed.add(index)
        code, signal, why = exit.code, exit.signal, self._causes.pop(id, "")
        self._carry_out(
            run, run.machine.exited(index, attempt, at, code=code, signal=signal, oom=exit.oom, message=why)
        )
        failed = run.machine.failed_task
        if not known and failed is not None and failed.index == index:
            run.record.awaited += 1
            task = self._supervisor.spawn(self._add_tail(run, id, failed), name=f"tail of {id[:8]}")
            self._explaining.add(task)
            task.add_done_callback(self._explaining.discard)

    async def _add_tail(self, run: Run, id: str, task: Task) -> None:
        """What the attempt wrote last belongs to why its task, and with it the execution, has failed."""
        try:
            task.attempts[-1].tail = log_tail(await self._engine.logs({labels.INSTANCE: id}, limit=SHOWN_LINES))
        except Exception:
            _log.exception("the last lines of %s cannot be read", id)
        run.machine.changed.add(task.index)
        run.record.awaited -= 1
        self._settle(run)

    def _settle(self, run: Run) -> None:
        """After news of an attempt: start what may start now, record what has changed."""
        run.record.stale = True
        self._pump()
        self._recorder.record(run.record)
        if self._idle is not None and not self._owners:
            self._idle.set()

    def _forget(self, execution: str) -> None:
        """It has ended, and that is durable."""
        run = self._runs.pop(execution, None)
        if run is None:
            return
        self._admission.forget(execution)
        self.on_end(execution, run.machine)
        if after := [other for other in self._runs.values() if execution in other.replaces]:
            for other in after:
                other.replaces.discard(execution)
            self._pump()

    # Carrying out

    def look(self) -> None:
        """What others hold of the machine has become less."""
        if self._runs:
            self._pump()

    def _pump(self) -> None:
        """Start what may start, one task after the other, each of the execution that has least (core/admission.py)."""
        if self._idle is not None or self._refusals.waiting:
            return
        now, others = self._now(), self._others()
        waiting = {name: run for name, run in self._runs.items() if run.machine.startable and not run.replaces}
        touched: dict[str, Run] = {}
        while waiting and (name := self._admission.next(waiting, others, now)) is not None:
            run = touched[name] = waiting[name]
            run.record.stale = True
            self._carry_out(run, run.machine.start(1, now))
            if not run.machine.startable:
                del waiting[name]
        for name, run in self._runs.items():
            wait = Wait.NOTHING if run.machine.begun else self._wait(run, name in waiting, now)
            if wait is not run.record.waiting:
                touched[name] = run
                run.record.waiting, run.record.stale = wait, True
        for run in touched.values():
            self._recorder.record(run.record)
        self._set_delay(self._admission.wake(waiting, now), now)

    def _wait(self, run: Run, startable: bool, now: float) -> Wait:
        """What keeps one from its first task."""
        if run.replaces:
            return Wait.REPLACED
        if not startable:
            return Wait.NOTHING
        return Wait.ROOM if self._admission.wake([run.spec.name], now) is None else Wait.DELAYED

    def _set_delay(self, wake: float | None, now: float) -> None:
        if self._delay is not None:
            self._delay.cancel()
        self._delay = None if wake is None else asyncio.get_running_loop().call_later(wake - now, self._pump)

    def _own(self, id: str, run: Run, index: int, attempt: int) -> None:
        self._owners[id] = (run, index, attempt)
        self._admission.take(run.spec.name)

    def _disown(self, id: str) -> tuple[Run, int, int]:
        owner = self._owners.pop(id)
        self._admission.give(owner[0].spec.name)
        return owner

    def _carry_out(self, run: Run, commands: list[Command]) -> None:
        for command in commands:
            id = instance_id(run.uid, command.index, command.attempt)
            match command:
                case Start(index, attempt):
                    self._own(id, run, index, attempt)
                    self._supervisor.spawn(self._start(run, id, index, attempt), name=f"start {id[:8]}")
                case Stop():
                    self._discards.stop(id)
        self._set_timer(run)

    async def _start(self, run: Run, id: str, index: int, attempt: int) -> None:
        try:
            await self._engine.start(await self._specs.make(id, run.spec, run.images, index, attempt))
        except HomerunError as error:
            if id in self._owners:
                self._disown(id)
            if self._refusals.passing(error):
                run.machine.postponed(index, attempt)
            else:
                self._carry_out(run, run.machine.unstarted(index, attempt, error.message, self._now()))
            self._settle(run)
            return
        self._refusals.over()
        if run.machine.is_stopping(index, attempt):
            # It was told to stop before there was anything to stop.
            self._discards.stop(id)

    def _go_on(self) -> None:
        """The machine has had time to recover."""
        self._pump()
        for run in self._runs.values():
            self._recorder.record(run.record)

    def _set_timer(self, run: Run) -> None:
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None
        wake = run.machine.wake
        if wake is not None:
            delay = max(wake - self._now(), 0.0)
            run.timer = asyncio.get_running_loop().call_later(delay, self._on_timer, run)

    def _on_timer(self, run: Run) -> None:
        run.timer = None
        self._carry_out(run, run.machine.tick(self._now()))

    # The end

    def _cancel(self, run: Run) -> None:
        if not run.machine.cancelled:
            self._carry_out(run, run.machine.cancel(self._now()))
            self._settle(run)

    def close(self) -> None:
        """No more timers: nothing happens from here on."""
        for run in self._runs.values():
            if run.timer is not None:
                run.timer.cancel()
        self._refusals.close()
        if self._delay is not None:
            self._delay.cancel()

    async def stop_all(self) -> None:
        """Interrupt every attempt, wait until all have ended and that is durable: the next start repeats them."""
        self._idle = asyncio.Event()
        for run in list(self._runs.values()):
            self._carry_out(run, run.machine.interrupt(self._now()))
        if self._owners:
            await self._idle.wait()
        while self._explaining:
            await asyncio.wait(self._explaining)
        await self._recorder.drain()
