"""`homerun logs`: what services, jobs and worker pools wrote, and the requests that services answered."""

from __future__ import annotations

import json
import re

import click

from homerun.cli.client import Json, path
from homerun.cli.entries import (
    SEVERITIES,
    execution_filter,
    job_filter,
    lines,
    read,
    schedule_filter,
    service_filter,
    worker_pool_filter,
)
from homerun.cli.entries import since as newer_than
from homerun.cli.errors import ApiError, CommandFailed, Unreachable
from homerun.cli.output import print_json
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import ticks
from homerun.lib.clock import SystemClock
from homerun.lib.timestamps import from_rfc3339, to_rfc3339

_FILTERS = {"services": service_filter, "jobs": job_filter, "workerPools": worker_pool_filter}
"""By collection, in the order in which a name is looked for."""
_SCHEDULES = "schedules"
"""Looked for by nobody: their names are often those of jobs, whose logs are meant then."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RECONNECT = 0.5
"""Seconds between two tries to go on with following."""


@click.command(short_help="Print the log of a service, job, execution, worker pool, schedule or project.")
@click.argument("name", required=False)
@click.option("--job", "kind", flag_value="jobs", help="NAME is a job, even if a service has the same name.")
@click.option("--service", "kind", flag_value="services", help="NAME is a service.")
@click.option("--worker-pool", "kind", flag_value="workerPools", help="NAME is a worker pool.")
@click.option("--schedule", "kind", flag_value=_SCHEDULES, help="NAME is a schedule: its attempts are meant.")
@click.option("--execution", metavar="EXECUTION", help="Of this execution of the job only.")
@click.option("--task", type=click.IntRange(0), help="Of this task only (with --execution).")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES, case_sensitive=False),
    default=SEVERITIES[0],
    show_default=True,
    help="Of this severity and above.",
)
@click.option("--filter", "more", metavar="EXPRESSION", help="Only what this matches, in Cloud Logging's language.")
@click.option(
    "--since", default="1d", show_default=True, metavar="TIME", help="Not before: 30s, 10m, 2h, 1d or RFC 3339."
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The last so many entries.")
@click.option("--follow", "-f", is_flag=True, help="Go on printing what comes, until Ctrl-C.")
@session_options
def logs(
    session: Session,
    name: str | None,
    kind: str | None,
    execution: str | None,
    task: int | None,
    severity: str,
    more: str | None,
    since: str,
    limit: int,
    follow: bool,
) -> None:
    """Print what the containers of NAME wrote, and the requests that a service answered. Times are UTC.

    NAME is a service, a job or a worker pool; of several with the same name, the first of these. Without it, all logs
    of the project are meant.

    \b
    Examples:
      homerun logs hello --since 10m
      homerun logs hello --follow --severity warning
      homerun logs nightly --schedule
      homerun logs ingest --execution ingest-x7k2p --task 3
      homerun logs --filter 'SEARCH("timed out") AND httpRequest.status>=500'
    """
    if task is not None and not execution:
        raise click.UsageError("--task needs --execution: a task is one of an execution.")
    if not name and (kind or execution):
        raise click.UsageError("whose? Give the NAME as well, or neither it nor a kind for all logs of the project.")
    parts = [_filter(session, name, kind, execution, task)] if name else []
    parts.append(f"severity >= {severity.upper()}")
    if more:
        parts.append(f"({more})")
    parts.append(newer_than(parse_since(since, SystemClock().now())))
    filter = " AND ".join(parts)
    if follow:
        _follow(session, filter, limit)
        return
    entries = read(session.client, session.project, filter, limit)
    if session.json:
        print_json(entries)
    else:
        _show(session, entries)


def parse_since(text: str, now: float) -> str:
    """An RFC 3339 timestamp, from one or from a time ago."""
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        return to_rfc3339(now - int(match[1]) * _UNITS[match[2]])
    try:
        return to_rfc3339(from_rfc3339(text))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time: write 30s, 10m, 2h, 1d or 2026-11-24T12:00:00Z", param_hint="--since"
        ) from None


def _filter(session: Session, name: str, kind: str | None, execution: str | None, task: int | None) -> str:
    if execution:
        return execution_filter(session.region, name, execution, task)
    if kind == _SCHEDULES:
        return schedule_filter(session.region, name)
    return _FILTERS[kind or _kind(session, name)](session.region, name)


def _kind(session: Session, name: str) -> str:
    for kind in _FILTERS:
        try:
            session.client.get(f"/v2/{session.name(kind, name)}")
            return kind
        except ApiError as error:
            if not error.not_found:
                raise
    raise CommandFailed(
        f"There is no service, no job and no worker pool called {name} in {session.region} of {session.project}: see "
        "`homerun services list`, `homerun jobs list` and `homerun worker-pools list`; the log of a deleted one needs "
        "--service, --job or --worker-pool, that of a schedule --schedule"
    )


def _show(session: Session, entries: list[Json]) -> None:
    for line in map(json.dumps, entries) if session.json else lines(entries):
        click.echo(line)


def _follow(session: Session, filter: str, limit: int) -> None:
    """Each entry has a number, and homerun goes on behind the last one that was shown, also after a restart."""
    url = f"/homerun/v1/{path('projects', session.project)}/entries:tail"
    asked: Json = {"filter": filter, "limit": limit}
    told = False
    try:
        for _ in ticks(_RECONNECT):
            try:
                for batch in session.client.stream(url, asked):
                    _show(session, batch["entries"])
                    asked["after"], told = batch["last"], False
            except Unreachable:
                if "after" not in asked:
                    raise
                if not told:
                    click.echo(f"The connection to {session.api} broke: waiting for homerun to be back", err=True)
                told = True
    except KeyboardInterrupt:
        return
