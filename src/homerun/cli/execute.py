"""Follow an execution from its start to its end, and say why it failed."""

from __future__ import annotations

import click

from homerun.cli.client import Json
from homerun.cli.entries import execution_filter, read, text_of
from homerun.cli.errors import CommandFailed, Interrupted
from homerun.cli.execution_bar import Rate, bar, counts, ended, notes, over
from homerun.cli.execution_view import attempt_result, completed, failed_tasks, started, succeeded, waits_for
from homerun.cli.output import last
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from homerun.cli.waiting import ticks
from homerun.lib.clock import Clock, SystemClock

TAIL = 10
"""Log lines shown of the first task that failed."""
SHOWN_FAILURES = 5


def run(session: Session, job: str, overrides: Json) -> Json:
    """Start an execution of `job`; the Execution."""
    body = {"overrides": overrides} if overrides else {}
    operation = session.client.post(f"/v2/{session.name('jobs', job)}:run", body)
    execution: Json = {k: v for k, v in operation["metadata"].items() if k != "@type"}
    return execution


def overrides(
    args: list[str] | None, env: dict[str, str], tasks: int | None, timeout: str | None, *, delay: bool = False
) -> Json:
    """The v2 RunJobRequest.Overrides; empty when nothing is overridden."""
    container: Json = {}
    if args is not None:
        container = {"args": args} if args else {"clearArgs": True}
    if env:
        container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    made: Json = {"containerOverrides": [container]} if container else {}
    if tasks is not None:
        made["taskCount"] = tasks
    if timeout is not None:
        made["timeout"] = timeout
    if delay:
        made["delayExecution"] = True
    return made


def follow(session: Session, execution: Json, progress: Progress, *, to_the_end: bool) -> Json:
    """Wait until it has started, or ended; the Execution as it is then."""
    try:
        if to_the_end:
            return watch(session, execution, progress)
        progress.stage(f"Starting {last(execution['name'])}")
        for _ in ticks():
            if started(execution) or completed(execution):
                return execution
            execution = session.client.get(f"/v2/{execution['name']}")
            progress.update(waits_for(execution))
    except KeyboardInterrupt:
        raise Interrupted(come_back(session, execution)) from None
    raise AssertionError("ticks never end")


def watch(session: Session, execution: Json, progress: Progress) -> Json:
    """Show how far it is until it ends; the Execution as it is then."""
    clock: Clock = SystemClock()
    rate = Rate()
    progress.stage(f"Running {last(execution['name'])}")
    for _ in ticks():
        if completed(execution):
            return execution
        told = session.client.get(f"/homerun/v1/{execution['name']}:progress")
        line = counts(told, rate.observe(ended(told), clock.mono()))
        progress.update(f"{bar(told)} {line}" if progress.live else line, notes(told))
        if over(told):
            execution = session.client.get(f"/v2/{execution['name']}")
    raise AssertionError("ticks never end")


def come_back(session: Session, execution: Json) -> str:
    """What to say when the person leaves and the execution stays."""
    id, job, flags = last(execution["name"]), job_of(execution), session.flags()
    return (
        f"{id} goes on without this command. Come back to it:\n"
        f"  homerun jobs executions describe {id} --watch{flags}\n"
        f"  homerun logs {job} --execution {id} --follow{flags}\n"
        f"  homerun jobs executions cancel {id}{flags}"
    )


def job_of(execution: Json) -> str:
    """`…/jobs/J/executions/E` -> `J`."""
    return str(execution["name"]).split("/")[5]


def check(session: Session, execution: Json) -> None:
    """Raises CommandFailed, with the tasks that failed and the last log lines of the first, unless all is well."""
    if succeeded(execution):
        return
    final = completed(execution) or {}
    failed = failed_tasks(list(session.client.pages(f"/v2/{execution['name']}/tasks", "tasks")))
    message = final.get("message") or f"{last(execution['name'])} did not succeed."
    lines = [message]
    lines += [f"  task {task.get('index', 0)}: {attempt_result(task)}" for task in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"  and {len(failed) - SHOWN_FAILURES} more tasks")
    if failed and "log lines" not in message:
        lines += _tail(session, execution, int(failed[0].get("index", 0)))
    raise CommandFailed("\n".join(lines))


def _tail(session: Session, execution: Json, index: int) -> list[str]:
    filter = execution_filter(session.region, job_of(execution), last(execution["name"]), index)
    entries = read(session.client, session.project, filter, TAIL)
    if not entries:
        return [f"  task {index} wrote nothing to its log."]
    return [f"  last lines of task {index}:", *(click.style(f"    {text_of(e)}", dim=True) for e in entries)]
