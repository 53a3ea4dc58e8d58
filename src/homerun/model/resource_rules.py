"""The whole table: the rules of Service, WorkerPool and Job (contract §3, §4.2, §5.1, §7.2) and all that is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.model import limits
from homerun.model.limits import AtMost, Text
from homerun.model.metadata_rules import METADATA
from homerun.model.names import check_id
from homerun.model.overlap import OVERLAP
from homerun.model.rules import Rule, below, field, required
from homerun.model.template_rules import NO_PORTS, REVISION, SERVICE_REVISION, TEMPLATE, instance_counts

Json = Mapping[str, Any]
_RUNS = "it says which container to run"
DESCRIPTION = field("description", AtMost(limits.DESCRIPTION, "characters"), "§3")


def _one_policy(authorization: Json, owner: str) -> Iterator[tuple[str, str]]:
    if authorization.get("useDefault") and authorization.get("policy"):
        yield "policy", "must be left out when useDefault is true"


COMMON = (
    *METADATA,
    Rule("binaryAuthorization.policy", "not beside useDefault", "§7.1", _one_policy, at="binaryAuthorization"),
)


def _total(targets: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    total = sum(target.get("percent", 0) for target in targets)
    if targets and total != 100:
        yield "", f"the percents must sum to 100, and sum to {total}"


def _target(target: Json, owner: str) -> Iterator[tuple[str, str]]:
    type = target.get("type", "")
    if type.endswith("_REVISION") and not target.get("revision"):
        yield "revision", "is required: the target is a revision by its name"
    if type.endswith("_LATEST") and target.get("revision"):
        yield "revision", "must be left out: the target is the latest revision"


def _shares(at: str) -> tuple[Rule, ...]:
    """Of traffic or of instances."""
    return (
        field(f"{at}[].percent", limits.PERCENT, "§4.2"),
        Rule(f"{at}[].revision", "named, unless it is the latest", "§4.2", _target, at=f"{at}[]"),
        Rule(f"{at}[].percent", "100 together", "§4.2", _total, at=at),
    )


def _tag(tag: str, owner: str) -> Iterator[tuple[str, str]]:
    if problem := check_id(tag, "tag", limits.TAG_ID):
        yield "", problem
    elif len(tag) + len(owner) + len("---") > limits.DNS_LABEL:
        yield "", f"{tag}---{owner} is longer than the {limits.DNS_LABEL} characters of a host name's label"


def _tags_once(targets: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    tags: set[str] = set()
    for index, target in enumerate(targets):
        tag = target.get("tag", "")
        if tag and tag in tags:
            yield f"[{index}].tag", f"{tag!r} is the tag of an earlier target as well"
        tags.add(tag)
    if len(tags - {""}) > limits.TAGS:
        yield "", f"has {len(tags - {''})} tags, and may have at most {limits.TAGS}"


def _manual(scaling: Json, owner: str) -> Iterator[tuple[str, str]]:
    if "manualInstanceCount" in scaling and scaling.get("scalingMode") != "MANUAL":
        yield "manualInstanceCount", "counts only with scalingMode MANUAL: set that, or leave it out"


def _audiences(audiences: Sequence[str], owner: str) -> Iterator[tuple[str, str]]:
    size = sum(map(len, audiences))
    if size > limits.AUDIENCES:
        yield "", f"have {size} characters together; at most {limits.AUDIENCES} are allowed"
    for index, audience in enumerate(audiences):
        if not audience.strip():
            yield f"[{index}]", "must not be empty"


SERVICE = (
    *COMMON,
    DESCRIPTION,
    Rule("customAudiences", f"not empty, at most {limits.AUDIENCES:,} characters together", "§13.6", _audiences),
    *instance_counts("scaling"),
    field("scaling.manualInstanceCount", limits.MIN_INSTANCES, "§2.3"),
    Rule("scaling.manualInstanceCount", "only with scalingMode MANUAL", "§2.3", _manual, at="scaling"),
    Rule("traffic[].tag", f"a DNS label of at most {limits.TAG_ID}, and 63 with the service's name", "§4.3", _tag),
    Rule("traffic[].tag", f"only once; at most {limits.TAGS:,} of them", "§4.2", _tags_once, at="traffic"),
    *_shares("traffic"),
    required("template", _RUNS, "§7.1"),
    *below("template", SERVICE_REVISION),
)

WORKER_POOL = (
    *COMMON,
    DESCRIPTION,
    field("scaling.manualInstanceCount", limits.MIN_INSTANCES, "§1.9"),
    *_shares("instanceSplits"),
    required("template", _RUNS, "§7.1"),
    *below("template", REVISION),
)


def _one_token(job: Json, owner: str) -> Iterator[tuple[str, str]]:
    if job.get("startExecutionToken") and job.get("runExecutionToken"):
        yield "runExecutionToken", "must be left out when startExecutionToken is given: a job starts one at a time"


def _token(token: str, owner: str) -> Iterator[tuple[str, str]]:
    """It is the end of an execution's name."""
    if len(owner) + len(token) >= limits.DNS_LABEL:
        yield "", f"must have fewer than {limits.DNS_LABEL} characters together with the job's name"


def _parallelism(execution: Json, owner: str) -> Iterator[tuple[str, str]]:
    parallelism, tasks = execution.get("parallelism", 0), execution.get("taskCount") or 1
    if not 0 <= parallelism <= max(tasks, 1):
        yield "parallelism", f"must be from 0 to taskCount ({tasks}), and is {parallelism}"


def _task_template(job: Json, owner: str) -> Iterator[tuple[str, str]]:
    if "template" not in job.get("template", {}):
        yield "template.template", f"is required: {_RUNS}"


_TOKEN = Text(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "lowercase letters, digits and hyphens")

TASK = (
    *TEMPLATE,
    NO_PORTS,
    field("maxRetries", limits.MAX_RETRIES, "§3"),
    field("timeout", limits.TASK_TIMEOUT, "§3"),
)

JOB = (
    *COMMON,
    *(field(key, _TOKEN, "§5.1") for key in ("startExecutionToken", "runExecutionToken")),
    *(
        Rule(key, "fewer than 63 characters with the job's name", "§3", _token)
        for key in ("startExecutionToken", "runExecutionToken")
    ),
    Rule("runExecutionToken", "not beside startExecutionToken", "§5.1", _one_token, at=""),
    OVERLAP,
    Rule("template.template", "required", "§7.1", _task_template, at=""),
    *below("template", METADATA),
    field("template.taskCount", limits.TASK_COUNT, "§3"),
    Rule("template.parallelism", "0 to taskCount", "§5.1", _parallelism, at="template"),
    *below("template.template", TASK),
)

OVERRIDES = (
    field("taskCount", limits.TASK_COUNT, "§5.4"),
    field("timeout", limits.TASK_TIMEOUT, "§5.4"),
)
"""Of one run of a job; what they say of containers goes by the rules of containers."""
