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


def waits_for(execution: Json) -> str:
    """What it waits for before its first task; empty: nothing that it says."""
    for condition in execution.get("conditions", ()):
        if condition["type"] == "ResourcesAvailable" and condition.get("state") == "CONDITION_RECONCILING":
            return str(condition.get("message", ""))
    return ""


def progress_line(execution: Json) -> str:
    """`14/20 done · 4 running · 1 retried`."""
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
    return last(execution["name"]), state(execution), progress_line(execution), took(execution, now)


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


def task_table(tasks: Sequence[Json], more: int = 0) -> str:
    """From `:explain`, which has the troubled ones first; `more` are not here."""
    rows = [(t["index"], t["state"], len(t["attempts"]), _attempts(t["attempts"])) for t in tasks]
    text = table(("TASK", "STATE", "ATTEMPTS", "LAST ATTEMPT"), rows, "  ")
    return text + (f"\n  and {more} more: `homerun jobs executions tasks` shows them" if more else "")


def timeline(moments: Sequence[Json], more: int = 0) -> str:
    """From `:explain`: the end of it; `more` came earlier and are not here."""
    shown = moments[-SHOWN_MOMENTS:]
    hidden = len(moments) - len(shown) + more
    before = [f"  {hidden} earlier; --format json shows all"] if hidden else []
    lines = [f"  {clock_time(moment['time'])}  {moment['what']}" for moment in shown]
    return "\n".join([*before, *lines]) or "  nothing yet"


def attempt_table(attempts: Sequence[Json]) -> str:
    """Each attempt of one task: when it began, how long it took, how it ended."""
    rows = [(a["attempt"], clock_time(a["started"]), _attempts([a]), _first(a.get("why", ""))) for a in attempts]
    return table(("ATTEMPT", "STARTED (UTC)", "RESULT", ""), rows, "  ")


def _first(text: str) -> str:
    return text.partition("\n")[0]


def _attempts(attempts: Sequence[Json]) -> str:
    """Of the last of them."""
    if not attempts:
        return "-"
    attempt = attempts[-1]
    if not attempt.get("ended"):
        return "running"
    took = duration(from_rfc3339(attempt["ended"]) - from_rfc3339(attempt["started"]))
    return f"{_result(attempt)} after {took}"


def _result(attempt: Json) -> str:
    if attempt.get("lost"):
        return "lost"
    if attempt.get("oom"):
        return "out of memory"
    if attempt.get("signal") is not None:
        return f"signal {attempt['signal']}"
    if attempt.get("code") is not None:
        return f"exit code {attempt['code']}"
    return "not started"
