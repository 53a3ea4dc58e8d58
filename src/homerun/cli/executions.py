"""`homerun jobs executions`: list, describe, tasks, cancel."""

from __future__ import annotations

import click

from homerun.cli.client import Json
from homerun.cli.entries import execution_filter, read, text_of
from homerun.cli.errors import ApiError
from homerun.cli.execute import follow, job_of
from homerun.cli.execution_view import (
    SHOWN_MOMENTS,
    SHOWN_TASKS,
    attempt_table,
    completed,
    execution_row,
    state,
    task_table,
    timeline,
)
from homerun.cli.output import conditions, cost, last, mark, print_json, section, table
from homerun.cli.progress import Progress
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import finish
from homerun.lib.clock import SystemClock


@click.group(short_help="List, describe, watch, cancel executions.")
def executions() -> None:
    """Executions: one run of a job each, with all its tasks."""


@executions.command("list")
@click.option("--job", metavar="JOB", help="Of this job only.")
@session_options
def list_executions(session: Session, job: str | None) -> None:
    """List executions, newest first.

    \b
    Examples:
      homerun jobs executions list --job ingest
      homerun jobs executions list --format json
    """
    url = f"/v2/{session.name('jobs', job or '-', 'executions')}"
    found = sorted(session.client.pages(url, "executions"), key=lambda e: str(e.get("createTime", "")), reverse=True)
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [(mark(completed(e)), *execution_row(e, now)) for e in found]
    click.echo(table(("", "EXECUTION", "STATE", "TASKS", "TOOK"), rows))


@executions.command()
@click.argument("execution")
@click.option("--job", metavar="JOB", help="Its job, where the name does not tell.")
@click.option("--watch", "-w", "wait", is_flag=True, help="First show how far it is, until it ends. Ctrl-C leaves it.")
@session_options
def describe(session: Session, execution: str, job: str | None, wait: bool) -> None:
    """Show an execution: its conditions, its tasks with their attempts, its timeline and its cost.

    \b
    Examples:
      homerun jobs executions describe ingest-x7k2p
      homerun jobs executions describe ingest-x7k2p --watch
    """
    resource = find(session, execution, job)
    if wait:
        with Progress() as progress:
            resource = follow(session, resource, progress, to_the_end=True)
    url = f"/homerun/v1/{resource['name']}:explain"
    if session.json:
        print_json({"execution": resource, "explain": session.client.get(url)})
        return
    explained = session.client.get(url, tasks=str(SHOWN_TASKS), moments=str(SHOWN_MOMENTS))
    _, _, tasks, took = execution_row(resource, SystemClock().now())
    click.echo(f"{mark(completed(resource))} {click.style(execution, bold=True)}  {state(resource)}, {tasks}, {took}")
    click.echo(section("Conditions", conditions(resource)))
    click.echo(section("Tasks", task_table(explained["tasks"], explained.get("moreTasks", 0))))
    click.echo(section("Timeline (UTC)", timeline(explained["timeline"], explained.get("moreMoments", 0))))
    click.echo(section("Cost", cost(explained["cost"])))


@executions.command()
@click.argument("execution")
@click.option("--job", metavar="JOB", help="Its job, where the name does not tell.")
@click.option("--task", "index", type=click.IntRange(0), help="This one only: all its attempts, and its log.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@session_options
def tasks(session: Session, execution: str, job: str | None, index: int | None, limit: int) -> None:
    """List the tasks of an execution, those in trouble first; or show one of them with its attempts and its log.

    \b
    Examples:
      homerun jobs executions tasks ingest-x7k2p
      homerun jobs executions tasks ingest-x7k2p --task 17
    """
    resource = find(session, execution, job)
    url = f"/homerun/v1/{resource['name']}:explain"
    if index is None:
        explained = session.client.get(url, tasks=str(limit), moments="1")
        if session.json:
            print_json(explained["tasks"])
        else:
            more = explained["moreTasks"]
            click.echo(
                task_table(explained["tasks"]) + (f"\n  and {more} more: --limit {limit + more}" if more else "")
            )
        return
    if index >= int(resource.get("taskCount", 1)):
        raise click.UsageError(f"{execution} has {resource.get('taskCount', 1)} tasks, and the first is 0.")
    [task] = session.client.get(url, task=str(index))["tasks"]
    if session.json:
        print_json(task)
        return
    entries = read(session.client, session.project, _log_of(session, resource, index), limit)
    click.echo(f"{click.style(f'task {index}', bold=True)} of {execution}  {task['state']}")
    click.echo(section("Attempts", attempt_table(task["attempts"]) if task["attempts"] else "  none yet"))
    click.echo(section("Log", "\n".join(f"  {text_of(entry)}" for entry in entries) or "  it has written nothing"))


def _log_of(session: Session, execution: Json, index: int) -> str:
    return execution_filter(session.region, job_of(execution), last(execution["name"]), index)


@executions.command()
@click.argument("execution")
@click.option("--job", metavar="JOB", help="Its job, where the name does not tell.")
@click.option("--async", "no_wait", is_flag=True, help="Return at once.")
@session_options
def cancel(session: Session, execution: str, job: str | None, no_wait: bool) -> None:
    """Cancel an execution: no more tasks are started, running ones are stopped.

    \b
    Example:
      homerun jobs executions cancel ingest-x7k2p
    """
    resource = find(session, execution, job)
    with Progress() as progress:
        progress.stage(f"Cancelling {execution}")
        operation = session.client.post(f"/v2/{resource['name']}:cancel", {})
        if not no_wait:
            finish(session.client, operation, lambda: progress.update(""))


def find(session: Session, execution: str, job: str | None) -> Json:
    """An execution is called JOB-SUFFIX, which tells its job but for suffixes that users chose: then look for it."""
    guess = job or execution.rpartition("-")[0] or execution
    try:
        return session.client.get(f"/v2/{session.name('jobs', guess, 'executions', execution)}")
    except ApiError as error:
        if not error.not_found or job:
            raise
        everything = session.client.pages(f"/v2/{session.name('jobs', '-', 'executions')}", "executions")
        for candidate in everything:
            if last(candidate["name"]) == execution:
                return candidate
        raise
