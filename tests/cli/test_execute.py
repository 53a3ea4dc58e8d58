import io
from typing import Any

import click
import pytest

from homerun.cli.errors import CommandFailed, Interrupted
from homerun.cli.execute import check, follow, overrides
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from tests.support.fake_api import FakeApi

NAME = "projects/p/locations/r/jobs/ingest/executions/ingest-abcde"
PROGRESS = f"/homerun/v1/{NAME}:progress"
STARTED = {"type": "Started", "state": "CONDITION_SUCCEEDED"}
SUCCEEDED = {"type": "Completed", "state": "CONDITION_SUCCEEDED"}
FAILED = {"type": "Completed", "state": "CONDITION_FAILED", "message": "Task ingest-abcde-task3 failed"}


def execution(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": NAME, "taskCount": 4, "conditions": list(conditions), **more}


@pytest.fixture
def session(api: FakeApi) -> Session:
    return Session("127.0.0.1:8787", None, "r", "table")


def test_overrides_hold_only_what_is_overridden() -> None:
    assert overrides(None, {}, None, None) == {}
    assert overrides(["a"], {"K": "v"}, 3, "60s") == {
        "containerOverrides": [{"args": ["a"], "env": [{"name": "K", "value": "v"}]}],
        "taskCount": 3,
        "timeout": "60s",
    }
    assert overrides(None, {}, None, None, delay=True) == {"delayExecution": True}
    assert overrides([], {}, None, None) == {"containerOverrides": [{"clearArgs": True}]}


def told(**states: int) -> dict[str, Any]:
    nothing: dict[str, Any] = {"running": [], "slowest": [], "failures": []}
    return {"counts": states, "retried": 0, "waiting": "", **nothing}


def test_following_ends_with_the_start(session: Session, api: FakeApi) -> None:
    api.on("GET", f"/v2/{NAME}", execution(), execution(STARTED))
    follow(session, execution(), Progress(io.StringIO()), to_the_end=False)
    assert len(api.asked) == 2


def test_following_to_the_end_looks_at_the_execution_only_when_all_tasks_are_over(
    session: Session, api: FakeApi
) -> None:
    api.on("GET", PROGRESS, told(Succeeded=2, Running=2), told(Succeeded=3, Running=1), told(Succeeded=4))
    api.on("GET", f"/v2/{NAME}", execution(STARTED), execution(STARTED, SUCCEEDED, succeededCount=4))
    found = follow(session, execution(), Progress(io.StringIO()), to_the_end=True)
    assert found["succeededCount"] == 4
    assert len([asked for asked in api.asked if asked.path == PROGRESS]) == 4


def test_a_terminal_sees_a_bar_and_the_rest_of_the_world_counts(session: Session, api: FakeApi) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    api.on("GET", PROGRESS, {**told(Succeeded=2, Running=2), "waiting": "Waiting."}, told(Succeeded=4))
    api.on("GET", f"/v2/{NAME}", execution(STARTED, SUCCEEDED))
    stream = Terminal()
    follow(session, execution(), Progress(stream), to_the_end=True)
    shown = click.unstyle(stream.getvalue())
    assert "████████████▓▓▓▓▓▓▓▓▓▓▓▓ 2/4 done · 2 running" in shown
    assert "  Waiting." in shown


def test_ctrl_c_says_how_to_see_follow_and_stop_it(session: Session, api: FakeApi) -> None:
    api.on("GET", PROGRESS, KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(Interrupted) as caught:
        follow(session, execution(), Progress(io.StringIO()), to_the_end=True)
    for command in (
        "homerun jobs executions describe ingest-abcde --watch --region r",
        "homerun logs ingest --execution ingest-abcde --follow --region r",
        "homerun jobs executions cancel ingest-abcde --region r",
    ):
        assert command in caught.value.message


def test_success_is_no_error(session: Session) -> None:
    check(session, execution(SUCCEEDED))


def test_a_failure_names_the_tasks_and_shows_the_last_lines_of_the_first(session: Session, api: FakeApi) -> None:
    def task(index: int) -> dict[str, Any]:
        return {"index": index, "conditions": [FAILED], "lastAttemptResult": {"exitCode": 2}}

    api.on("GET", f"/v2/{NAME}/tasks", {"tasks": [task(i) for i in (9, 8, 7, 6, 5, 4, 3)]})
    api.on("POST", "/v2/entries:list", {"entries": [{"textPayload": "last"}, {"textPayload": "first"}]})
    with pytest.raises(CommandFailed) as caught:
        check(session, execution(FAILED))
    message = caught.value.message
    assert message.startswith("Task ingest-abcde-task3 failed\n  task 3: exit code 2\n  task 4: exit code 2")
    assert "and 2 more tasks" in message
    assert click.unstyle(message).endswith("last lines of task 3:\n    first\n    last")
    (filter,) = [body["filter"] for body in api.sent("POST", "/v2/entries:list")]
    assert '"run.googleapis.com/task_index" = 3' in filter


def test_a_failure_whose_message_has_the_last_lines_does_not_repeat_them(session: Session, api: FakeApi) -> None:
    failed = {**FAILED, "message": "Task ingest-abcde-task3 failed. Its last log lines:\nno such row"}
    api.on("GET", f"/v2/{NAME}/tasks", {"tasks": [{"conditions": [FAILED], "lastAttemptResult": {"exitCode": 2}}]})
    with pytest.raises(CommandFailed, match=r"no such row\n  task 0: exit code 2$"):
        check(session, execution(failed))
    assert not api.sent("POST", "/v2/entries:list")


def test_a_task_that_wrote_nothing_is_said_to_have(session: Session, api: FakeApi) -> None:
    tasks = [{"index": 0, "conditions": [FAILED], "lastAttemptResult": {"termSignal": 9}}]
    api.on("GET", f"/v2/{NAME}/tasks", {"tasks": tasks})
    api.on("POST", "/v2/entries:list", {})
    with pytest.raises(CommandFailed, match="task 0 wrote nothing"):
        check(session, execution(FAILED))
