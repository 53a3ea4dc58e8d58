"""`homerun bill`: what everything would have cost."""

from __future__ import annotations

import re
from typing import Any

import click

from homerun.cli.output import amount, duration, last, print_json, table
from homerun.cli.session import Session, session_options

Json = dict[str, Any]

BY = ("resource", "service", "job", "worker-pool", "kind", "project", "region", "day", "month")
_KINDS = {"services": "service", "jobs": "job", "workerPools": "worker pool"}
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@click.command(short_help="Show what everything would have cost on Cloud Run, by service, day, month, …")
@click.option("--by", type=click.Choice(BY), default="resource", show_default=True, help="What each row is for.")
@click.option("--since", metavar="DATE", help="First day, in UTC. Default: the first of this month.")
@click.option("--until", metavar="DATE", help="First day that is not on the bill. Default: tomorrow.")
@click.option("--month", metavar="YYYY-MM", help="A whole month, instead of --since and --until.")
@click.option(
    "--minimum/--no-minimum",
    default=True,
    show_default=True,
    help="Bill at least a minute of each instance of jobs, worker pools and services billed by instance.",
)
@session_options
def bill(session: Session, by: str, since: str | None, until: str | None, month: str | None, minimum: bool) -> None:
    """Show what everything would have cost on Cloud Run, with all projects, and the free tier of each month.

    \b
    Examples:
      homerun bill                          this month, by service, job and worker pool
      homerun bill --by day --since 2026-11-01
      homerun bill --month 2026-11 --by service --format json
    """
    if month is not None:
        if since or until:
            raise click.UsageError("--month is a whole month: give either it, or --since and --until.")
        since, until = _whole(month)
    query = {"by": by, "minimum": str(minimum).lower()}
    query |= {key: value for key, value in (("since", since), ("until", until)) if value}
    found = session.client.get("/homerun/v1/bill", **query)
    if session.json:
        print_json(found)
        return
    click.echo(rows(found))
    click.echo(sums(found))


def rows(found: Json) -> str:
    """The part above the sums."""
    if not found["rows"]:
        return f"Nothing was used from {found['since']} to before {found['until']}."
    named = found["by"] in ("resource", "service", "job", "worker-pool")
    cells = [
        (*(_named(row["name"]) if named else (row["name"],)), duration(row["billableSeconds"]),
         duration(row["idleSeconds"]) if row["idleSeconds"] else "-", amount(row["vcpuSeconds"]),
         amount(row["gibSeconds"]), row["requests"], usd(row["usd"]))
        for row in found["rows"]
    ]  # fmt: skip
    first = ("NAME", "KIND", "PROJECT", "REGION") if named else (found["by"].upper(),)
    return table((*first, "BILLED", "AT REST", "VCPU-S", "GIB-S", "REQUESTS", "USD"), cells)


def sums(found: Json) -> str:
    several = len(found["months"]) > 1
    free = [
        (f"Free tier of {month['month']}" if several else "Free tier", usd(-month["freeTierUsd"]))
        for month in found["months"]
        if month["freeTierUsd"]
    ]
    lines = [("Sum", usd(found["usd"])), *free, ("To pay", usd(found["totalUsd"]))]
    width, digits = (max(len(line[part]) for line in lines) for part in (0, 1))
    text = "\n".join(f"{label:{width}}  {value:>{digits}}" for label, value in lines)
    return f"\n{text}\n\nFrom {found['since']} to before {found['until']} (UTC). {found['prices']}."


def usd(value: float) -> str:
    """Cents of a cent are what most services cost."""
    return f"{'-' if value < 0 else ''}${abs(value):,.6f}"


def _named(name: str) -> tuple[str, str, str, str]:
    parts = name.split("/")
    if len(parts) < 6:
        return name, "-", "-", "-"
    return last(name), _KINDS[parts[4]], parts[1], parts[3]


def _whole(month: str) -> tuple[str, str]:
    found = _MONTH.fullmatch(month)
    if found is None:
        raise click.BadParameter(f"{month!r} is no month of the form 2026-12", param_hint="--month")
    year, number = int(found[1]), int(found[2])
    after = f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"
    return f"{month}-01", f"{after}-01"
