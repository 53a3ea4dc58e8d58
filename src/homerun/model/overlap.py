"""What a run of a job does while an execution of the same job is not over: an extension, of one annotation.

Cloud Run lets them run side by side, and so do we unless the job says otherwise (contract §5.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from homerun.model.names import last
from homerun.model.rules import HOMERUN, Rule

ANNOTATION = "homerun-overlap"


class Overlap(StrEnum):
    ALLOW = "allow"
    """They run side by side."""
    FORBID = "forbid"
    """The run is refused."""
    REPLACE = "replace"
    """The earlier one is cancelled, and the new one begins when that has ended."""

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Overlap:
        """`job`: its body, already checked."""
        return cls(job.get("annotations", {}).get(ANNOTATION, cls.ALLOW))


def refusal(job: Mapping[str, Any], unfinished: Sequence[str]) -> str:
    """Why `job` may not be run while these executions of it are not over; empty: it may."""
    if not unfinished or Overlap.of(job) is not Overlap.FORBID:
        return ""
    return (
        f"Job {last(job['name'])} forbids that its executions overlap, and {last(unfinished[0])} is not over: "
        "wait until it is, or cancel it"
    )


def _known(annotations: Mapping[str, str], owner: str) -> Iterator[tuple[str, str]]:
    value = annotations.get(ANNOTATION, Overlap.ALLOW)
    if value not in set(Overlap):
        yield f"[{ANNOTATION}]", f"must be {', '.join(Overlap)}, and is {value!r}"


OVERLAP = Rule(f"annotations[{ANNOTATION}]", "allow, forbid or replace", HOMERUN, _known, at="annotations")
