"""The methods of Cloud Logging that homerun has, by Google's published descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from homerun.apis.logging.keeper import LogKeeper
from homerun.apis.logging.reading import list_log_entries
from homerun.apis.logging.writing import write_log_entries
from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.lib.errors import NotFound
from homerun.store.log_base import log_name
from homerun.wire.discovery import Method, description
from homerun.wire.filter_functions import ABSENT
from homerun.wire.paging import next_token, page

LIST, WRITE = "logging.entries.list", "logging.entries.write"
LOGS, DELETE = "logging.projects.logs.list", "logging.projects.logs.delete"
RESOURCES = "logging.monitoredResourceDescriptors.list"
PARTIAL = {LIST: f"refused in filters: {', '.join(f'`{name}()`' for name in ABSENT)}"}
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""

_DESCRIPTORS = {
    "cloud_run_revision": ("service_name", "revision_name", "configuration_name"),
    "cloud_run_job": ("job_name",),
    "cloud_run_worker_pool": ("worker_pool_name", "revision_name"),
}
_NAMES = {
    "cloud_run_revision": "Cloud Run Revision",
    "cloud_run_job": "Cloud Run Job",
    "cloud_run_worker_pool": "Cloud Run Worker Pool",
}


def handlers(backend: Backend, keeper: LogKeeper) -> dict[str, Handler]:
    """By method id."""

    async def list_entries(call: Call) -> Any:
        return await list_log_entries(backend, keeper, call.body)

    async def write_entries(call: Call) -> Any:
        return await write_log_entries(backend, keeper, call.body)

    async def list_logs(call: Call) -> Any:
        project = await backend.project_id(call.variables["projectsId"])
        names = sorted({log_name(project, origin.log) for origin in await keeper.origins(project)})
        wanted = page(project, call.query.get("pageSize", ""), call.query.get("pageToken", ""))
        names = [name for name in names if name > wanted.after]
        answer: dict[str, Any] = {"logNames": names[: wanted.size]}
        if len(names) > wanted.size:
            answer["nextPageToken"] = next_token(project, names[wanted.size - 1])
        return answer

    async def delete_log(call: Call) -> Any:
        project, log = await backend.project_id(call.variables["projectsId"]), unquote(call.variables["logsId"])
        if not await keeper.delete(project, log):
            raise NotFound(f"Log {log_name(project, log)} does not exist, or has no entries")
        return {}

    async def list_resources(call: Call) -> Any:
        return {"resourceDescriptors": [_descriptor(type) for type in _DESCRIPTORS]}

    return {LIST: list_entries, WRITE: write_entries, LOGS: list_logs, DELETE: delete_log, RESOURCES: list_resources}


def methods(backend: Backend, keeper: LogKeeper) -> Iterator[tuple[Method, Handler]]:
    known = description("logging.v2").methods
    return ((known[id], handler) for id, handler in handlers(backend, keeper).items())


def _descriptor(type: str) -> dict[str, Any]:
    labels = ("project_id", *_DESCRIPTORS[type], "location")
    return {
        "type": type,
        "displayName": _NAMES[type],
        "labels": [{"key": key, "valueType": "STRING"} for key in labels],
    }
