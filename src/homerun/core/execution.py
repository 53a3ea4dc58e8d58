"""An execution: N tasks to completion, so many at a time, each with its retries and its time (contract §5).

The two promises: an attempt whose success was seen is the last of its task, and no task is forgotten. Both hold across
crashes because the machine is rebuilt from what was recorded (`tasks`) and then told what the engine still knows
(`adopt`, `exited`) or never knew (`forgotten`), in the same words in which it learns of them live.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from homerun.core.task import Attempt, Outcome, Task, TaskState

CLOCK_SET = 1.0
"""Seconds: by less than this a wall clock is not set, but adjusted."""


@dataclass(frozen=True, slots=True)
class Start:
    """Run attempt `attempt` of task `index`. It counts as running from now on; `exited` or `unstarted` follows."""

    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    index: int
    attempt: int


Command = Start | Stop


class Result(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Execution:
    """`parallelism` 0: no limit of its own. `timeout`: seconds, for each attempt."""

    def __init__(self, tasks: Sequence[Task], *, parallelism: int, max_retries: int, timeout: float) -> None:
        self.tasks = list(tasks)
        self.cancelled = False
        self.changed: set[int] = set()
        """Tasks that differ from what was recorded; whoever records them empties it."""
        self._parallelism = parallelism or len(self.tasks)
        self._max_retries = max_retries
        self._timeout = timeout
        self._pending: deque[int] = deque(t.index for t in self.tasks if t.state is TaskState.PENDING)
        self._running = {t.index for t in self.tasks if t.state is TaskState.RUNNING}
        self._stopping: dict[int, Outcome] = {}
        self._counts = Counter(t.state for t in self.tasks)
        self._failed: int | None = next((t.index for t in self.tasks if t.state is TaskState.FAILED), None)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in self._counts.items() if number)
        return f"<Execution {self.result}: {counts}>"

    def count(self, state: TaskState) -> int:
        return self._counts[state]

    @property
    def failed_task(self) -> Task | None:
        """The first task that ran out of retries."""
        return None if self._failed is None else self.tasks[self._failed]

    @property
    def ended(self) -> bool:
        return not self._pending and not self._running

    @property
    def result(self) -> Result:
        if not self.ended:
            return Result.RUNNING
        if self.count(TaskState.SUCCEEDED) == len(self.tasks):
            return Result.SUCCEEDED
        return Result.FAILED if self._failed is not None else Result.CANCELLED

    def is_stopping(self, index: int, attempt: int) -> bool:
        """It was told to stop, and has not ended yet."""
        return index in self._stopping and self._current(index, attempt) is not None

    @property
    def startable(self) -> int:
        """How many tasks `start` could start now."""
        return max(min(len(self._pending), self._parallelism - len(self._running)), 0)

    @property
    def wake(self) -> float | None:
        """When the next attempt's time is over."""
        running = (self.tasks[index].running for index in self._running if index not in self._stopping)
        return min((a.started + self._timeout for a in running if a is not None), default=None)

    def start(self, slots: int, now: float) -> list[Command]:
        """Start up to `slots` tasks, lowest index first; retries come after tasks that never ran."""
        commands: list[Command] = []
        for _ in range(min(slots, self.startable)):
            task = self.tasks[self._pending.popleft()]
            attempt = Attempt(len(task.attempts), now)
            task.attempts.append(attempt)
            self._running.add(task.index)
            self._move(task, TaskState.RUNNING)
            commands.append(Start(task.index, attempt.number))
        return commands

    def adopt(self, index: int, attempt: int, started: float) -> None:
        """The engine knows of an attempt. If it was never recorded, it had been started just before a crash. If it was,
        and at quite another time, the wall clock has been set since: `started` is by the clock of now."""
        task = self.tasks[index]
        current = self._current(index, attempt)
        if current is not None and abs(current.started - started) > CLOCK_SET:
            current.started = started
            self.changed.add(index)
        if task.state is not TaskState.PENDING or attempt != len(task.attempts):
            return
        self._pending.remove(index)
        task.attempts.append(Attempt(attempt, started))
        self._running.add(index)
        self._move(task, TaskState.RUNNING)

    def exited(
        self,
        index: int,
        attempt: int,
        now: float,
        *,
        code: int | None,
        signal: int | None,
        oom: bool = False,
        message: str = "",
    ) -> list[Command]:
        """An attempt ended; `message` says why, if its exit does not. Of one that is not running (known already, or of
        another life) nothing follows."""
        current = self._current(index, attempt)
        if current is None:
            return []
        seen = code is not None or signal is not None
        outcome = self._stopping.pop(index, Outcome.EXITED if seen else Outcome.LOST)
        # Of an attempt that was told to stop, exit code 0 proves nothing: a good SIGTERM handler ends with it.
        current.code, current.signal, current.oom, current.message = code, signal, oom, message
        return self._end(index, current, outcome, now)

    def unstarted(self, index: int, attempt: int, message: str, now: float) -> list[Command]:
        """The engine refused to start it."""
        current = self._current(index, attempt)
        if current is None:
            return []
        current.message = message
        self._stopping.pop(index, None)
        return self._end(index, current, Outcome.UNSTARTED, now)

    def postponed(self, index: int, attempt: int) -> None:
        """There was no room to start it, which is no fault of the task's: as if it had not been tried."""
        current = self._current(index, attempt)
        if current is None:
            return
        task = self.tasks[index]
        task.attempts.pop()
        self._running.discard(index)
        self._stopping.pop(index, None)
        if self.cancelled:
            self._move(task, TaskState.CANCELLED)
        elif self._failed is not None:
            self._move(task, TaskState.ABANDONED)
        else:
            self._move(task, TaskState.PENDING)
            self._pending.appendleft(index)

    def clock_set(self, by: float) -> None:
        """The wall clock was set: what runs has run for as long as before, so by the clock of now it began elsewhen."""
        for index in self._running:
            self.tasks[index].attempts[-1].started += by
            self.changed.add(index)

    def forgotten(self, index: int, attempt: int, now: float) -> list[Command]:
        """Recorded as running, but the engine, which forgets nothing, has no trace of it: it never got that far."""
        current = self._current(index, attempt)
        return [] if current is None else self._end(index, current, Outcome.INTERRUPTED, now)

    def interrupt(self, now: float) -> list[Command]:
        """homerun is going down: stop what runs; it will be repeated at no cost."""
        return self._stop_all(Outcome.INTERRUPTED)

    def cancel(self, now: float) -> list[Command]:
        """Pending tasks are never started, running ones are stopped."""
        self.cancelled = True
        self._drop_pending(TaskState.CANCELLED)
        return self._stop_all(Outcome.CANCELLED)

    def tick(self, now: float) -> list[Command]:
        """Stop the attempts whose time is over."""
        commands: list[Command] = []
        for index in sorted(self._running - self._stopping.keys()):
            attempt = self.tasks[index].attempts[-1]
            if now >= attempt.started + self._timeout - 1e-9:
                self._stopping[index] = Outcome.TIMEOUT
                commands.append(Stop(index, attempt.number))
        return commands

    def _current(self, index: int, attempt: int) -> Attempt | None:
        running = self.tasks[index].running
        return running if running is not None and running.number == attempt else None

    def _end(self, index: int, attempt: Attempt, outcome: Outcome, now: float) -> list[Command]:
        task = self.tasks[index]
        attempt.ended, attempt.outcome = max(now, attempt.started), outcome
        self._running.discard(index)
        if attempt.ok:
            self._move(task, TaskState.SUCCEEDED)
        elif self.cancelled:
            self._move(task, TaskState.CANCELLED)
        elif self._failed is not None:
            self._move(task, TaskState.ABANDONED)
        elif task.failures > self._max_retries:
            return self._fail(task)
        else:
            self._move(task, TaskState.PENDING)
            self._pending.append(index)
        return []

    def _fail(self, task: Task) -> list[Command]:
        """A task is out of retries: the execution has failed, the others are abandoned (contract §5.2)."""
        self._failed = task.index
        self._move(task, TaskState.FAILED)
        self._drop_pending(TaskState.ABANDONED)
        return []

    def _drop_pending(self, state: TaskState) -> None:
        for index in self._pending:
            self._move(self.tasks[index], state)
        self._pending.clear()

    def _stop_all(self, outcome: Outcome) -> list[Command]:
        commands: list[Command] = []
        for index in sorted(self._running - self._stopping.keys()):
            self._stopping[index] = outcome
            commands.append(Stop(index, self.tasks[index].attempts[-1].number))
        return commands

    def _move(self, task: Task, state: TaskState) -> None:
        self._counts[task.state] -= 1
        self._counts[state] += 1
        task.state = state
        self.changed.add(task.index)
