"""`homerun services`: list, describe, delete, and move traffic between revisions."""

from __future__ import annotations

import click

from homerun.cli import access, traffic
from homerun.cli.execution_view import timeline
from homerun.cli.lookup import confirm, delete
from homerun.cli.output import ago, conditions, cost, last, mark, print_json, section, table
from homerun.cli.progress import Progress
from homerun.cli.replace import SERVICE, replace_command
from homerun.cli.rollout import follow
from homerun.cli.service_view import checkpoints, cold_starts, decisions, instances, observations, revisions, standbys
from homerun.cli.session import Session, session_options
from homerun.lib.clock import SystemClock


@click.group(short_help="List, describe, delete services; move their traffic.")
def services() -> None:
    """Services: containers that answer requests, from zero instances to many and back."""


for command in access.COMMANDS:
    services.add_command(command)
services.add_command(replace_command(SERVICE))


@services.command("list")
@session_options
def list_services(session: Session) -> None:
    """List the services of a project and region.

    \b
    Examples:
      homerun services list
      homerun services list --format json
    """
    found = list(session.client.pages(f"/v2/{session.name('services')}", "services"))
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [
        (mark(s.get("terminalCondition")), last(s["name"]), s.get("uri", ""), last(s.get("latestReadyRevision", "")),
         ago(s.get("updateTime"), now))
        for s in found
    ]  # fmt: skip
    click.echo(table(("", "SERVICE", "URL", "REVISION", "CHANGED"), rows))


@services.command()
@click.argument("service")
@session_options
def describe(session: Session, service: str) -> None:
    """Show a service: its URL, revisions, conditions and instances, why it was scaled, and what it cost.

    \b
    Examples:
      homerun services describe hello
      homerun services describe hello --format json
    """
    name = session.name("services", service)
    resource = session.client.get(f"/v2/{name}")
    made = list(session.client.pages(f"/v2/{name}/revisions", "revisions"))
    explained = session.client.get(f"/homerun/v1/{name}:explain")
    if session.json:
        print_json({"service": resource, "revisions": made, "explain": explained})
        return
    now = SystemClock().now()
    click.echo(
        f"{mark(resource.get('terminalCondition'))} {click.style(service, bold=True)}  {resource.get('uri', '')}"
    )
    click.echo(section("Conditions", conditions(resource)))
    click.echo(section("Revisions", revisions(resource, made, now)))
    click.echo(section("Instances", instances(explained["instances"], now)))
    click.echo(section("Scaling decisions", decisions(explained["decisions"])))
    click.echo(section("Cold starts", cold_starts(explained.get("coldStarts", []))))
    click.echo(section("Cost", cost(explained["cost"])))


@services.command()
@click.argument("service")
@session_options
def explain(session: Session, service: str) -> None:
    """Show why a service was scaled, with all that was looked at, and what its cold starts took.

    \b
    Examples:
      homerun services explain hello
      homerun services explain hello --format json
    """
    explained = session.client.get(f"/homerun/v1/{session.name('services', service)}:explain")
    if session.json:
        print_json(explained)
        return
    starts, standby = explained.get("coldStarts", []), explained.get("standbys", [])
    click.echo(section("Scaling decisions", observations(explained["decisions"])))
    click.echo(section("Standby", standbys(standby, SystemClock().now())))
    if explained.get("checkpoints"):
        click.echo(section("Checkpoints", checkpoints(explained["checkpoints"])))
    click.echo(section("Cold starts", cold_starts(starts, len(starts))))
    click.echo(section("Timeline (UTC)", timeline(explained["timeline"])))


@services.command("delete")
@click.argument("service")
@click.option("--yes", "--quiet", "-y", "yes", is_flag=True, help="Do not ask.")
@session_options
def delete_service(session: Session, service: str, yes: bool) -> None:
    """Delete a service, its revisions and its instances.

    \b
    Example:
      homerun services delete hello --yes
    """
    name = session.name("services", service)
    session.client.get(f"/v2/{name}")
    confirm(f"Delete service {service} with all its revisions?", yes)
    delete(session, name)


@services.command("update-traffic")
@click.argument("service")
@click.option("--to-latest", is_flag=True, help="Everything to the latest ready revision, now and later.")
@click.option(
    "--to-revisions", metavar="R=PERCENT,…", help="Shares by revision (or LATEST); the others share the rest."
)
@click.option("--update-tags", metavar="TAG=R,…", help="Give revisions URLs of their own.")
@click.option("--remove-tags", metavar="TAG,…", help="Take them away.")
@session_options
def update_traffic(
    session: Session,
    service: str,
    to_latest: bool,
    to_revisions: str | None,
    update_tags: str | None,
    remove_tags: str | None,
) -> None:
    """Move traffic between revisions, at once and without a new one: roll out step by step, or roll back.

    \b
    Examples:
      homerun services update-traffic hello --to-revisions hello-00002-abc=10
      homerun services update-traffic hello --to-latest
    """
    if to_latest and to_revisions:
        raise click.UsageError("Give --to-latest or --to-revisions, not both.")
    if not (to_latest or to_revisions or update_tags or remove_tags):
        raise click.UsageError("Say what to change: --to-latest, --to-revisions, --update-tags or --remove-tags.")
    name = session.name("services", service)
    resource = session.client.get(f"/v2/{name}")
    resource["traffic"] = traffic.changed(
        resource, to_latest=to_latest, to_revisions=to_revisions, update_tags=update_tags, remove_tags=remove_tags
    )
    with Progress() as progress:
        progress.stage("Moving traffic")
        operation = session.client.patch(f"/v2/{name}", resource, updateMask="traffic")
        settled = follow(session, name, operation, progress)
    if session.json:
        print_json(settled)
        return
    rows = [(t.get("percent", 0), t.get("revision", ""), t.get("tag", ""), t.get("uri", ""))
            for t in settled.get("trafficStatuses", ())]  # fmt: skip
    click.echo(table(("PERCENT", "REVISION", "TAG", "URL"), rows))
