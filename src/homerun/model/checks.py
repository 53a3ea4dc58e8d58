"""What a Service, WorkerPool or Job means, as its author wrote it: every rule that it breaks, with the v2 field path.

The shape (unknown fields, types) was checked before, so values here have the right types or are absent. The rules
themselves are tables (resource_rules.py and what it is made of).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.lib.errors import Violation
from homerun.model import metadata_rules, resource_rules
from homerun.model.container import container_names
from homerun.model.container_rules import ENV
from homerun.model.rules import check
from homerun.model.unsupported import JOB, SERVICE, WORKER_POOL, unsupported

Json = Mapping[str, Any]


def check_service(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the service's, already known to be a good one."""
    yield from unsupported(body, SERVICE)
    yield from check(body, resource_rules.SERVICE, id)


def check_worker_pool(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the pool's, already known to be a good one."""
    yield from unsupported(body, WORKER_POOL)
    yield from check(body, resource_rules.WORKER_POOL, id)


def check_job(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the job's, already known to be a good one."""
    yield from unsupported(body, JOB)
    yield from check(body, resource_rules.JOB, id)


def check_reserved(body: Json) -> Iterator[Violation]:
    """Labels and annotations that v2 keeps for the platform (v1 gives them a meaning), here and in the template."""
    return check(body, metadata_rules.RESERVED)


def check_overrides(
    overrides: Json, containers: Sequence[Json], job: str, path: str = "overrides"
) -> Iterator[Violation]:
    """Of one run of the job with the id `job` and these containers."""
    yield from check(overrides, resource_rules.OVERRIDES, job, path)
    names = container_names(containers, job)
    for index, override in enumerate(overrides.get("containerOverrides", ())):
        here = f"{path}.containerOverrides[{index}]"
        name = override.get("name", "")
        if not name and len(names) > 1:
            yield Violation(f"{here}.name", f"is required: the job has the containers {', '.join(map(repr, names))}")
        if name and name not in names:
            yield Violation(f"{here}.name", f"the job has no container {name!r}, only {', '.join(map(repr, names))}")
        if override.get("clearArgs") and override.get("args"):
            yield Violation(f"{here}.clearArgs", "cannot be true while args are given")
        yield from check(override, ENV, job, here)
