"""`entries:write`: what programs say about themselves through a client library, beside their output."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from homerun.apis.logging.keeper import LogKeeper
from homerun.apis.logging.reading import project_of
from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.lib.errors import Invalid, Violation
from homerun.lib.timestamps import from_rfc3339, to_rfc3339
from homerun.model.severity import severity_number
from homerun.store.log_base import LogRow, Origin
from homerun.wire.discovery import description
from homerun.wire.schema import parse

LARGEST = 256 << 10
"""Bytes of an entry (contract §1.13)."""
MOST_ENTRIES = 1000
_OWN = ("logName", "resource", "timestamp", "severity", "textPayload")
"""Fields with a column of their own."""
_MADE = ("receiveTimestamp", "metadata")
_NOWHERE = {"type": "global"}


async def write_log_entries(backend: Backend, keeper: LogKeeper, sent: Any) -> dict[str, Any]:
    body, violations = parse(description("logging.v2").schemas, "WriteLogEntriesRequest", sent)
    entries = body.get("entries", [])
    if not entries and not violations:
        violations.append(Violation("entries", "is required: one entry at least"))
    if len(entries) > MOST_ENTRIES:
        violations.append(Violation("entries", f"has {len(entries)} entries, of at most {MOST_ENTRIES}"))
    if not body.get("partialSuccess"):
        raise_violations(violations)
    now, rows = backend.clock.now(), defaultdict[str, list[LogRow]](list)
    wrong = {violation.field.partition(".")[0] for violation in violations}
    for number, entry in enumerate(entries):
        if f"entries[{number}]" in wrong:
            continue
        common = {key: body[key] for key in ("logName", "resource") if key in body}
        whole = {**common, **entry, "labels": {**body.get("labels", {}), **entry.get("labels", {})}}
        try:
            # Those without a time of their own stay in the order in which they were sent.
            project, row = await _row(backend, whole, f"entries[{number}]", now + number / 1e6)
        except Invalid as error:
            violations += error.violations
        else:
            rows[project].append(row)
    if not body.get("partialSuccess"):
        raise_violations(violations)
    if not body.get("dryRun"):
        for project, some in rows.items():
            await keeper.append(project, some)
    raise_violations(violations)
    return {}


async def _row(backend: Backend, entry: Mapping[str, Any], path: str, now: float) -> tuple[str, LogRow]:
    """Raises Invalid."""
    name = entry.get("logName", "")
    _, found, log = name.partition("/logs/")
    if not found or not log:
        raise Invalid.field(f"{path}.logName", f"must be projects/PROJECT/logs/LOG, and is {name!r}")
    project = await project_of(backend, name, f"{path}.logName")
    size = len(msgspec.json.encode(entry))
    if size > LARGEST:
        raise Invalid.field(path, f"Log entry with size {size} exceeds maximum size of {LARGEST} bytes")
    resource = entry.get("resource", _NOWHERE)
    pairs = tuple(sorted({"project_id": project, **resource.get("labels", {})}.items()))
    more = {key: value for key, value in entry.items() if key not in _OWN + _MADE and value not in ({}, "")}
    time = entry.get("timestamp")
    if time is not None:
        more["receiveTimestamp"] = to_rfc3339(now)
    return project, LogRow(
        round((from_rfc3339(time) if time is not None else now) * 1e6),
        Origin(unquote(log), resource.get("type", "global"), pairs),
        severity_number(entry.get("severity", "DEFAULT")),
        entry.get("textPayload"),
        msgspec.json.encode(more).decode() if more else None,
    )
