"""Log entries through the logging API: which to ask for, and what one looks like as a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from homerun.cli.client import Client, Json
from homerun.cli.output import clock_time

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
_SAID = SEVERITIES[4:]
"""Those that are named in a line."""
_ATTEMPTS = "type.googleapis.com/google.cloud.scheduler.logging."
_INDENT = " " * 4
_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "ALERT": "red", "EMERGENCY": "red"}


def service_filter(region: str, service: str) -> str:
    """As gcloud writes it."""
    return (
        f"resource.type = cloud_run_revision AND resource.labels.service_name = {service} "
        f"AND resource.labels.location = {region}"
    )


def job_filter(region: str, job: str) -> str:
    return f"resource.type = cloud_run_job AND resource.labels.job_name = {job} AND resource.labels.location = {region}"


def worker_pool_filter(region: str, pool: str) -> str:
    return (
        f"resource.type = cloud_run_worker_pool AND resource.labels.worker_pool_name = {pool} "
        f"AND resource.labels.location = {region}"
    )


def schedule_filter(region: str, schedule: str) -> str:
    return (
        f"resource.type = cloud_scheduler_job AND resource.labels.job_id = {schedule} "
        f"AND resource.labels.location = {region}"
    )


def execution_filter(region: str, job: str, execution: str, task: int | None = None) -> str:
    filter = f'{job_filter(region, job)} AND labels."run.googleapis.com/execution_name" = {execution}'
    return filter if task is None else filter + f' AND labels."run.googleapis.com/task_index" = {task}'


def since(timestamp: str, *, inclusive: bool = True) -> str:
    return f'timestamp{">=" if inclusive else ">"}"{timestamp}"'


def read(client: Client, project: str, filter: str, limit: int) -> list[Json]:
    """The last `limit` entries that match, oldest first."""
    found: list[Json] = []
    body: Json = {"resourceNames": [f"projects/{project}"], "filter": filter, "orderBy": "timestamp desc"}
    while len(found) < limit:
        page = client.post("/v2/entries:list", {**body, "pageSize": min(limit - len(found), 1000)})
        found += page.get("entries", ())
        if not page.get("nextPageToken"):
            break
        body["pageToken"] = page["nextPageToken"]
    return found[:limit][::-1]


def text_of(entry: Json) -> str:
    """What a container wrote, or a request in a line."""
    request = entry.get("httpRequest")
    if request and "jsonPayload" not in entry:
        cold = entry.get("labels", {}).get("coldStart")
        said = (_request(request), f"cold start: {cold}" if cold else "", entry.get("textPayload", ""))
        return "  ".join(filter(None, said))
    if "textPayload" in entry:
        return str(entry["textPayload"])
    if "jsonPayload" in entry:
        payload: dict[str, Any] = entry["jsonPayload"]
        if str(payload.get("@type", "")).startswith(_ATTEMPTS):
            return _attempt(payload, entry.get("httpRequest", {}))
        return str(payload["message"]) if set(payload) == {"message"} else json.dumps(payload, ensure_ascii=False)
    return json.dumps(entry.get("protoPayload", {}))


def _attempt(payload: Json, request: Json) -> str:
    """Of a schedule: that it began, or what became of it."""
    target = payload.get("url") or payload.get("pubsubTopic", "")
    if payload["@type"] == f"{_ATTEMPTS}AttemptStarted":
        return f"started  {target}  for {payload.get('scheduledTime', '')[:19]}Z"
    why = f"  {payload['status']}: {payload.get('debugInfo', '')}" if "status" in payload else ""
    return f"finished {target}  {request.get('status', '')}{why}".rstrip()


def _request(request: Json) -> str:
    latency = float(str(request.get("latency", "0s")).rstrip("s") or 0)
    return (
        f"{request.get('requestMethod', '')} {request.get('status', '')} {latency * 1000:.0f} ms "
        f"{request.get('requestUrl', '')}"
    )


def source_of(entry: Json) -> str:
    """`stdout`, `requests`; for a job which task, and which attempt after the first."""
    stream = str(entry.get("logName", "")).rpartition("%2F")[2]
    labels = entry.get("labels", {})
    task = labels.get("run.googleapis.com/task_index")
    if task is None:
        return stream
    attempt = labels.get("run.googleapis.com/task_attempt", "0")
    return f"{stream} task {task}" + (f" attempt {attempt}" if attempt != "0" else "")


def lines(entries: Iterable[Json]) -> Iterable[str]:
    """What a person reads. The further lines of a stack trace are below its first."""
    for entry in entries:
        head = click.style(f"{clock_time(entry.get('timestamp', ''))} {source_of(entry):<8}", dim=True)
        severity, text = str(entry.get("severity", "")), text_of(entry).replace("\n", f"\n{_INDENT}")
        if severity in _SAID and "httpRequest" not in entry:
            text = f"{severity} {text}"  # of a request the status says it
        yield f"{head} {click.style(text, fg=_COLOURS.get(severity))}"
