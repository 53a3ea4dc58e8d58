"""Traffic targets of a service in v2 JSON, as the flags of gcloud change them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from homerun.cli.lists import split_list, split_pairs
from homerun.cli.output import last

Json = dict[str, Any]

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"


def targets(service: Json) -> list[Json]:
    """The wanted targets; none written down means everything to the latest ready revision."""
    return [dict(target) for target in service.get("traffic") or [{"type": LATEST, "percent": 100}]]


def pinned(service: Json) -> list[Json]:
    """The same shares, with the latest revision called by its name: so a new one gets nothing (`--no-traffic`)."""
    latest = last(service.get("latestReadyRevision", ""))
    if not latest:
        raise click.UsageError("--no-traffic needs a service that already serves: there is no ready revision to keep.")
    return [_to_revision(t, latest) if t.get("type") != REVISION else t for t in targets(service)]


def tagged(current: Sequence[Json], tag: str, revision: str) -> list[Json]:
    """`tag` names `revision`, and nothing else any more."""
    return [*untagged(current, [tag]), {"type": REVISION, "revision": revision, "tag": tag}]


def untagged(current: Sequence[Json], tags: Sequence[str]) -> list[Json]:
    freed = [{k: v for k, v in t.items() if k != "tag"} if t.get("tag") in tags else t for t in current]
    return [t for t in freed if t.get("percent") or t.get("tag")]


def all_to_latest(current: Sequence[Json]) -> list[Json]:
    return [*_only_tags(current), {"type": LATEST, "percent": 100}]


def shared(current: Sequence[Json], wanted: Mapping[str, int]) -> list[Json]:
    """`wanted` (revision or LATEST -> percent); what is left goes to the others in the shares that they had."""
    rest = 100 - sum(wanted.values())
    if rest < 0 or any(percent < 0 for percent in wanted.values()):
        raise click.UsageError(f"The percentages of --to-revisions add up to {100 - rest}: at most 100.")
    others: dict[str, int] = {}
    for target in current:
        name = target.get("revision", "LATEST")
        if target.get("percent") and name not in wanted:
            others[name] = others.get(name, 0) + target["percent"]
    if rest and not others:
        raise click.UsageError(
            f"The percentages of --to-revisions add up to {100 - rest}: no other revision for the rest."
        )
    shares = {**wanted, **_scaled(others, rest)}
    return [*_only_tags(current), *(_target(name, percent) for name, percent in shares.items() if percent)]


def parse_shares(text: str) -> dict[str, int]:
    """`hello-00001-abc=90,LATEST=10`."""
    shares: dict[str, int] = {}
    for name, percent in split_pairs(text, "--to-revisions").items():
        if not percent.isdecimal():
            raise click.BadParameter(f"{percent!r} is no whole number of percent", param_hint="--to-revisions")
        shares[name] = int(percent)
    return shares


def changed(
    service: Json, *, to_latest: bool, to_revisions: str | None, update_tags: str | None, remove_tags: str | None
) -> list[Json]:
    """Tags before percentages, as gcloud applies them."""
    current = untagged(targets(service), split_list(remove_tags or ""))
    for tag, revision in split_pairs(update_tags or "", "--update-tags").items():
        current = tagged(current, tag, revision)
    if to_latest:
        return all_to_latest(current)
    return shared(current, parse_shares(to_revisions)) if to_revisions else current


def _scaled(shares: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole numbers in the same proportions that add up to `total`: the largest remainders are rounded up."""
    whole = sum(shares.values())
    exact = {name: share * total / whole for name, share in shares.items()}
    rounded = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda n: rounded[n] - exact[n])[: total - sum(rounded.values())]:
        rounded[name] += 1
    return rounded


def _only_tags(current: Sequence[Json]) -> list[Json]:
    return [{k: v for k, v in target.items() if k != "percent"} for target in current if target.get("tag")]


def _target(name: str, percent: int) -> Json:
    return {"type": LATEST, "percent": percent} if name == "LATEST" else _to_revision({"percent": percent}, name)


def _to_revision(target: Json, revision: str) -> Json:
    return {**target, "type": REVISION, "revision": revision}
