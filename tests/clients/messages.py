"""What the client tests send, and what they look at in errors."""

from __future__ import annotations

from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.api_core.future.polling import DEFAULT_POLLING
from google.api_core.operation import Operation
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


def worker_pool(image: str = WEB, instances: int = 1) -> run_v2.WorkerPool:
    return run_v2.WorkerPool(
        template=run_v2.WorkerPoolRevisionTemplate(containers=[run_v2.Container(image=image)]),
        scaling=run_v2.WorkerPoolScaling(manual_instance_count=instances),
    )


def done(operation: Operation) -> Any:
    """The operation's result. Asks more often than clients do by themselves, whose first pause is a second."""
    return operation.result(timeout=20, polling=DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.2))


def violations(error: GoogleAPICallError) -> dict[str, str]:
    """Of an error's BadRequest, description by field. Over gRPC details are messages, over REST they are JSON."""
    found: dict[str, str] = {}
    for detail in error.details:
        if isinstance(detail, dict):
            found |= {v["field"]: v["description"] for v in detail.get("fieldViolations", ())}
        else:
            found |= {v.field: v.description for v in getattr(detail, "field_violations", ())}
    return found
