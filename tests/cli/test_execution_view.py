from typing import Any

import pytest

from homerun.cli.execution_view import (
    SHOWN_MOMENTS,
    attempt_result,
    attempt_table,
    completed,
    failed_tasks,
    progress_line,
    started,
    state,
    succeeded,
    task_table,
    timeline,
    took,
    waits_for,
)
from homerun.lib.timestamps import from_rfc3339


def execution(completed: str = "", **more: Any) -> dict[str, Any]:
    conditions = [{"type": "Started", "state": "CONDITION_SUCCEEDED"}]
    if completed:
        conditions.append({"type": "Completed", "state": completed})
    return {"name": "x/jobs/j/executions/j-1", "taskCount": 20, "conditions": conditions, **more}


def test_progress_counts_what_is_over() -> None:
    running = execution(succeededCount=10, failedCount=1, cancelledCount=1, runningCount=4, retriedCount=2)
    assert progress_line(running) == "10/20 done · 4 running · 1 failed · 1 cancelled · 2 retried"
    assert progress_line(execution()) == "0/20 done"


def test_what_it_waits_for_is_in_its_conditions() -> None:
    waiting = {"type": "ResourcesAvailable", "state": "CONDITION_RECONCILING", "message": "Waiting for room."}
    assert waits_for({"conditions": [waiting]}) == "Waiting for room."
    assert waits_for(execution()) == ""


def test_states() -> None:
    assert state({"conditions": []}) == "pending"
    assert state(execution()) == "running"
    assert state(execution("CONDITION_RECONCILING")) == "running"
    assert state(execution("CONDITION_SUCCEEDED")) == "succeeded"
    assert state(execution("CONDITION_FAILED")) == "failed"
    cancelled = {"type": "Completed", "state": "CONDITION_FAILED", "executionReason": "CANCELLED"}
    assert state({"conditions": [cancelled]}) == "cancelled"


def test_completed_is_final_only() -> None:
    assert completed(execution("CONDITION_RECONCILING")) is None
    assert succeeded(execution("CONDITION_SUCCEEDED"))
    assert not succeeded(execution("CONDITION_FAILED"))
    assert started(execution()) and not started({})


def test_time_counts_until_the_end_or_now() -> None:
    begun = execution(startTime="2024-11-24T11:00:00Z")
    assert took(begun, from_rfc3339("2024-11-24T11:00:05Z")) == "5.0 s"
    assert took({**begun, "completionTime": "2024-11-24T11:00:02Z"}, 0) == "2.0 s"
    assert took(execution(), 0) == "-"


def test_tasks_that_failed_by_themselves_come_by_index() -> None:
    failed = [{"type": "Completed", "state": "CONDITION_FAILED"}]
    result = {"lastAttemptResult": {"exitCode": 1}}
    tasks = [
        {"index": 7, "conditions": failed, **result},
        {"index": 2, "conditions": failed, **result},
        {"index": 3, "conditions": failed},
        {"index": 4, "conditions": [{"type": "Completed", "state": "CONDITION_SUCCEEDED"}], **result},
    ]
    assert [task["index"] for task in failed_tasks(tasks)] == [2, 7]


@pytest.mark.parametrize(
    "result,text",
    [
        ({"exitCode": 3}, "exit code 3"),
        ({"exitCode": 3, "status": {"message": "bad"}}, "exit code 3: bad"),
        ({"exitCode": 3, "status": {"message": "it ended (exit code 3)"}}, "it ended (exit code 3)"),
        ({"termSignal": 9}, "signal 9"),
        ({"status": {"message": "no such image"}}, "no such image"),
        (None, "no result"),
    ],
)
def test_results_of_attempts(result: dict[str, Any] | None, text: str) -> None:
    assert attempt_result({"lastAttemptResult": result}) == text


def task(index: int, state: str, **attempt: Any) -> dict[str, Any]:
    made = {"attempt": 0, "started": "2024-11-24T11:00:00Z", "ended": "2024-11-24T11:00:01Z", **attempt}
    return {"index": index, "state": state, "attempts": [made] if attempt else []}


def test_tasks_that_are_not_shown_are_counted() -> None:
    lines = task_table([task(700, "Failed", code=2), task(1, "Succeeded", code=0)], more=998).splitlines()
    assert lines[1].split() == ["700", "Failed", "1", "exit", "code", "2", "after", "1.0", "s"]
    assert lines[-1] == "  and 998 more: `homerun jobs executions tasks` shows them"


def test_every_attempt_of_a_task_is_a_line_with_why_it_failed() -> None:
    failed = task(7, "Failed", code=2, why="The container exited.\nIts last log lines")["attempts"]
    [_, line] = attempt_table(failed).splitlines()
    assert line.split() == "0 11:00:00 exit code 2 after 1.0 s The container exited.".split()


@pytest.mark.parametrize(
    "attempt,text",
    [
        ({"code": 0}, "exit code 0 after 1.0 s"),
        ({"signal": 15}, "signal 15 after 1.0 s"),
        ({"signal": 9, "oom": True}, "out of memory after 1.0 s"),
        ({"lost": True}, "lost after 1.0 s"),
        ({"code": 0, "ended": None}, "running"),
        ({"oom": False}, "not started after 1.0 s"),
        ({}, "-"),
    ],
)
def test_how_an_attempt_ended(attempt: dict[str, Any], text: str) -> None:
    assert task_table([task(0, "X", **attempt)]).splitlines()[1].endswith(text)


def test_a_long_timeline_says_that_it_begins_earlier() -> None:
    moments = [{"time": "2024-11-24T11:00:00Z", "what": f"moment {n}"} for n in range(SHOWN_MOMENTS + 3)]
    lines = timeline(moments).splitlines()
    assert lines[0] == "  3 earlier; --format json shows all"
    assert [line.split(maxsplit=1)[1] for line in lines[1:]] == [f"moment {n}" for n in range(3, SHOWN_MOMENTS + 3)]
    assert "earlier" not in timeline(moments[3:])
    assert timeline(moments[3:], more=7).startswith("  7 earlier")
