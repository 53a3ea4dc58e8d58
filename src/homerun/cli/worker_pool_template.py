"""What the flags of `homerun worker-pools` make of a v2 WorkerPool. Pure but for the nonce."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import click

from homerun.cli import traffic
from homerun.cli.flags import ContainerFlags, Json, main_container
from homerun.cli.job_template import NONCE
from homerun.cli.output import last
from homerun.cli.probes import set_probes
from homerun.lib import ids


@dataclass(frozen=True, slots=True)
class PoolFlags:
    """As given on the command line; None leaves what is there."""

    instances: int | None
    startup_probe: str | None
    liveness_probe: str | None
    revision_suffix: str | None
    no_promote: bool


def wanted(pool: str, existing: Json | None, container: ContainerFlags, image: str, flags: PoolFlags) -> Json:
    """The v2 WorkerPool to send: what is there, changed by the flags. Nothing but a number makes no new revision."""
    body: Json = copy.deepcopy(existing or {})
    body["client"] = "homerun"
    template: Json = body.setdefault("template", {})
    main = main_container(template)
    before = copy.deepcopy(template)
    container.apply(main, image or main.get("image", ""))
    container.secrets.apply(template, main)
    set_probes(main, {"startup": flags.startup_probe, "liveness": flags.liveness_probe})
    container.volumes.apply(template, main)
    if image:
        template.setdefault("labels", {})[NONCE] = ids.suffix(10)
    if image or template != before or flags.revision_suffix:
        template.pop("revision", None)
    if flags.revision_suffix:
        template["revision"] = f"{pool}-{flags.revision_suffix}"
    if flags.instances is not None:
        body.setdefault("scaling", {})["manualInstanceCount"] = flags.instances
    if flags.no_promote:
        body["instanceSplits"] = _held(existing or {})
    return body


def instance_splits(pool: Json, to_revisions: str | None) -> list[Json]:
    """The shares of `to_revisions`, the others scaled; None: everything to the latest."""
    if to_revisions is None:
        return [{"percent": 100}]
    current = pool.get("instanceSplits") or [{"percent": 100}]
    shares = traffic.shared(current, traffic.parse_shares(to_revisions))
    return [{key: share[key] for key in ("revision", "percent") if key in share} for share in shares]


def _held(pool: Json) -> list[Json]:
    """The same shares, with the latest revision called by its name: so a new one gets nothing."""
    latest = last(pool.get("latestReadyRevision", ""))
    if not latest:
        raise click.UsageError("--no-promote needs a pool that already runs: there is no ready revision to keep.")
    splits = pool.get("instanceSplits") or [{"percent": 100}]
    return [{"revision": split.get("revision", latest), "percent": split.get("percent", 0)} for split in splits]
