"""What a Service, WorkerPool or Job means, as its author wrote it: every rule that it breaks, with the v2 field path.

The shape (unknown fields, types) was checked before, so values here have the right types or are absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.lib.errors import Violation
from homerun.model import limits
from homerun.model.container import container_names
from homerun.model.container_checks import Ports, check_containers, check_env
from homerun.model.limits import Range
from homerun.model.names import check_id, last
from homerun.model.quantity import parse_cpu, parse_seconds
from homerun.model.unsupported import JOB, OVERRIDES, SERVICE, WORKER_POOL, unsupported

Json = Mapping[str, Any]
_TOKEN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def check_service(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the service's, already known to be a good one."""
    yield from _metadata(body, "")
    if len(body.get("description", "")) > limits.DESCRIPTION:
        yield Violation("description", f"is longer than {limits.DESCRIPTION} characters")
    yield from _service_scaling(body.get("scaling", {}))
    yield from _traffic(body.get("traffic", ()), id)
    yield from unsupported(body, SERVICE)
    if "template" not in body:
        yield Violation("template", "is required: it says which container to run")
        return
    yield from _revision_template(body["template"], id)


def check_worker_pool(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the pool's, already known to be a good one."""
    yield from _metadata(body, "")
    if len(body.get("description", "")) > limits.DESCRIPTION:
        yield Violation("description", f"is longer than {limits.DESCRIPTION} characters")
    if problem := limits.MIN_INSTANCES.complaint(body.get("scaling", {}).get("manualInstanceCount", 0)):
        yield Violation("scaling.manualInstanceCount", problem)
    yield from _shares(body.get("instanceSplits", ()), "instanceSplits")
    yield from unsupported(body, WORKER_POOL)
    if "template" not in body:
        yield Violation("template", "is required: it says which container to run")
        return
    template = body["template"]
    yield from _metadata(template, "template.")
    if revision := template.get("revision"):
        yield from _revision_name(last(revision), id)
    yield from check_containers(template.get("containers", ()), "template.containers", Ports.OPTIONAL)


def check_job(body: Json, id: str) -> Iterator[Violation]:
    """`id`: the job's, already known to be a good one."""
    yield from _metadata(body, "")
    yield from _tokens(body, id)
    yield from unsupported(body, JOB)
    execution = body.get("template")
    if execution is None or "template" not in execution:
        yield Violation("template.template", "is required: it says which container to run")
        return
    yield from _metadata(execution, "template.")
    yield from check_task_count(execution.get("taskCount") or 1, "template.taskCount")
    parallelism, tasks = execution.get("parallelism", 0), execution.get("taskCount") or 1
    if not 0 <= parallelism <= max(tasks, 1):
        yield Violation("template.parallelism", f"must be from 0 to taskCount ({tasks}), and is {parallelism}")
    task = execution["template"]
    if problem := limits.MAX_RETRIES.complaint(task.get("maxRetries", 0)):
        yield Violation("template.template.maxRetries", problem)
    yield from check_duration(task, "timeout", "template.template.timeout", limits.TASK_TIMEOUT)
    yield from check_containers(task.get("containers", ()), "template.template.containers", Ports.NONE)


def _tokens(body: Json, id: str) -> Iterator[Violation]:
    """A token is the end of an execution's name (contract §5.1)."""
    given = [key for key in ("startExecutionToken", "runExecutionToken") if body.get(key)]
    if len(given) > 1:
        yield Violation(given[1], f"must be left out when {given[0]} is given: a job starts one execution at a time")
    for key in given:
        if not _TOKEN.fullmatch(body[key]):
            yield Violation(key, f"must be lowercase letters, digits and hyphens, and is {body[key][:70]!r}")
        elif len(id) + len(body[key]) >= limits.DNS_LABEL:
            yield Violation(key, f"must have fewer than {limits.DNS_LABEL} characters together with the job's name")


def check_overrides(
    overrides: Json, containers: Sequence[Json], job: str, path: str = "overrides"
) -> Iterator[Violation]:
    """Of one run of the job with the id `job` and these containers."""
    if overrides.get("taskCount"):
        yield from check_task_count(overrides["taskCount"], f"{path}.taskCount")
    yield from check_duration(overrides, "timeout", f"{path}.timeout", limits.TASK_TIMEOUT)
    yield from unsupported({path: overrides}, {f"{path}.{field}": why for field, why in OVERRIDES.items()})
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
        yield from check_env(override.get("env", ()), f"{here}.env")


def check_task_count(count: int, path: str) -> Iterator[Violation]:
    if problem := limits.TASK_COUNT.complaint(count):
        yield Violation(path, problem)


def check_duration(body: Json, key: str, path: str, allowed: Range) -> Iterator[Violation]:
    """Zero is the same as absent."""
    if key not in body or float(body[key].rstrip("s")) == 0:
        return
    try:
        problem = allowed.complaint(parse_seconds(body[key]))
    except ValueError as error:
        problem = str(error)
    if problem:
        yield Violation(path, problem)


def check_reserved(body: Json, prefix: str = "") -> Iterator[Violation]:
    """Labels and annotations that v2 keeps for the platform (v1 gives them a meaning), here and in the template."""
    for field in ("labels", "annotations"):
        for key in body.get(field, {}):
            if key.partition("/")[0] in limits.RESERVED_NAMESPACES and "/" in key:
                yield Violation(f"{prefix}{field}[{key}]", f"{key.partition('/')[0]} is a reserved namespace")
    if isinstance(body.get("template"), Mapping):
        yield from check_reserved(body["template"], f"{prefix}template.")


def _revision_template(template: Json, service: str) -> Iterator[Violation]:
    yield from _metadata(template, "template.")
    if revision := template.get("revision"):
        yield from _revision_name(last(revision), service)
    yield from check_duration(template, "timeout", "template.timeout", limits.REQUEST_TIMEOUT)
    yield from _instance_counts(template.get("scaling", {}), "template.scaling")
    containers = template.get("containers", ())
    yield from check_containers(containers, "template.containers", Ports.ONE)
    yield from _concurrency(template.get("maxInstanceRequestConcurrency", 0), containers)


def _revision_name(id: str, service: str) -> Iterator[Violation]:
    if problem := check_id(id, "revision", limits.REVISION_ID):
        yield Violation("template.revision", problem)
    elif not id.startswith(f"{service}-"):
        yield Violation("template.revision", f"must begin with the service's name and a hyphen: {service}-{id}")


def _concurrency(concurrency: int, containers: Sequence[Json]) -> Iterator[Violation]:
    path = "template.maxInstanceRequestConcurrency"
    if not concurrency:
        return
    if problem := limits.CONCURRENCY.complaint(concurrency):
        yield Violation(path, problem)
        return
    cpu = containers[0].get("resources", {}).get("limits", {}).get("cpu", "1") if containers else "1"
    try:
        too_little = parse_cpu(cpu) < 1
    except ValueError:
        return
    if too_little and concurrency > 1:
        yield Violation(path, f"must be 1 with less than 1 CPU ({cpu}), and is {concurrency}")


def _service_scaling(scaling: Json) -> Iterator[Violation]:
    yield from _instance_counts(scaling, "scaling")
    if problem := limits.MIN_INSTANCES.complaint(scaling.get("manualInstanceCount", 0)):
        yield Violation("scaling.manualInstanceCount", problem)


def _instance_counts(scaling: Json, path: str) -> Iterator[Violation]:
    low, high = scaling.get("minInstanceCount", 0), scaling.get("maxInstanceCount", 0)
    if problem := limits.MIN_INSTANCES.complaint(low):
        yield Violation(f"{path}.minInstanceCount", problem)
    if high and (problem := limits.MAX_INSTANCES.complaint(high)):
        yield Violation(f"{path}.maxInstanceCount", problem)
    elif high and low > high:
        yield Violation(f"{path}.minInstanceCount", f"must not exceed maxInstanceCount ({high}), and is {low}")


def _traffic(traffic: Sequence[Json], service: str) -> Iterator[Violation]:
    tags: set[str] = set()
    for index, target in enumerate(traffic):
        path = f"traffic[{index}]"
        if tag := target.get("tag"):
            yield from _tag(tag, service, f"{path}.tag")
            if tag in tags:
                yield Violation(f"{path}.tag", f"{tag!r} is the tag of an earlier target as well")
            tags.add(tag)
    if len(tags) > limits.TAGS:
        yield Violation("traffic", f"has {len(tags)} tags, and may have at most {limits.TAGS}")
    yield from _shares(traffic, "traffic")


def _shares(targets: Sequence[Json], path: str) -> Iterator[Violation]:
    """Of traffic or of instances."""
    for index, target in enumerate(targets):
        yield from _target(target, f"{path}[{index}]")
    total = sum(target.get("percent", 0) for target in targets)
    if targets and total != 100:
        yield Violation(path, f"the percents must sum to 100, and sum to {total}")


def _target(target: Json, path: str) -> Iterator[Violation]:
    if problem := Range(0, 100).complaint(target.get("percent", 0)):
        yield Violation(f"{path}.percent", problem)
    by_name = target.get("type", "").endswith("_REVISION")
    if by_name and not target.get("revision"):
        yield Violation(f"{path}.revision", f"is required with type {target['type']}")
    if target.get("type", "").endswith("_LATEST") and target.get("revision"):
        yield Violation(f"{path}.revision", f"must be left out with type {target['type']}")


def _tag(tag: str, service: str, path: str) -> Iterator[Violation]:
    if problem := check_id(tag, "tag", limits.TAG_ID):
        yield Violation(path, problem)
    elif len(tag) + len(service) + len("---") > limits.DNS_LABEL:
        yield Violation(
            path, f"{tag}---{service} is longer than the {limits.DNS_LABEL} characters of a host name's label"
        )


def _metadata(body: Json, prefix: str) -> Iterator[Violation]:
    for key, value in body.get("labels", {}).items():
        if not _LABEL_KEY.fullmatch(key):
            yield Violation(
                f"{prefix}labels[{key}]", "the key must be letters, digits, '-', '_', '.', with a DNS prefix"
            )
        elif not _LABEL_VALUE.fullmatch(value):
            yield Violation(
                f"{prefix}labels[{key}]",
                f"the value must have at most 63 letters, digits, '-', '_', '.', and is {value[:70]!r}",
            )
    if len(body.get("labels", {})) > limits.LABELS:
        yield Violation(f"{prefix}labels", f"has more than {limits.LABELS} labels")
    for key in body.get("annotations", {}):
        if not _LABEL_KEY.fullmatch(key):
            yield Violation(
                f"{prefix}annotations[{key}]", "the key must be letters, digits, '-', '_', '.', with a DNS prefix"
            )
