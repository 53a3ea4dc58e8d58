"""`homerun deploy`: an image or a source folder becomes a service that answers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import click

from homerun.cli import traffic
from homerun.cli.access import open_to_all
from homerun.cli.build import chosen_image
from homerun.cli.flags import (
    ContainerFlags,
    Json,
    container_options,
    main_container,
    parse_duration,
    set_if_given,
    take_container_flags,
)
from homerun.cli.lookup import existing
from homerun.cli.output import last, print_json
from homerun.cli.probes import probe_options, set_port, set_probes
from homerun.cli.progress import Progress
from homerun.cli.rollout import follow
from homerun.cli.session import Session, session_options
from homerun.lib import ids

NONCE = "homerun-nonce"
"""A label that makes the same reference a new revision: its tag may have moved."""


@dataclass(frozen=True, slots=True)
class ServiceFlags:
    """As given on the command line; None leaves what is there."""

    port: int | None
    concurrency: int | None
    timeout: str | None
    min_instances: int | None
    max_instances: int | None
    cpu_throttling: bool | None
    session_affinity: bool | None
    startup_probe: str | None
    liveness_probe: str | None
    readiness_probe: str | None
    deploy_health_check: bool | None
    revision_suffix: str | None
    tag: str | None
    no_traffic: bool


@click.command(short_help="Deploy a service from an image or a source folder.")
@click.argument("service")
@container_options
@click.option("--port", type=click.IntRange(1, 65535), help="Port that the container listens on, given to it as PORT.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Requests that one instance takes at the same time.")
@click.option("--timeout", metavar="TIME", help="Longest a request may take: 300, 5m.")
@click.option("--min-instances", type=click.IntRange(0), help="Instances kept even without traffic.")
@click.option("--max-instances", type=click.IntRange(1), help="Most instances at the same time.")
@click.option(
    "--cpu-throttling/--no-cpu-throttling", default=None, help="Bill (and give) CPU during requests only, or always."
)
@click.option(
    "--session-affinity/--no-session-affinity", default=None, help="Lead a client back to its instance, by a cookie."
)
@probe_options("startup", "liveness", "readiness")
@click.option(
    "--deploy-health-check/--no-deploy-health-check",
    default=None,
    help="Whether one instance must start before the deployment is done.",
)
@click.option("--revision-suffix", metavar="TEXT", help="Name the revision SERVICE-TEXT.")
@click.option("--tag", metavar="TAG", help="Give the new revision a URL of its own: TAG---SERVICE-….")
@click.option("--no-traffic", is_flag=True, help="Leave the traffic where it is.")
@click.option("--async", "no_wait", is_flag=True, help="Return at once; the deployment goes on.")
@click.option(
    "--allow-unauthenticated/--no-allow-unauthenticated",
    default=None,
    help="Whether everybody may call it. By default, a new service: yes; one that is there: as it is.",
)
@session_options
def deploy(session: Session, service: str, no_wait: bool, allow_unauthenticated: bool | None, **given: Any) -> None:
    """Deploy SERVICE, new or existing, and print its URL. Flags that are not given leave what is there.

    The new revision gets traffic only once an instance of it has started and listens; if it does not, the old one
    stays and the cause is printed.

    \b
    Examples:
      homerun deploy hello --source examples/hello
      homerun deploy hello --image oci-archive:hello.tar --memory 256Mi --concurrency 20
      homerun deploy hello --image registry.example.com/hello:2 --no-traffic --tag green
      homerun deploy hello --set-env-vars MODE=fast,LEVEL=3
    """
    container = take_container_flags(given)
    with Progress() as progress:
        before = existing(session, session.name("services", service))
        image = chosen_image(session, "Service", service, before, container, progress)
        progress.stage(f"Deploying {service}")
        body = wanted(service, before, container, image, ServiceFlags(**given))
        operation = _send(session, service, before, body)
        if before is None or allow_unauthenticated is not None:
            open_to_all(session, service, allow_unauthenticated is not False)
        if no_wait:
            click.echo(f"homerun services describe {service}{session.flags()}   shows how it goes.", err=True)
            return
        created = (before or {}).get("latestCreatedRevision", "")
        ready = follow(session, session.name("services", service), operation, progress, before=created)
    _report(session, ready)
    if before is None and allow_unauthenticated is None:
        click.echo("Everybody who reaches it may call it; --no-allow-unauthenticated makes it private.", err=True)


def wanted(service: str, existing: Json | None, container: ContainerFlags, image: str, flags: ServiceFlags) -> Json:
    """The v2 Service to send: what is there, changed by the flags. Pure but for the random parts of names."""
    body: Json = copy.deepcopy(existing or {})
    body["client"] = "homerun"
    template: Json = body.setdefault("template", {})
    template.pop("revision", None)
    template.setdefault("labels", {})[NONCE] = ids.suffix(10)
    main = main_container(template)
    container.apply(main, image or main.get("image", ""))
    container.volumes.apply(template, main)
    container.secrets.apply(template, main)
    if flags.port is not None:
        set_port(main, flags.port)
    probes = {"startup": flags.startup_probe, "liveness": flags.liveness_probe, "readiness": flags.readiness_probe}
    set_probes(main, probes)
    if flags.deploy_health_check is not None:
        template["healthCheckDisabled"] = not flags.deploy_health_check
    _set_cpu_idle(main, flags.cpu_throttling)
    set_if_given(
        template, {"maxInstanceRequestConcurrency": flags.concurrency, "sessionAffinity": flags.session_affinity}
    )
    if flags.timeout is not None:
        template["timeout"] = parse_duration(flags.timeout, "--timeout")
    if flags.min_instances is not None or flags.max_instances is not None:
        scaling = template.setdefault("scaling", {})
        set_if_given(scaling, {"minInstanceCount": flags.min_instances, "maxInstanceCount": flags.max_instances})
    _set_traffic(service, existing, body, flags)
    return body


def _set_cpu_idle(container: Json, throttling: bool | None) -> None:
    """In v2, resources without `cpuIdle` mean CPU all the time, which nobody meant who only set a memory limit."""
    if throttling is not None:
        container.setdefault("resources", {})["cpuIdle"] = throttling
    elif "resources" in container:
        container["resources"].setdefault("cpuIdle", True)


def _set_traffic(service: str, existing: Json | None, body: Json, flags: ServiceFlags) -> None:
    if flags.no_traffic:
        body["traffic"] = traffic.pinned(existing or {})
    suffix = flags.revision_suffix
    if flags.tag:
        generation = int((existing or {}).get("generation", 0)) + 1
        suffix = suffix or f"{generation:05d}-{ids.consonants()}"
        body["traffic"] = traffic.tagged(traffic.targets(body), flags.tag, f"{service}-{suffix}")
    if suffix:
        body["template"]["revision"] = f"{service}-{suffix}"


def _send(session: Session, service: str, before: Json | None, body: Json) -> Json:
    if before is None:
        return session.client.post(f"/v2/{session.name('services')}", body, serviceId=service)
    return session.client.patch(f"/v2/{session.name('services', service)}", body)


def _report(session: Session, service: Json) -> None:
    if session.json:
        print_json(service)
        return
    created, ready = last(service.get("latestCreatedRevision", "")), last(service.get("latestReadyRevision", ""))
    shares = [t for t in service.get("trafficStatuses", ()) if last(t.get("revision", "")) == (created or ready)]
    percent = sum(t.get("percent", 0) for t in shares)
    click.echo(f"Revision {click.style(created, bold=True)} serves {percent} % of the traffic.", err=True)
    for target in shares:
        if target.get("tag"):
            click.echo(f"Tag {target['tag']}: {target.get('uri', '')}", err=True)
    click.echo(service.get("uri", ""))
