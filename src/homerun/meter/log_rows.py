"""What becomes a log entry, as rows of the log store (contract §1.13): output of containers, and what they share with
all else that is said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from homerun.core.log_payload import Payload, payload
from homerun.core.syslog import syslog_payload
from homerun.engine.output import OutputLine
from homerun.lib.timestamps import to_rfc3339
from homerun.model import labels as instance_labels
from homerun.model import names
from homerun.model.names import Name
from homerun.model.severity import severity_number
from homerun.store.log_base import LogRow, Origin, Pairs

LARGEST = 256 << 10
"""Characters of an entry's text (contract §1.13)."""
SYSTEM = "varlog/system"
SYSLOG = "syslog"
STREAMS = ("stdout", "stderr", SYSLOG)
"""What containers write to."""
_LABELS = (
    (instance_labels.EXECUTION, "run.googleapis.com/execution_name"),
    (instance_labels.TASK, "run.googleapis.com/task_index"),
    (instance_labels.ATTEMPT, "run.googleapis.com/task_attempt"),
)


def origin(stream: str, owner: Name, labels: Mapping[str, str], instance: str, container: str = "") -> Origin:
    has = {"instanceId": instance} if instance else {}
    has |= {key: names.last(labels[label]) for label, key in _LABELS if label in labels}
    if container:
        has["container_name"] = container
    type, resource = _resource(owner, labels)
    return Origin(f"run.googleapis.com/{stream}", type, resource, tuple(has.items()))


def _resource(name: Name, labels: Mapping[str, str]) -> tuple[str, Pairs]:
    values = {"project_id": name.project, "location": name.location}
    if name.kind == "Job":
        return "cloud_run_job", _pairs(values, job_name=name.id)
    revision = names.last(labels.get(instance_labels.REVISION, ""))
    if name.kind == "WorkerPool":
        return "cloud_run_worker_pool", _pairs(values, worker_pool_name=name.id, revision_name=revision)
    return "cloud_run_revision", _pairs(
        values, service_name=name.id, configuration_name=name.id, revision_name=revision
    )


def _pairs(values: Mapping[str, str], **more: str) -> Pairs:
    return tuple({**values, **more}.items())


def output_row(source: Origin, lines: Sequence[OutputLine]) -> LogRow:
    """Of one line, or of several that belong together."""
    if len(lines) == 1:
        said = (syslog_payload if lines[0].stream == SYSLOG else payload)(lines[0].text)
    else:
        said = Payload(text="\n".join(line.text for line in lines)[:LARGEST].rstrip("\n"))
    return payload_row(source, said, lines[0].time)


def payload_row(source: Origin, said: Payload, at: float) -> LogRow:
    """`at`: when it came, seconds; what it says of its own time counts."""
    more: dict[str, Any] = said.fields
    if said.json is not None:
        more = {**more, "jsonPayload": said.json}
    if said.labels:
        more = {**more, "labels": said.labels}
    if said.time is not None:
        more = {**more, "receiveTimestamp": to_rfc3339(at)}
    return LogRow(
        microseconds(said.time if said.time is not None else at),
        source,
        severity_number(said.severity),
        said.text,
        msgspec.json.encode(more).decode() if more else None,
    )


def lost_row(owner: Name, labels: Mapping[str, str], instance: str, count: int, at: float) -> LogRow:
    text = f"{count} lines of this container's output were dropped: it writes faster than they can be kept."
    return LogRow(microseconds(at), origin(SYSTEM, owner, labels, instance), severity_number("WARNING"), text)


def dropped_row(count: int, at: float) -> LogRow:
    text = f"{count} log entries were dropped: they came faster than the disk takes them, or it is full."
    source = Origin(f"run.googleapis.com/{SYSTEM}", "global", ())
    return LogRow(microseconds(at), source, severity_number("ERROR"), text)


def microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
