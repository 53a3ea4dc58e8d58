"""`homerun jobs`: deploy, execute, list, describe, delete."""

from __future__ import annotations

from typing import Any

import click

from homerun.cli.build import chosen_image
from homerun.cli.client import Json
from homerun.cli.execute import check, come_back, follow, overrides, run
from homerun.cli.execution_view import completed, execution_row, progress_line, took
from homerun.cli.executions import executions
from homerun.cli.flags import parse_duration, take_container_flags
from homerun.cli.job_template import OVERLAP, JobFlags, job_options, wanted
from homerun.cli.lists import split_list, split_pairs
from homerun.cli.lookup import confirm, delete, existing
from homerun.cli.output import ago, conditions, last, mark, print_json, section, table
from homerun.cli.progress import Progress
from homerun.cli.replace import JOB, replace_command
from homerun.cli.schedules import schedule_job
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import finish
from homerun.lib.clock import SystemClock

SHOWN_EXECUTIONS = 10


@click.group(short_help="Deploy and execute jobs; follow their executions.")
def jobs() -> None:
    """Jobs: containers that run to completion, as so many tasks as they need."""


jobs.add_command(executions)
jobs.add_command(replace_command(JOB))
jobs.add_command(schedule_job)


@jobs.command()
@click.argument("job")
@job_options
@click.option("--execute-now", is_flag=True, help="Execute it right away.")
@click.option("--wait", is_flag=True, help="Execute it right away, and wait until that execution ends.")
@session_options
def deploy(session: Session, job: str, execute_now: bool, wait: bool, **given: Any) -> None:
    """Create or change a job. Flags that are not given leave what is there.

    \b
    Examples:
      homerun jobs deploy ingest --source examples/ingest --tasks 20 --parallelism 4
      homerun jobs deploy ingest --max-retries 0 --wait
    """
    _deploy(session, job, given, must_be_new=False)
    if execute_now or wait:
        _execute(session, job, {}, wait=wait, no_wait=False)


@jobs.command()
@click.argument("job")
@job_options
@session_options
def create(session: Session, job: str, **given: Any) -> None:
    """Create a job; it is an error if there is one of that name.

    \b
    Example:
      homerun jobs create ingest --image oci-archive:ingest.tar --tasks 20
    """
    _deploy(session, job, given, must_be_new=True)


@jobs.command()
@click.argument("job")
@click.option("--wait", is_flag=True, help="Wait until it ends; exit code 1 if it failed.")
@click.option("--async", "no_wait", is_flag=True, help="Do not even wait until it has started.")
@click.option("--tasks", type=click.IntRange(1, 10_000), help="Tasks of this execution.")
@click.option("--args", metavar="A,B,…", help="Arguments of this execution.")
@click.option("--update-env-vars", metavar="K=V,…", help="Variables of this execution, besides the job's.")
@click.option("--task-timeout", metavar="TIME", help="Longest that one attempt may take: 600, 10m, 1h.")
@click.option("--delay", is_flag=True, help="Give way to other executions, for at most 12 hours.")
@session_options
def execute(
    session: Session,
    job: str,
    wait: bool,
    no_wait: bool,
    tasks: int | None,
    args: str | None,
    update_env_vars: str | None,
    task_timeout: str | None,
    delay: bool,
) -> None:
    """Execute a job. Ctrl-C leaves the execution running and says how to come back to it.

    \b
    Examples:
      homerun jobs execute ingest --wait
      homerun jobs execute ingest --tasks 3 --update-env-vars DAY=2026-11-24
    """
    if wait and no_wait:
        raise click.UsageError("Give --wait or --async, not both.")
    changes = overrides(
        None if args is None else split_list(args),
        split_pairs(update_env_vars or "", "--update-env-vars"),
        tasks,
        None if task_timeout is None else parse_duration(task_timeout, "--task-timeout"),
        delay=delay,
    )
    _execute(session, job, changes, wait=wait, no_wait=no_wait)


