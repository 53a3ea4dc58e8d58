"""`homerun worker-pools`: deploy, list, describe, move instances between revisions, delete."""

from __future__ import annotations

from typing import Any

import click

from homerun.cli.build import chosen_image
from homerun.cli.client import Json
from homerun.cli.flags import container_options, take_container_flags
from homerun.cli.lookup import confirm, delete, existing
from homerun.cli.output import ago, conditions, cost, last, mark, print_json, section, table
from homerun.cli.probes import probe_options
from homerun.cli.progress import Progress
from homerun.cli.replace import WORKER_POOL, replace_command
from homerun.cli.rollout import follow
from homerun.cli.service_view import decisions, instances, revisions
from homerun.cli.session import Session, session_options
from homerun.cli.worker_pool_template import PoolFlags, instance_splits, wanted
from homerun.lib.clock import SystemClock


@click.group("worker-pools", short_help="Deploy, scale and describe worker pools.")
def worker_pools() -> None:
    """Worker pools: containers that always run, as many as you say, and that nobody sends requests to."""


worker_pools.add_command(replace_command(WORKER_POOL))


@worker_pools.command()
@click.argument("pool")
@container_options
@click.option("--instances", "--scaling", "instances", type=click.IntRange(0, 10_000), help="How many; 0 stops all.")
@probe_options("startup", "liveness")
@click.option("--revision-suffix", metavar="TEXT", help="Name the revision POOL-TEXT.")
@click.option("--no-promote", is_flag=True, help="Leave the instances with the revisions that have them.")
@click.option("--async", "no_wait", is_flag=True, help="Return at once; the deployment goes on.")
@session_options
def deploy(session: Session, pool: str, no_wait: bool, **given: Any) -> None:
    """Deploy POOL, new or existing. Flags that are not given leave what is there.

    A new revision takes over once an instance of it has started and stayed; if it does not, the old one keeps its
    instances and the cause is printed. Containers that end are started again, with longer and longer waits.

    \b
    Examples:
      homerun worker-pools deploy queue --image registry.example.com/queue:1 --instances 3
      homerun worker-pools deploy queue --instances 0
      homerun worker-pools deploy queue --image registry.example.com/queue:2 --no-promote
    """
    container = take_container_flags(given)
    with Progress() as progress:
        before = existing(session, session.name("workerPools", pool))
        image = chosen_image(session, "Worker pool", pool, before, container, progress)
        progress.stage(f"Deploying worker pool {pool}")
        body = wanted(pool, before, container, image, PoolFlags(**given))
        operation = _send(session, pool, before, body)
        if no_wait:
            click.echo(f"homerun worker-pools describe {pool}{session.flags()}   shows how it goes.", err=True)
            return
        created = (before or {}).get("latestCreatedRevision", "")
        ready = follow(session, session.name("workerPools", pool), operation, progress, before=created)
    if session.json:
        print_json(ready)
        return
    click.echo(f"Instances: {ready['scaling']['manualInstanceCount']}, split {_split(ready)}", err=True)


@worker_pools.command("list")
@session_options
def list_pools(session: Session) -> None:
    """List the worker pools of a project and region.

    \b
    Examples:
      homerun worker-pools list
      homerun worker-pools list --format json
    """
    found = list(session.client.pages(f"/v2/{session.name('workerPools')}", "workerPools"))
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [
        (mark(p.get("terminalCondition")), last(p["name"]), p["scaling"].get("manualInstanceCount", 0),
         last(p.get("latestReadyRevision", "")), ago(p.get("updateTime"), now))
        for p in found
    ]  # fmt: skip
    click.echo(table(("", "WORKER POOL", "INSTANCES", "REVISION", "CHANGED"), rows))


@worker_pools.command()
@click.argument("pool")
@session_options
def describe(session: Session, pool: str) -> None:
    """Show a worker pool: its revisions and instances, what was started, stopped and restarted and why, its cost.

    \b
    Examples:
      homerun worker-pools describe queue
      homerun worker-pools describe queue --format json
    """
    name = session.name("workerPools", pool)
    resource = session.client.get(f"/v2/{name}")
    made = list(session.client.pages(f"/v2/{name}/revisions", "revisions"))
    explained = session.client.get(f"/homerun/v1/{name}:explain")
    if session.json:
        print_json({"workerPool": resource, "revisions": made, "explain": explained})
        return
    now = SystemClock().now()
    count = resource["scaling"].get("manualInstanceCount", 0)
    number = f"{count} instance{'' if count == 1 else 's'} wanted"
    click.echo(f"{mark(resource.get('terminalCondition'))} {click.style(pool, bold=True)}  {number}")
    click.echo(section("Conditions", conditions(resource)))
    click.echo(section("Revisions", revisions(resource, made, now)))
    click.echo(section("Instances", instances(explained["instances"], now)))
    click.echo(section("Decisions", decisions(explained["decisions"])))
    click.echo(section("Cost", cost(explained["cost"])))


@worker_pools.command("update-instance-split")
@click.argument("pool")
@click.option("--to-latest", is_flag=True, help="Everything to the latest ready revision, now and later.")
@click.option(
    "--to-revisions", metavar="R=PERCENT,…", help="Shares by revision (or LATEST); the others share the rest."
)
@session_options
def update_instance_split(session: Session, pool: str, to_latest: bool, to_revisions: str | None) -> None:
    """Move instances between revisions, without a new one: try one out on a part, or roll back.

    \b
    Examples:
      homerun worker-pools update-instance-split queue --to-revisions queue-00002-abc=50
      homerun worker-pools update-instance-split queue --to-latest
    """
    if to_latest == bool(to_revisions):
        raise click.UsageError("Say what to change: --to-latest or --to-revisions.")
    name = session.name("workerPools", pool)
    resource = session.client.get(f"/v2/{name}")
    resource["instanceSplits"] = instance_splits(resource, to_revisions)
    with Progress() as progress:
        progress.stage("Moving instances")
        operation = session.client.patch(f"/v2/{name}", resource, updateMask="instanceSplits")
        settled = follow(session, name, operation, progress)
    if session.json:
        print_json(settled)
        return
    rows = [(s.get("percent", 0), s.get("revision", "")) for s in settled.get("instanceSplitStatuses", ())]
    click.echo(table(("PERCENT", "REVISION"), rows))


@worker_pools.command("delete")
@click.argument("pool")
@click.option("--yes", "--quiet", "-y", "yes", is_flag=True, help="Do not ask.")
@session_options
def delete_pool(session: Session, pool: str, yes: bool) -> None:
    """Delete a worker pool, its revisions and its instances.

    \b
    Example:
      homerun worker-pools delete queue --yes
    """
    name = session.name("workerPools", pool)
    session.client.get(f"/v2/{name}")
    confirm(f"Delete worker pool {pool} with all its revisions?", yes)
    delete(session, name)


def _send(session: Session, pool: str, before: Json | None, body: Json) -> Json:
    if before is None:
        return session.client.post(f"/v2/{session.name('workerPools')}", body, workerPoolId=pool)
    return session.client.patch(f"/v2/{session.name('workerPools', pool)}", body)


def _split(pool: Json) -> str:
    return ", ".join(f"{s.get('percent', 0)} % {s['revision']}" for s in pool.get("instanceSplitStatuses", ()))
