"""How far an execution is, as our own API tells it: from its state machine while it runs, then from its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.homerun.insight import Failed, ProgressView, Slow
from homerun.controllers.task_document import failure_text
from homerun.core.execution import SHOWN, Execution
from homerun.core.task import Task, TaskState

_COUNTED = {
    TaskState.RUNNING: "runningCount",
    TaskState.SUCCEEDED: "succeededCount",
    TaskState.FAILED: "failedCount",
    TaskState.CANCELLED: "cancelledCount",
}


def execution_progress(machine: Execution, waiting: str, now: float) -> ProgressView:
    """Of one that is not over."""
    return {
        "counts": {state.value: machine.count(state) for state in TaskState},
        "retried": machine.retried,
        "running": [_slow(task, task.attempts[-1].number, now) for task in machine.running[:SHOWN]],
        "slowest": [_slow(machine.tasks[index], number, now) for index, number in machine.longest],
        "failures": [_failed(machine, index, number) for index, number in machine.failures],
        "waiting": waiting,
    }


def stored_progress(execution: Mapping[str, Any]) -> ProgressView:
    """Of one that is over, or has not begun: `execution` is its body."""
    counts = {state.value: int(execution.get(key, 0)) for state, key in _COUNTED.items()}
    left = int(execution.get("taskCount", 1)) - sum(counts.values())
    counts |= {TaskState.PENDING.value: left, TaskState.ABANDONED.value: 0}
    retried = int(execution.get("retriedCount", 0))
    return {"counts": counts, "retried": retried, "running": [], "slowest": [], "failures": [], "waiting": ""}


def troubled_first(task: Task) -> tuple[int, int]:
    """A key to sort by: failed, running, repeated, succeeded at once, never begun."""
    if not task.attempts:
        return 4, task.index
    if task.state is TaskState.SUCCEEDED:
        return 2 if task.retried else 3, task.index
    return 1 if task.state is TaskState.RUNNING else 0, task.index


def _slow(task: Task, number: int, now: float) -> Slow:
    attempt = task.attempts[number]
    ended = attempt.ended if attempt.ended is not None else now
    return {"index": task.index, "attempt": number, "seconds": max(ended - attempt.started, 0.0)}


def _failed(machine: Execution, index: int, number: int) -> Failed:
    return {
        "index": index,
        "attempt": number,
        "why": failure_text(machine.tasks[index].attempts[number], machine.timeout),
    }
