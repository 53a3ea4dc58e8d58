"""Shares of traffic or of instances, resolved against the revisions that exist (contract §4.2). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homerun.controllers.failure import not_ready
from homerun.model import names

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """`statuses`: the targets, each with its revision. `problem`: why they cannot be had, or empty."""

    statuses: list[dict[str, Any]]
    problem: str = ""


def resolve(
    owner: str,
    targets: Iterable[Json],
    latest_ready: str,
    ready: Collection[str],
    known: Collection[str],
    status: Callable[[Json, str], dict[str, Any]],
    what: str,
) -> Resolved:
    """`latest_ready`, `ready` and `known` are full revision names; nothing is ready yet when the first is empty.

    `status(target, revision id)` makes one status; `what`, in messages, is shared out.
    """
    statuses: list[dict[str, Any]] = []
    for target in targets:
        by_name = target.get("type", "").endswith("_REVISION")
        if not by_name and not latest_ready:
            continue
        name = f"{owner}/revisions/{names.last(target['revision'])}" if by_name else latest_ready
        if by_name and name not in ready:
            return Resolved([], _problem(name, name in known, what))
        statuses.append(status(target, names.last(name)))
    return Resolved(statuses)


def _problem(revision: str, exists: bool, what: str) -> str:
    return not_ready(revision) if exists else f"Revision '{names.last(revision)}' referenced in {what} does not exist."
