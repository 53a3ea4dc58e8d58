"""The two questions that clients ask of Service Usage: is it enabled, and which are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.wire.discovery import Method

SERVICES = (
    "run.googleapis.com",
    "logging.googleapis.com",
    "secretmanager.googleapis.com",
    "cloudscheduler.googleapis.com",
)


def methods(backend: Backend) -> Iterator[tuple[Method, Handler]]:
    """With their paths; gcloud's are the same as the published ones."""

    def service(project: str, id: str) -> dict[str, Any]:
        parent = f"projects/{backend.projects.number_of(project)}"
        return {"name": f"{parent}/services/{id}", "parent": parent, "config": {"name": id}, "state": "ENABLED"}

    async def get(call: Call) -> Any:
        return service(call.variables["project"], call.variables["service"])

    async def list(call: Call) -> Any:
        return {"services": [service(call.variables["project"], id) for id in SERVICES]}

    async def enable(call: Call) -> Any:
        found = service(call.variables["project"], call.variables["service"])
        return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {"service": found}}

    one = "v1/projects/{project}/services/{service}"
    yield Method("serviceusage.services.get", "GET", one, ""), get
    yield Method("serviceusage.services.list", "GET", "v1/projects/{project}/services", ""), list
    yield Method("serviceusage.services.enable", "POST", f"{one}:enable", ""), enable
