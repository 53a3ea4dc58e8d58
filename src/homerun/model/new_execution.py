"""The Execution that a run of a Job becomes: a copy, with overrides, so that later changes of the job do not touch it.

Made by the API for `:run`, and by the job's controller for a job with a token (contract §5.1, §7.2).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from homerun.lib import ids
from homerun.lib.timestamps import to_rfc3339
from homerun.model import limits
from homerun.model.conditions import RECONCILING, condition
from homerun.model.container import container_names
from homerun.model.names import last

Json = Mapping[str, Any]
STAGES = ("Completed", "ResourcesAvailable", "Started")


def execution_body(job: Json, id: str, overrides: Json, now: float, creator: str) -> dict[str, Any]:
    """`job`: its body; `id`: the execution's; `overrides`: v2 JSON."""
    template = job["template"]
    task_count = overrides.get("taskCount") or template["taskCount"]
    return {
        "name": f"{job['name']}/executions/{id}",
        "uid": ids.uid(),
        "creator": creator,
        "generation": "1",
        "labels": {**job.get("labels", {}), **template.get("labels", {})},
        "annotations": template.get("annotations", {}),
        "createTime": to_rfc3339(now),
        "updateTime": to_rfc3339(now),
        "launchStage": job.get("launchStage", "GA"),
        "job": last(job["name"]),
        "parallelism": min(template.get("parallelism", 0), task_count),
        "taskCount": task_count,
        "template": _overridden(template["template"], overrides, last(job["name"])),
        "reconciling": True,
        "conditions": [condition(type, RECONCILING, now) for type in STAGES],
    }


def execution_internal(job: Json, internal: Json, overrides: Json) -> dict[str, Any]:
    """What is kept beside the body. `job`, `internal`: the job's; `overrides`: v2 JSON."""
    kept: dict[str, Any] = {"v1": internal.get("v1", []), "digests": internal.get("digests", [])}
    if overrides.get("delayExecution", job["template"].get("delayExecution")):
        kept["delayed"] = True
    return kept


def crowded(location: str, running: int) -> str:
    """Why no more than the `running` executions of a location may begin (contract §3, §5.4); empty: more may."""
    if running < limits.RUNNING_EXECUTIONS:
        return ""
    return (
        f"too many executions are already running in {location}: at most {limits.RUNNING_EXECUTIONS} may. "
        "Wait for some to end, or cancel them"
    )


def with_latest(job: Json, execution: Json) -> dict[str, Any]:
    """The job's body, once `execution` is its latest."""
    latest = {
        "name": last(execution["name"]),
        "createTime": execution["createTime"],
        "completionStatus": "EXECUTION_PENDING",
    }
    return {**job, "latestCreatedExecution": latest, "executionCount": int(job.get("executionCount", 0)) + 1}


def _overridden(template: Json, overrides: Json, job: str) -> dict[str, Any]:
    """args replace, env merges over what is there (contract §5.4)."""
    task = copy.deepcopy(dict(template))
    containers = dict(zip(container_names(task["containers"], job), task["containers"], strict=True))
    if float(overrides.get("timeout", "0s").rstrip("s")):
        task["timeout"] = overrides["timeout"]
    for override in overrides.get("containerOverrides", ()):
        container = containers.get(override.get("name", ""), task["containers"][0])
        if override.get("args") or override.get("clearArgs"):
            container["args"] = override.get("args", [])
        if env := override.get("env"):
            names = {variable["name"] for variable in env}
            container["env"] = [v for v in container.get("env", ()) if v["name"] not in names] + list(env)
    return task