@jobs.command("list")
@session_options
def list_jobs(session: Session) -> None:
    """List the jobs of a project and region.

    \b
    Example:
      homerun jobs list
    """
    found = list(session.client.pages(f"/v2/{session.name('jobs')}", "jobs"))
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [
        (mark(job.get("terminalCondition")), last(job["name"]), job["template"].get("taskCount", 1),
         job.get("executionCount", 0), last(job.get("latestCreatedExecution", {}).get("name", "")) or "-",
         ago(job.get("updateTime"), now))
        for job in found
    ]  # fmt: skip
    click.echo(table(("", "JOB", "TASKS", "EXECUTIONS", "LATEST", "CHANGED"), rows))


@jobs.command()
@click.argument("job")
@session_options
def describe(session: Session, job: str) -> None:
    """Show a job, its conditions and its last executions.

    \b
    Example:
      homerun jobs describe ingest
    """
    name = session.name("jobs", job)
    resource = session.client.get(f"/v2/{name}")
    made = sorted(
        session.client.pages(f"/v2/{name}/executions", "executions"),
        key=lambda e: str(e.get("createTime", "")),
        reverse=True,
    )
    if session.json:
        print_json({"job": resource, "executions": made})
        return
    now = SystemClock().now()
    rows = [(mark(completed(e)), *execution_row(e, now)) for e in made[:SHOWN_EXECUTIONS]]
    click.echo(f"{mark(resource.get('terminalCondition'))} {click.style(job, bold=True)}  {_summary(resource)}")
    click.echo(section("Conditions", conditions(resource)))
    listed = table(("", "EXECUTION", "STATE", "TASKS", "TOOK"), rows, "  ") if rows else "  none yet"
    click.echo(section("Executions", listed))


@jobs.command("delete")
@click.argument("job")
@click.option("--yes", "--quiet", "-y", "yes", is_flag=True, help="Do not ask.")
@session_options
def delete_job(session: Session, job: str, yes: bool) -> None:
    """Delete a job and its executions.

    \b
    Example:
      homerun jobs delete ingest --yes
    """
    name = session.name("jobs", job)
    session.client.get(f"/v2/{name}")
    confirm(f"Delete job {job} with all its executions?", yes)
    delete(session, name)


def _summary(job: Json) -> str:
    template = job["template"]
    task = template["template"]
    overlap = job.get("annotations", {}).get(OVERLAP, "allow")
    return (
        f"{task['containers'][0]['image']}  {template.get('taskCount', 1)} tasks, "
        f"parallelism {template.get('parallelism') or 'unlimited'}, {task.get('maxRetries', 0)} retries, "
        f"{task.get('timeout', '')} for each attempt" + (f", overlap: {overlap}" if overlap != "allow" else "")
    )


def _deploy(session: Session, job: str, given: dict[str, Any], *, must_be_new: bool) -> None:
    container = take_container_flags(given)
    with Progress() as progress:
        before = None if must_be_new else existing(session, session.name("jobs", job))
        image = chosen_image(session, "Job", job, before, container, progress)
        progress.stage(f"Deploying job {job}")
        body = wanted(before, container, image, JobFlags(**given))
        if before is None:
            operation = session.client.post(f"/v2/{session.name('jobs')}", body, jobId=job)
        else:
            operation = session.client.patch(f"/v2/{session.name('jobs', job)}", body)
        settled = finish(session.client, operation, lambda: progress.update(""))
    if session.json:
        print_json(settled)
    else:
        click.echo(f"Run it: homerun jobs execute {job} --wait{session.flags()}", err=True)


def _execute(session: Session, job: str, changes: Json, *, wait: bool, no_wait: bool) -> None:
    execution = run(session, job, changes)
    if not no_wait:
        with Progress() as progress:
            execution = follow(session, execution, progress, to_the_end=wait)
            if session.json:
                print_json(execution)  # also one that failed
            if wait or completed(execution):
                check(session, execution)
    elif session.json:
        print_json(execution)
    if session.json:
        return
    if wait:
        click.echo(f"{progress_line(execution)} in {took(execution, SystemClock().now())}", err=True)
    else:
        click.echo(come_back(session, execution), err=True)
    click.echo(last(execution["name"]))
