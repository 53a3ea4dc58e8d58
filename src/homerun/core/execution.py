"""An execution: N tasks to completion, so many at a time, each with its retries and its time (contract §5).

The two promises: an attempt whose success was seen is the last of its task, and no task is forgotten. Both hold across
crashes because the machine is rebuilt from what was recorded (`tasks`) and then told what the engine still knows
(`adopt`, `exited`) or never knew (`forgotten`), in the same words in which it learns of them live.
"""

from __future__ import annotations

import heapq
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

SHOWN = 5
"""Tasks that are remembered for being slow, and for having failed last."""


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
        self.begun = any(t.attempts for t in self.tasks)
        """Some task of it was ever started, or was found to be impossible."""
        self.changed: set[int] = set()
        """Tasks that differ from what was recorded; whoever records them empties it."""
        self._parallelism = parallelism or len(self.tasks)
        self._max_retries = max_retries
        self.timeout = timeout
        self._pending: deque[int] = deque(t.index for t in self.tasks if t.state is TaskState.PENDING)
        self._running = {t.index for t in self.tasks if t.state is TaskState.RUNNING}
        self._stopping: dict[int, Outcome] = {}
        self._counts = Counter(t.state for t in self.tasks)
        failed = (t for t in self.tasks if t.state is TaskState.FAILED)
        first = min(failed, key=lambda t: (t.attempts and t.attempts[-1].ended) or 0.0, default=None)
        self._failed = first.index if first is not None else None
        self._again = {t.index: t.retried for t in self.tasks if t.retried}
        self.failures: deque[tuple[int, int]] = deque(maxlen=SHOWN)
        """Task and attempt of the last attempts that failed."""
        self._longest: list[tuple[float, int, int]] = []
        for task in self.tasks:
            for past in task.attempts:
                self._remember(task.index, past)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in self._counts.items() if number)
        return f"<Execution {self.result}: {counts}>"

    def count(self, state: TaskState) -> int:
        return self._counts[state]

    @property
    def retried(self) -> int:
        """Tasks that were begun more than once."""
        return len(self._again)

    @property
    def most_retries(self) -> int:
        """Of a task that has not come to its end; 0: no such task was begun twice."""
        return max((n for i, n in self._again.items() if not self.tasks[i].state.terminal), default=0)

    @property
    def running(self) -> list[Task]:
        """Tasks of which an attempt runs, that which runs longest first."""
        running = (self.tasks[index] for index in self._running)
        return sorted(running, key=lambda task: (task.attempts[-1].started, task.index))

    @property
    def longest(self) -> list[tuple[int, int]]:
        """Task and attempt of those that took longest, of all that have ended; the longest first."""
        return [(index, number) for _, index, number in sorted(self._longest, reverse=True)]

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
        return min((a.started + self.timeout for a in running if a is not None), default=None)

    def start(self, slots: int, now: float) -> list[Command]:
        """Start up to `slots` tasks, lowest index first; retries come after tasks that never ran."""
        commands: list[Command] = []
        for _ in range(min(slots, self.startable)):
            task = self.tasks[self._pending.popleft()]
            attempt = Attempt(len(task.attempts), now)
            self._begin(task, attempt)
            commands.append(Start(task.index, attempt.number))
        return commands

    def adopt(self, index: int, attempt: int, started: float) -> None:
        """The engine knows of an attempt. If it was never recorded, it had been started just before a crash. If it was,
        and at quite another time, the wall clock has been set since: `started` is by the clock of now.

        Told in the order of the attempts. One that is recorded as running, and of which the engine did not know before
        this later one, never got that far: an earlier life had found that out, and was killed before it was recorded.
        """
        task = self.tasks[index]
        current = self._current(index, attempt)
        if current is not None and abs(current.started - started) > CLOCK_SET:
            current.started = started
            self.changed.add(index)
        if (earlier := task.running) is not None and earlier.number < attempt:
            earlier.ended, earlier.outcome = max(started, earlier.started), Outcome.INTERRUPTED
            self._running.discard(index)
            self._move(task, TaskState.PENDING)
            self._pending.append(index)
        if task.state is not TaskState.PENDING or attempt < len(task.attempts):
            return
        for number in range(len(task.attempts), attempt):
            # One that the engine refused, and that was not recorded either.
            self._add(task, Attempt(number, started, started, Outcome.INTERRUPTED))
        self._pending.remove(index)
        self._begin(task, Attempt(attempt, started))

    def told_to_stop(self, index: int, attempt: int, at: float) -> list[Command]:
        """An earlier life had told an attempt to stop, for whatever reason: told again, should it still run."""
        current = self._current(index, attempt)
        if current is None:
            return []
        over = at >= current.started + self.timeout - CLOCK_SET
        self._stopping.setdefault(index, Outcome.TIMEOUT if over else Outcome.INTERRUPTED)
        return [Stop(index, attempt)]

    def reunited(self) -> None:
        """All that the engine knows is told. What still waits of an execution that has failed was abandoned by an
        earlier life, which was killed before that was recorded."""
        if self._failed is not None:
            self._drop_pending(TaskState.ABANDONED)

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
        self._again.pop(index, None)
        if task.retried:
            self._again[index] = task.retried
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

    def impossible(self, message: str, now: float) -> None:
        """No attempt can ever be started on this machine: the first task that waits fails, and its execution."""
        if self._pending and not self.cancelled:
            task = self.tasks[self._pending.popleft()]
            refused = Attempt(len(task.attempts), now, now, Outcome.UNSTARTED, message=message)
            self._add(task, refused)
            self._remember(task.index, refused)
            self._fail(task)

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
            if now >= attempt.started + self.timeout - 1e-9:
                self._stopping[index] = Outcome.TIMEOUT
                commands.append(Stop(index, attempt.number))
        return commands

    def take_changed(self, most: int) -> list[int]:
        """Up to `most` of `changed`, to be recorded now, by index. The task that failed is among the first: were those
        recorded before it that were abandoned for it, a crash could leave an execution that nothing has failed."""
        taken = sorted(self.changed) if len(self.changed) <= most else heapq.nsmallest(most, self.changed)
        if self._failed in self.changed and self._failed not in taken:
            taken[-1] = self._failed
        self.changed.difference_update(taken)
        return taken

    def _add(self, task: Task, attempt: Attempt) -> None:
        task.attempts.append(attempt)
        self.begun = True
        if task.retried:
            self._again[task.index] = task.retried

    def _begin(self, task: Task, attempt: Attempt) -> None:
        self._add(task, attempt)
        self._running.add(task.index)
        self._move(task, TaskState.RUNNING)

    def _remember(self, index: int, attempt: Attempt) -> None:
        """An attempt that has ended, if it is worth it."""
        if attempt.ended is None:
            return
        if not attempt.ok and attempt.outcome is not Outcome.INTERRUPTED:
            self.failures.append((index, attempt.number))
        heapq.heappush(self._longest, (attempt.ended - attempt.started, index, attempt.number))
        if len(self._longest) > SHOWN:
            heapq.heappop(self._longest)

    def _current(self, index: int, attempt: int) -> Attempt | None:
        running = self.tasks[index].running
        return running if running is not None and running.number == attempt else None

    def _end(self, index: int, attempt: Attempt, outcome: Outcome, now: float) -> list[Command]:
        task = self.tasks[index]
        attempt.ended, attempt.outcome = max(now, attempt.started), outcome
        self._remember(index, attempt)
        self._running.discard(index)
        if attempt.ok:
            self._move(task, TaskState.SUCCEEDED)
        elif self.cancelled:
            self._move(task, TaskState.CANCELLED)
        elif task.failures > self._max_retries:
            self._fail(task)
        elif self._failed is not None:
            self._move(task, TaskState.ABANDONED)
        else:
            self._move(task, TaskState.PENDING)
            self._pending.append(index)
        return []

    def _fail(self, task: Task) -> None:
        """A task is out of retries: the execution has failed, those that wait are abandoned (contract §5.2)."""
        if self._failed is None:
            self._failed = task.index
        self._move(task, TaskState.FAILED)
        self._drop_pending(TaskState.ABANDONED)

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
