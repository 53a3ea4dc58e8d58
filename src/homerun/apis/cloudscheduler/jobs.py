"""Jobs of Cloud Scheduler, created, changed, paused, resumed and asked to run: each in one write, with the times that
the schedule has from then on. Its controller sees the document, and acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.apis.run.writes import change
from homerun.core.english import parse_times
from homerun.core.schedule import Schedule
from homerun.core.schedule_record import recorded, restored, retries
from homerun.lib import ids
from homerun.lib.errors import AlreadyExists, NotFound, Violation
from homerun.model.names import Name
from homerun.model.rules import check
from homerun.model.schedule import KIND, TARGETS, completed, time_zone
from homerun.model.schedule_rules import SCHEDULE, SCHEDULE_ID
from homerun.store.base import ABSENT, Delete, Document, Put, Write
from homerun.wire.discovery import description
from homerun.wire.fieldmask import check_mask, merge

Json = Mapping[str, Any]

_TOKENS = ("oidcToken", "oauthToken")
_TIMED = ("schedule", "timeZone", "retryConfig")
"""What a schedule's times come from."""
_OUTPUT = ("state", "status", "scheduleTime", "lastAttemptTime")
"""Fields that are not its author's."""


def not_found(name: Name) -> NotFound:
    return NotFound(f"Job {name} does not exist: see `homerun schedules list` or `gcloud scheduler jobs list`")


async def get(backend: Backend, name: Name) -> Document:
    """Raises NotFound."""
    found = await backend.store.get(KIND, str(name))
    if found is None:
        raise not_found(name)
    return found


async def create(backend: Backend, name: Name, sent: Json, violations: Sequence[Violation]) -> Document:
    """Raises Invalid, AlreadyExists."""
    if problem := SCHEDULE_ID.complaint(name.id):
        violations = [*violations, Violation("name", f"its last part {problem}")]
    raise_violations([*violations, *_check(sent, name)])
    await backend.remember(name.project)
    body = completed({key: value for key, value in sent.items() if key != "name"})
    schedule = Schedule(parse_times(body["schedule"]), time_zone(body["timeZone"]), retries(body["retryConfig"]))
    schedule.start(_now(backend))
    body, internal = recorded(schedule, {**body, "userUpdateTime": backend.now()}, {"uid": ids.uid()})

    def edit(stored: Document | None) -> Sequence[Write]:
        if stored is not None:
            raise AlreadyExists(f"Job {name} already exists: change it, or choose another name")
        return [Put(KIND, str(name), body, internal, if_version=ABSENT)]

    [written] = await change(backend.store, KIND, str(name), edit)
    return written


async def update(backend: Backend, name: Name, sent: Json, mask: str, violations: Sequence[Violation]) -> Document:
    """`mask`: update paths; empty: everything. Raises NotFound, Invalid."""
    raise_violations([*violations, *check_mask(description("cloudscheduler.v1").schemas, "Job", mask)])

    def edit(schedule: Schedule, stored: Json) -> dict[str, Any]:
        body = _merged(stored, {key: value for key, value in sent.items() if key != "name"}, mask)
        raise_violations(_check(body, name))
        body = completed(body)
        if any(body.get(field) != stored.get(field) for field in _TIMED):
            times, zone = parse_times(body["schedule"]), time_zone(body["timeZone"])
            schedule.change(times, zone, retries(body["retryConfig"]), _now(backend))
        return {**body, "userUpdateTime": backend.now()}

    return await _edit(backend, name, edit)


async def pause(backend: Backend, name: Name) -> Document:
    """Raises NotFound."""

    def edit(schedule: Schedule, stored: Json) -> Json:
        if not schedule.paused:
            schedule.pause()
        return stored

    return await _edit(backend, name, edit)


async def resume(backend: Backend, name: Name) -> Document:
    """Raises NotFound."""

    def edit(schedule: Schedule, stored: Json) -> Json:
        if schedule.paused:
            schedule.resume(_now(backend))
        return stored

    return await _edit(backend, name, edit)


async def run(backend: Backend, name: Name) -> Document:
    """Its attempt is certain when this returns, also if homerun is killed then. Raises NotFound."""

    def edit(schedule: Schedule, stored: Json) -> Json:
        schedule.force(_now(backend))
        return stored

    return await _edit(backend, name, edit)


async def delete(backend: Backend, name: Name) -> None:
    """An attempt that is under way goes on. Raises NotFound."""

    def edit(stored: Document | None) -> Sequence[Write]:
        if stored is None:
            raise not_found(name)
        return [Delete(KIND, str(name), if_version=stored.version)]

    await change(backend.store, KIND, str(name), edit)


async def _edit(backend: Backend, name: Name, edit: Callable[[Schedule, Json], Json]) -> Document:
    """Write the body that `edit` makes of that which is there, with what it has done to the schedule."""

    def changed(stored: Document | None) -> Sequence[Write]:
        if stored is None:
            raise not_found(name)
        schedule = restored(stored.body, stored.internal)
        edited = edit(schedule, stored.body)
        body, internal = recorded(schedule, edited, stored.internal)
        return [Put(KIND, str(name), body, internal, if_version=stored.version)]

    [written] = await change(backend.store, KIND, str(name), changed)
    return written


def _check(body: Json, name: Name) -> Iterator[Violation]:
    yield from check(body, SCHEDULE, name.id)
    if body.get("schedule"):
        try:
            parse_times(body["schedule"])
        except ValueError as error:
            yield Violation("schedule", str(error))
    topic = str(body.get("pubsubTarget", {}).get("topicName", ""))
    if topic.startswith("projects/") and topic.split("/")[1] != name.project:
        yield Violation("pubsubTarget.topicName", f"must be a topic of the same project, {name.project}")


def _merged(stored: Json, sent: Json, mask: str) -> dict[str, Any]:
    """What is shown and what is not asked for stays; of what excludes each other, what was sent counts."""
    shown = {key: stored[key] for key in _OUTPUT if key in stored}
    body = merge(stored, sent, mask)
    body = {**_pruned(body), **shown}
    for target in TARGETS:
        if target in sent and target not in stored:
            body = {key: value for key, value in body.items() if key not in TARGETS or key == target}
    http, asked = body.get("httpTarget", {}), sent.get("httpTarget", {})
    if all(token in http for token in _TOKENS):
        given = [token for token in _TOKENS if token in asked]
        if len(given) == 1:
            body["httpTarget"] = {key: http[key] for key in http if key not in _TOKENS or key in given}
    return body


def _pruned(value: Any) -> Any:
    """Without messages that nothing is left of: masks take them apart field by field."""
    if not isinstance(value, dict):
        return value
    parts = {key: _pruned(part) for key, part in value.items()}
    return {key: part for key, part in parts.items() if part != {}}


def _now(backend: Backend) -> datetime:
    return datetime.fromtimestamp(backend.clock.now(), UTC)
