"""A line that a container wrote, as a google.logging.v2.LogEntry (contract §1.13)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from homerun.engine.base import LogLine
from homerun.lib.timestamps import from_rfc3339, to_rfc3339
from homerun.model import labels as instance_labels
from homerun.model.names import Name, last
from homerun.wire.filter_values import SEVERITIES

_LIFTED = {
    "logging.googleapis.com/trace": "trace",
    "logging.googleapis.com/spanId": "spanId",
    "logging.googleapis.com/insertId": "insertId",
    "logging.googleapis.com/operation": "operation",
    "logging.googleapis.com/sourceLocation": "sourceLocation",
    "logging.googleapis.com/trace_sampled": "traceSampled",
    "httpRequest": "httpRequest",
}
_LABELS = "logging.googleapis.com/labels"
"""Of a line itself: they come to those of its instance."""


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
        "severity": "DEFAULT",
        "insertId": hashlib.sha1(f"{line.instance}{line.time}{line.stream}{line.text}".encode()).hexdigest()[:24],
    }
    payload = _payload(line.text)
    made["labels"] = {**payload.pop("labels", {}), **made["labels"]}
    return made | payload


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


def _payload(text: str) -> dict[str, Any]:
    """A line that is a JSON object is structured: special fields of it are the entry's own."""
    if not text.startswith("{"):
        return {"textPayload": text}
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {"textPayload": text}
    if not isinstance(fields, dict):
        return {"textPayload": text}
    lifted = {name: fields.pop(key) for key, name in _LIFTED.items() if key in fields}
    if isinstance(labels := fields.get(_LABELS), dict):
        lifted["labels"] = {str(key): str(value) for key, value in labels.items()}
        del fields[_LABELS]
    severity = str(fields.get("severity", "")).upper()
    if severity in SEVERITIES:
        lifted["severity"] = severity
        del fields["severity"]
    for key in ("timestamp", "time"):
        if isinstance(fields.get(key), str) and _is_time(fields[key]):
            lifted["timestamp"] = fields.pop(key)
            break
    if not fields:
        return lifted
    if fields.keys() == {"message"}:
        return {**lifted, "textPayload": str(fields["message"])}
    return {**lifted, "jsonPayload": fields}


def _is_time(text: str) -> bool:
    try:
        from_rfc3339(text)
    except ValueError:
        return False
    return True
