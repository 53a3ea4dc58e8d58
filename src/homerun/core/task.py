"""One task of an execution: its attempts and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class TaskState(StrEnum):
    """As the label `run.googleapis.com/runningState` spells them (contract §5.3)."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    ABANDONED = "Abandoned"

    @property
    def terminal(self) -> bool:
        return self not in (TaskState.PENDING, TaskState.RUNNING)


class Outcome(StrEnum):
    """Why an attempt ended, beyond its exit code."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Nobody saw its exit: the machine went down under it."""
    INTERRUPTED = "interrupted"
    """homerun was stopped, or killed before the attempt began: it is repeated and costs no retry."""
    UNSTARTED = "unstarted"
    """It could not be started; `message` says why."""


@dataclass(slots=True)
class Attempt:
    """Times are wall clock. `code` or `signal`, never both."""

    number: int
    started: float
    ended: float | None = None
    outcome: Outcome | None = None
    code: int | None = None
    signal: int | None = None
    oom: bool = False
    message: str = ""
    """Why it ended, where the rest does not say it."""
    tail: str = ""
    """The last lines that it wrote, of one that was the end of its task."""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.EXITED and self.code == 0


@dataclass(slots=True)
class Task:
    index: int
    state: TaskState = TaskState.PENDING
    attempts: list[Attempt] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Task {self.index} {self.state}, {len(self.attempts)} attempts>"

    @property
    def failures(self) -> int:
        """Attempts that count against the retries."""
        return sum(a.ended is not None and not a.ok and a.outcome is not Outcome.INTERRUPTED for a in self.attempts)

    @property
    def retried(self) -> int:
        return max(len(self.attempts) - 1, 0)

    @property
    def running(self) -> Attempt | None:
        return self.attempts[-1] if self.state is TaskState.RUNNING else None
