"""A line that a container wrote, as a google.logging.v2.LogEntry (contract §1.13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from homerun.core.log_payload import payload
from homerun.engine.base import LogLine
from homerun.lib.timestamps import to_rfc3339
from homerun.model import labels as instance_labels
from homerun.model.names import Name, last


def entry(line: LogLine) -> dict[str, Any] | None:
    """None for a line of an instance that belongs to nobody."""
    owners = (instance_labels.SERVICE, instance_labels.JOB, instance_labels.WORKER_POOL)
    owner = next((line.labels[label] for label in owners if line.labels.get(label)), None)
    if owner is None:
        return None
    name = Name.parse(owner)
    time = to_rfc3339(line.time)
    made: dict[str, Any] = {
        "logName": f"projects/{name.project}/logs/{quote(f'run.googleapis.com/{line.stream}', safe='')}",
        "resource": _resource(name, line.labels),
        "labels": _labels(line),
        "timestamp": time,
        "receiveTimestamp": time,
        "insertId": hashlib.sha1(f"{line.instance}{line.time}{line.stream}{line.text}".encode()).hexdigest()[:24],
    }
    said = payload(line.text)
    made["labels"] = {**said.labels, **made["labels"]}
    made["severity"] = said.severity
    if said.time is not None:
        made["timestamp"] = to_rfc3339(said.time)
    if said.text is not None:
        made["textPayload"] = said.text
    elif said.json is not None:
        made["jsonPayload"] = said.json
    return made | said.fields


def _resource(name: Name, labels: Mapping[str, str]) -> dict[str, Any]:
    if name.kind == "Job":
        values = {"project_id": name.project, "job_name": name.id, "location": name.location}
        return {"type": "cloud_run_job", "labels": values}
    revision = last(labels.get(instance_labels.REVISION, ""))
    if name.kind == "WorkerPool":
        values = {
            "project_id": name.project,
            "worker_pool_name": name.id,
            "revision_name": revision,
            "location": name.location,
        }
        return {"type": "cloud_run_worker_pool", "labels": values}
    values = {
        "project_id": name.project,
        "service_name": name.id,
        "configuration_name": name.id,
        "revision_name": revision,
        "location": name.location,
    }
    return {"type": "cloud_run_revision", "labels": values}


def _labels(line: LogLine) -> dict[str, str]:
    found = {"instanceId": line.instance}
    for label, key in (
        (instance_labels.EXECUTION, "run.googleapis.com/execution_name"),
        (instance_labels.TASK, "run.googleapis.com/task_index"),
        (instance_labels.ATTEMPT, "run.googleapis.com/task_attempt"),
    ):
        if label in line.labels:
            found[key] = last(line.labels[label])
    return found
