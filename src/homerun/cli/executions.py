"""`homerun jobs executions`: list, describe, cancel."""

from __future__ import annotations

import click

from homerun.cli.client import Json
from homerun.cli.errors import ApiError
from homerun.cli.execution_view import completed, execution_row, state, task_table, timeline
from homerun.cli.output import conditions, cost, last, mark, print_json, section, table
from homerun.cli.progress import Progress
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import finish
from homerun.lib.clock import SystemClock


@click.group(short_help="List, describe, cancel executions.")
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
@session_options
def describe(session: Session, execution: str, job: str | None) -> None:
    """Show an execution: its conditions, its tasks with their attempts, its timeline and its cost.

    \b
    Example:
      homerun jobs executions describe ingest-x7k2p
    """
    resource = find(session, execution, job)
    explained = session.client.get(f"/homerun/v1/{resource['name']}:explain")
    if session.json:
        print_json({"execution": resource, "explain": explained})
        return
    _, _, tasks, took = execution_row(resource, SystemClock().now())
    click.echo(f"{mark(completed(resource))} {click.style(execution, bold=True)}  {state(resource)}, {tasks}, {took}")
    click.echo(section("Conditions", conditions(resource)))
    click.echo(section("Tasks", task_table(explained["tasks"])))
    click.echo(section("Timeline (UTC)", timeline(explained["timeline"])))
    click.echo(section("Cost", cost(explained["cost"])))


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
