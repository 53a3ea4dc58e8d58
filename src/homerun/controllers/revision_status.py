"""What a Revision says of itself: its conditions (contract §4.1, §7.3) and what follows from them. Pure.

Ready, and the stages ResourcesAvailable (the image) and ContainerHealthy (the start), are settled once. Active (may it
receive traffic?) and MinInstancesProvisioned go on changing while it exists, and are for information only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homerun.controllers.failure import not_ready
from homerun.engine.base import EngineUnavailable, Image, ImageForbidden, ImageNotFound
from homerun.lib.errors import HomerunError
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions
from homerun.model.conditions import FAILED, PENDING, RECONCILING, SUCCEEDED, Condition, condition
from homerun.store.base import Document, Put

_INFO = "INFO"


def image_reason(error: HomerunError) -> str:
    """The CommonReason of an image that could not be imported."""
    match error:
        case ImageForbidden():
            return "CONTAINER_IMAGE_UNAUTHORIZED"
        case ImageNotFound():
            return "CONTAINER_MISSING"
        case EngineUnavailable():
            return "INTERNAL"
    return "UNKNOWN"


def ready_state(revision: Document) -> str:
    found = conditions.find(revision.body["conditions"], "Ready")
    return str(found["state"]) if found else ""


def imported(revision: Document, images: Sequence[Image], now: float) -> Put:
    """The images are here, one for each container: now it must start."""
    pinned = [image.pinned for image in images]
    containers = revision.body["containers"]
    statuses = [{"name": c.get("name", ""), "imageDigest": d} for c, d in zip(containers, pinned, strict=True)]
    return _put(
        revision,
        [
            condition("Ready", RECONCILING, now, message="Starting the container and waiting for it to be ready."),
            condition("ResourcesAvailable", SUCCEEDED, now, message=_generation(revision)),
            condition("ContainerHealthy", RECONCILING, now),
        ],
        now,
        {"containerStatuses": statuses},
        internal={**revision.internal, "digests": pinned},
    )


def _generation(revision: Document) -> str:
    """The first generation of execution environments is a sandbox that we do not have (contract §1.6)."""
    if revision.body.get("executionEnvironment") != "EXECUTION_ENVIRONMENT_GEN1":
        return ""
    return "Runs in the second-generation execution environment: this homerun has no gVisor, which the first one is."


def ready(revision: Document, now: float) -> Put:
    skipped = "HEALTH_CHECK_SKIPPED" if revision.internal.get("skip_check") else ""
    stages = [
        condition("Ready", SUCCEEDED, now),
        condition("ResourcesAvailable", SUCCEEDED, now, message=_generation(revision)),
        condition("ContainerHealthy", SUCCEEDED, now, revision_reason=skipped),
    ]
    return _put(revision, [*stages, _active(revision, serves=False, now=now)], now, _settled(revision))


def failed(revision: Document, stage: str, cause: str, now: float, reason: str = "") -> Put:
    """`stage` is the condition that failed: ResourcesAvailable (the image) or ContainerHealthy (the start)."""
    message = f"{not_ready(revision.name)} {cause}"
    revision_reason = "" if reason else "HEALTH_CHECK_CONTAINER_ERROR"
    before = {c["type"]: c for c in revision.body["conditions"] if c["type"] not in ("Ready", stage)}
    failures = [
        condition(type, FAILED, now, message=text, reason=reason, revision_reason=revision_reason)
        for type, text in (("Ready", message), (stage, cause))
    ]
    return _put(revision, [*failures, *before.values()], now, _settled(revision))


@dataclass(frozen=True, slots=True)
class Standing:
    """A ready revision's instances. `short`: how many its minimum still lacks; `failure`: why, if it is known."""

    minimum: int = 0
    short: int = 0
    failure: str = ""


def standing_changed(revision: Document, standing: Standing, now: float, *, serves: bool) -> Put | None:
    """What is new since it became ready; None: nothing."""
    kept = [c for c in revision.body["conditions"] if c["type"] not in ("Active", "MinInstancesProvisioned")]
    new = [*kept, _active(revision, serves=serves, now=now), *_minimum(standing, now)]
    desired = standing.minimum
    put = _put(revision, new, now, {"scalingStatus": {"desiredMinInstanceCount": desired} if desired else {}})
    same = all(revision.body.get(key) == value for key, value in put.body.items() if key != "updateTime" and value)
    return None if same and len(new) == len(revision.body["conditions"]) else put


def _active(revision: Document, *, serves: bool, now: float) -> Condition:
    """In the traffic, not yet, or not any more."""
    if serves:
        return condition("Active", SUCCEEDED, now, severity=_INFO)
    before = conditions.find(revision.body["conditions"], "Active")
    if before is None or before.get("revisionReason") == "RESERVE":
        return condition("Active", PENDING, now, severity=_INFO, revision_reason="RESERVE")
    return condition("Active", FAILED, now, severity=_INFO, revision_reason="RETIRED", message="Revision retired.")


def _minimum(standing: Standing, now: float) -> list[Condition]:
    minimum = standing.minimum
    if not minimum:
        return []
    if not standing.short:
        return [condition("MinInstancesProvisioned", SUCCEEDED, now, severity=_INFO)]
    message = f"{minimum - standing.short} of {minimum} instances are ready. {standing.failure}".strip()
    state, reason = (
        (FAILED, "MIN_INSTANCES_NOT_PROVISIONED") if standing.failure else (RECONCILING, "MIN_INSTANCES_WARMING")
    )
    return [condition("MinInstancesProvisioned", state, now, severity=_INFO, revision_reason=reason, message=message)]


def _settled(revision: Document) -> dict[str, Any]:
    return {"reconciling": False, "observedGeneration": revision.body["generation"]}


def _put(
    revision: Document,
    new: list[Condition],
    now: float,
    fields: Mapping[str, Any],
    *,
    internal: Mapping[str, Any] | None = None,
) -> Put:
    body = {**revision.body, "conditions": conditions.merge(revision.body["conditions"], new), **fields}
    body["updateTime"] = to_rfc3339(now)
    return Put("Revision", revision.name, body, internal or revision.internal, if_version=revision.version)
