"""What the client tests send, and what they look at in errors."""

from __future__ import annotations

from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2

from tests.support.api import BATCH, WEB


def service(image: str = WEB, **template: Any) -> run_v2.Service:
    return run_v2.Service(
        ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)], **template),
    )


def job(image: str = BATCH, tasks: int = 1, **task: Any) -> run_v2.Job:
    template = run_v2.TaskTemplate(containers=[run_v2.Container(image=image)], **task)
    return run_v2.Job(template=run_v2.ExecutionTemplate(task_count=tasks, template=template))


def violations(error: GoogleAPICallError) -> dict[str, str]:
    """Of an error's BadRequest, description by field. Over gRPC details are messages, over REST they are JSON."""
    found: dict[str, str] = {}
    for detail in error.details:
        if isinstance(detail, dict):
            found |= {v["field"]: v["description"] for v in detail.get("fieldViolations", ())}
        else:
            found |= {v.field: v.description for v in getattr(detail, "field_violations", ())}
    return found
