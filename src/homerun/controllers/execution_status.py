"""What an Execution says of itself, from the state of its tasks (contract §5.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from homerun.controllers.task_document import failure_text
from homerun.core.execution import Execution, Result
from homerun.core.task import TaskState
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, Condition, condition
from homerun.model.execution import ExecutionSpec

_COMPLETION = {
    Result.RUNNING: "EXECUTION_RUNNING",
    Result.SUCCEEDED: "EXECUTION_SUCCEEDED",
    Result.FAILED: "EXECUTION_FAILED",
    Result.CANCELLED: "EXECUTION_CANCELLED",
}


class Wait(StrEnum):
    """What an execution of which nothing has started waits for, as its conditions say it."""

    NOTHING = ""
    ROOM = "Waiting until the tasks that run leave enough CPU and memory for one of this execution."
    DELAYED = "Waiting for its start: it was asked to give way to other executions, for at most 12 hours."
    REPLACED = "Waiting until the executions that it replaces have ended."


def execution_body(
    body: Mapping[str, Any], spec: ExecutionSpec, machine: Execution, now: float, waiting: Wait = Wait.NOTHING
) -> dict[str, Any]:
    """`body` with counters, conditions and times as of now; unchanged (but for nothing) when nothing has changed."""
    started = machine.begun or machine.ended
    counts = {
        "runningCount": machine.count(TaskState.RUNNING),
        "succeededCount": machine.count(TaskState.SUCCEEDED),
        "failedCount": machine.count(TaskState.FAILED),
        "cancelledCount": machine.count(TaskState.CANCELLED) + machine.count(TaskState.ABANDONED),
        "retriedCount": machine.retried,
    }
    new = {
        **body,
        **counts,
        "conditions": conditions.merge(body.get("conditions", ()), _conditions(spec, machine, started, now, waiting)),
        "reconciling": not machine.ended,
        "observedGeneration": body.get("generation", "1"),
    }
    if started:
        new.setdefault("startTime", to_rfc3339(now))
    if machine.ended:
        new.setdefault("completionTime", to_rfc3339(now))
    return new


def deleted_body(body: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What is said last of an execution that is deleted; of one that has ended, nothing new."""
    if "completionTime" in body:
        return dict(body)
    message = "The execution was deleted."
    completed = condition("Completed", FAILED, now, message=message, execution_reason="DELETED")
    others = [c for c in body.get("conditions", ()) if c["type"] != "Completed"]
    return {**body, "conditions": [completed, *others], "reconciling": False, "completionTime": to_rfc3339(now)}


def completion_status(machine: Execution) -> str:
    """v2 ExecutionReference.completionStatus."""
    return _COMPLETION[machine.result]


def failure_message(spec: ExecutionSpec, machine: Execution) -> str:
    task = machine.failed_task
    if task is None:
        return "The execution was cancelled."
    why = failure_text(task.attempts[-1], spec.timeout, whole=True)
    return f"Task {names.last(spec.task_name(task.index))} failed with message: {why}"


def _conditions(spec: ExecutionSpec, machine: Execution, started: bool, now: float, waiting: Wait) -> list[Condition]:
    waiting = Wait.NOTHING if started else waiting
    return [
        _completed(spec, machine, now, waiting),
        _resources(now, waiting),
        condition("Started", SUCCEEDED if started else RECONCILING, now),
        *_retry(machine, now),
    ]


def _retry(machine: Execution, now: float) -> list[Condition]:
    """While it runs and some task is on a further attempt; for information (contract §5.2)."""
    if machine.ended or not machine.most_retries:
        return []
    message = f"System will retry after 0:00:00 from lastTransitionTime for attempt {machine.most_retries - 1}."
    return [condition("Retry", SUCCEEDED, now, message=message, reason="IMMEDIATE_RETRY", severity="INFO")]


def _resources(now: float, waiting: Wait) -> Condition:
    if waiting:
        return condition("ResourcesAvailable", RECONCILING, now, message=waiting.value)
    return condition("ResourcesAvailable", SUCCEEDED, now, message="Provisioned imported containers.")


def _completed(spec: ExecutionSpec, machine: Execution, now: float, waiting: Wait) -> Condition:
    match machine.result:
        case Result.SUCCEEDED:
            return condition("Completed", SUCCEEDED, now, message="Execution completed successfully.")
        case Result.FAILED:
            message = failure_message(spec, machine)
            return condition("Completed", FAILED, now, message=message, execution_reason="NON_ZERO_EXIT_CODE")
        case Result.CANCELLED:
            return condition(
                "Completed", FAILED, now, message="The execution was cancelled.", execution_reason="CANCELLED"
            )
    if machine.cancelled:
        return condition("Completed", RECONCILING, now, message="Cancelling.", execution_reason="CANCELLING")
    if waiting is Wait.DELAYED:
        message, reason = waiting.value, "DELAYED_START_PENDING"
        return condition("Completed", RECONCILING, now, message=message, execution_reason=reason)
    return condition("Completed", RECONCILING, now)
