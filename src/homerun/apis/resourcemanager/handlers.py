"""The one question that gcloud asks of Resource Manager, when a YAML names its project by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.wire.discovery import Method


def methods(backend: Backend) -> Iterator[tuple[Method, Handler]]:
    """With its path."""

    async def get(call: Call) -> Any:
        id = await backend.project_id(call.variables["project"])
        number = backend.projects.number_of(id)
        return {"projectId": id, "projectNumber": number, "name": id, "lifecycleState": "ACTIVE"}

    yield Method("cloudresourcemanager.projects.get", "GET", "v1/projects/{project}", ""), get
