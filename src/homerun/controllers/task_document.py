"""The Task documents of an execution: from the core's task to v2 JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from homerun.controllers.failure import signal_name
from homerun.core.task import Attempt, Outcome, Task, TaskState
from homerun.lib import ids
from homerun.lib.timestamps import to_rfc3339
from homerun.model.conditions import FAILED, PENDING, RECONCILING, SUCCEEDED, condition
from homerun.model.execution import ExecutionSpec
from homerun.store.base import Document, Put

_STATE_LABEL = "run.googleapis.com/runningState"
_CONDITION = {
    TaskState.PENDING: PENDING,
    TaskState.RUNNING: RECONCILING,
    TaskState.SUCCEEDED: SUCCEEDED,
    TaskState.FAILED: FAILED,
    TaskState.CANCELLED: FAILED,
    TaskState.ABANDONED: FAILED,
}
_RPC_CODE = {Outcome.TIMEOUT: 4, Outcome.CANCELLED: 1, Outcome.LOST: 14, Outcome.INTERRUPTED: 14}


def task_put(execution: Mapping[str, Any], spec: ExecutionSpec, task: Task, now: float) -> Put:
    """`execution` is the Execution's body. What never changes is made of it each time, not kept ten thousand times."""
    template = execution["template"]
    name = spec.task_name(task.index)
    updated = to_rfc3339(now)
    body = {
        "name": name,
        "uid": ids.uid_of(execution["uid"], str(task.index)),
        "generation": "1",
        "observedGeneration": "1",
        "labels": {
            **execution.get("labels", {}),
            "run.googleapis.com/job": spec.job.rpartition("/")[2],
            "run.googleapis.com/execution": spec.name.rpartition("/")[2],
            "run.googleapis.com/taskIndex": str(task.index),
            _STATE_LABEL: task.state.value,
        },
        "createTime": execution.get("createTime", updated),
        "updateTime": updated,
        "job": spec.job,
        "execution": spec.name,
        "containers": template["containers"],
        "maxRetries": spec.max_retries,
        "timeout": template.get("timeout", "600s"),
        "serviceAccount": template.get("serviceAccount", ""),
        "executionEnvironment": template.get("executionEnvironment", "EXECUTION_ENVIRONMENT_GEN2"),
        "index": task.index,
        "retried": task.retried,
        "reconciling": not task.state.terminal,
        "conditions": [_completed(spec, task, now)],
        **_times(task),
    }
    return Put("Task", name, body, {"attempts": [_stored(attempt) for attempt in task.attempts]})


def task_from(document: Document) -> Task:
    attempts = [
        Attempt(**{**stored, "outcome": Outcome(stored["outcome"]) if stored.get("outcome") else None})
        for stored in document.internal.get("attempts", ())
    ]
    return Task(document.body["index"], TaskState(document.body["labels"][_STATE_LABEL]), attempts)


def failure_text(attempt: Attempt, timeout: float, *, whole: bool = False) -> str:
    """Why an attempt did not succeed; `whole`: with the last lines that it wrote, where they are known."""
    why = _why(attempt, timeout)
    if not whole or not attempt.tail:
        return why
    return f"{why.rstrip('.')}. {attempt.tail}"


def _why(attempt: Attempt, timeout: float) -> str:
    match attempt.outcome:
        case Outcome.UNSTARTED:
            return f"The container could not be started: {attempt.message}"
        case Outcome.TIMEOUT:
            return f"The configured timeout of {timeout:g} s was reached."
        case Outcome.CANCELLED:
            return "The task was cancelled."
        case Outcome.LOST:
            return "The attempt was lost: the machine or the container's monitor went down under it."
        case Outcome.INTERRUPTED:
            return "The attempt was interrupted because homerun was stopped; it is repeated."
    if attempt.message:
        return attempt.message
    if attempt.oom:
        return "The container exceeded its memory limit and was terminated."
    if attempt.signal is not None:
        return f"The container was terminated on signal {attempt.signal} ({signal_name(attempt.signal)})."
    return f"The container exited with an error (exit code {attempt.code})."


_FIELDS = [field.name for field in fields(Attempt)]


def _stored(attempt: Attempt) -> dict[str, Any]:
    """Without what says nothing. By identity: exit code 0 equals False, and says a lot."""
    values = ((name, getattr(attempt, name)) for name in _FIELDS)
    return {name: value for name, value in values if value is not None and value is not False and value != ""}


def _completed(spec: ExecutionSpec, task: Task, now: float) -> dict[str, Any]:
    message = ""
    if task.state is TaskState.FAILED:
        message = failure_text(task.attempts[-1], spec.timeout, whole=True)
    elif task.state in (TaskState.CANCELLED, TaskState.ABANDONED):
        message = f"The task was {task.state.lower()}."
    last = task.attempts[-1].ended if task.attempts else None
    return condition("Completed", _CONDITION[task.state], last or now, message=message)


def _times(task: Task) -> dict[str, Any]:
    if not task.attempts:
        return {}
    times: dict[str, Any] = {
        "scheduledTime": to_rfc3339(task.attempts[0].started),
        "startTime": to_rfc3339(task.attempts[0].started),
    }
    ended = [attempt for attempt in task.attempts if attempt.ended is not None]
    if task.state.terminal and ended and ended[-1].ended is not None:
        times["completionTime"] = to_rfc3339(ended[-1].ended)
    if ended:
        times["lastAttemptResult"] = _result(ended[-1])
    return times


def _result(attempt: Attempt) -> dict[str, Any]:
    """v2 TaskAttemptResult: exitCode or termSignal, never both (contract §1.8)."""
    if attempt.ok:
        # gcloud reads the status of an attempt, and fails without one.
        return {"status": {}, "exitCode": 0}
    code = _RPC_CODE.get(attempt.outcome or Outcome.EXITED, 2)
    status = {
        "code": code,
        "message": failure_text(attempt, 0) if attempt.outcome is not Outcome.TIMEOUT else "Timeout.",
    }
    exit = {"termSignal": attempt.signal} if attempt.signal is not None else {"exitCode": attempt.code}
    return {"status": status, **{key: value for key, value in exit.items() if value is not None}}


def timeline(tasks: Sequence[Task]) -> list[tuple[float, str]]:
    """When each attempt began and ended, in order."""
    lines: list[tuple[float, str]] = []
    for task in tasks:
        for attempt in task.attempts:
            lines.append((attempt.started, f"task {task.index} attempt {attempt.number} started"))
            if attempt.ended is not None:
                ending = "succeeded" if attempt.ok else str(attempt.outcome)
                lines.append((attempt.ended, f"task {task.index} attempt {attempt.number} {ending}"))
    return sorted(lines)
