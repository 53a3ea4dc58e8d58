"""An execution as text: a line of progress, its tasks, why it failed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homerun.cli.output import clock_time, duration, last, table
from homerun.lib.timestamps import from_rfc3339

Json = dict[str, Any]

SHOWN_TASKS = 50
SHOWN_MOMENTS = 20


def completed(execution: Json) -> Json | None:
    """The condition `Completed`, once it is final."""
    for condition in execution.get("conditions", ()):
        if condition["type"] == "Completed" and condition.get("state") in ("CONDITION_SUCCEEDED", "CONDITION_FAILED"):
            found: Json = condition
            return found
    return None


def succeeded(execution: Json) -> bool:
    final = completed(execution)
    return final is not None and final["state"] == "CONDITION_SUCCEEDED"


def started(execution: Json) -> bool:
    return any(
        c["type"] == "Started" and c.get("state") == "CONDITION_SUCCEEDED" for c in execution.get("conditions", ())
    )


def ended_tasks(execution: Json) -> int:
    return sum(int(execution.get(f"{kind}Count", 0)) for kind in ("succeeded", "failed", "cancelled"))


def progress_line(execution: Json, seconds: float, since: int = 0) -> str:
    """`14/20 done · 4 running · 1 retried · 5.2/s`; `since`: tasks that had ended when the watching began."""
    ended = ended_tasks(execution)
    parts = [f"{execution.get('succeededCount', 0)}/{execution.get('taskCount', 1)} done"]
    parts += [
        f"{execution[key]} {word}"
        for key, word in (
            ("runningCount", "running"),
            ("failedCount", "failed"),
            ("cancelledCount", "cancelled"),
            ("retriedCount", "retried"),
        )
        if execution.get(key)
    ]
    if seconds > 0 and ended > since:
        parts.append(f"{(ended - since) / seconds:.1f}/s")
    return " · ".join(parts)


def state(execution: Json) -> str:
    final = completed(execution)
    if final is None:
        return "running" if started(execution) else "pending"
    if final["state"] == "CONDITION_SUCCEEDED":
        return "succeeded"
    return "cancelled" if final.get("executionReason") == "CANCELLED" else "failed"


def took(execution: Json, now: float) -> str:
    if not execution.get("startTime"):
        return "-"
    end = from_rfc3339(execution["completionTime"]) if execution.get("completionTime") else now
    return duration(max(end - from_rfc3339(execution["startTime"]), 0))


def execution_row(execution: Json, now: float) -> tuple[str, str, str, str]:
    return last(execution["name"]), state(execution), progress_line(execution, 0), took(execution, now)


def failed_tasks(tasks: Sequence[Json]) -> list[Json]:
    """Those that failed for good, lowest index first: the others were stopped or never ran."""
    failed = [
        task
        for task in tasks
        if any(c["type"] == "Completed" and c.get("state") == "CONDITION_FAILED" for c in task.get("conditions", ()))
        and task.get("lastAttemptResult")
    ]
    return sorted(failed, key=lambda task: int(task.get("index", 0)))


def attempt_result(task: Json) -> str:
    """`exit code 3`, `signal 9`, or the message of what else went wrong."""
    result = task.get("lastAttemptResult") or {}
    message = result.get("status", {}).get("message", "")
    code, signal = result.get("exitCode"), result.get("termSignal")
    short = f"exit code {code}" if code else f"signal {signal}" if signal else ""
    if short and message:
        return message if short in message else f"{short}: {message}"
    return message or short or "no result"


def task_table(tasks: Sequence[Json]) -> str:
    """From `:explain`. The troubled ones first: with thousands of tasks those are the ones one looks for."""
    ordered = sorted(tasks, key=lambda t: (_rank(t), t["index"]))
    rows = [(t["index"], t["state"], len(t["attempts"]), _attempts(t["attempts"])) for t in ordered[:SHOWN_TASKS]]
    text = table(("TASK", "STATE", "ATTEMPTS", "LAST ATTEMPT"), rows, "  ")
    hidden = len(ordered) - len(rows)
    return text + (f"\n  and {hidden} more; --format json shows all" if hidden else "")


def timeline(moments: Sequence[Json]) -> str:
    """From `:explain`: the end of it."""
    shown = moments[-SHOWN_MOMENTS:]
    hidden = len(moments) - len(shown)
    before = [f"  {hidden} earlier; --format json shows all"] if hidden else []
    lines = [f"  {clock_time(moment['time'])}  {moment['what']}" for moment in shown]
    return "\n".join([*before, *lines]) or "  nothing yet"


def _rank(task: Json) -> int:
    """Failed, running, repeated, succeeded at once, never begun."""
    if not task["attempts"]:
        return 4
    if task["state"] == "Succeeded":
        return 3 if len(task["attempts"]) == 1 else 2
    return 1 if task["state"] == "Running" else 0


def _attempts(attempts: Sequence[Json]) -> str:
    if not attempts:
        return "-"
    attempt = attempts[-1]
    if not attempt.get("ended"):
        return "running"
    took = duration(from_rfc3339(attempt["ended"]) - from_rfc3339(attempt["started"]))
    if attempt.get("lost"):
        return f"lost after {took}"
    if attempt.get("oom"):
        return f"out of memory after {took}"
    how = f"signal {attempt['signal']}" if attempt.get("signal") is not None else f"exit code {attempt.get('code')}"
    return f"{how} after {took}"
