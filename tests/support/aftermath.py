"""What a store and its controllers must be like after any number of requests, whatever they were."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from google.cloud import run_v2

from homerun.model.names import Name
from homerun.store.base import Document
from tests.support.api import Api, Refused
from tests.support.surface import complaints

KINDS = ("Service", "Revision", "Job", "Execution", "Task", "WorkerPool")
V1_PATHS = {
    "Service": ("apis/serving.knative.dev/v1", "services", "Service"),
    "Revision": ("apis/serving.knative.dev/v1", "revisions", "Revision"),
    "Job": ("apis/run.googleapis.com/v1", "jobs", "Job"),
    "Execution": ("apis/run.googleapis.com/v1", "executions", "Execution"),
    "Task": ("apis/run.googleapis.com/v1", "tasks", "Task"),
    "WorkerPool": ("apis/run.googleapis.com/v1", "workerpools", "WorkerPool"),
}
LONGEST = 11 * 7 * 24 * 3600.0
"""Seconds: ten retries of a task that may take a week."""


class Aftermath:
    def __init__(self, api: Api) -> None:
        self._api, self._store = api, api.world.store

    async def settled(self) -> list[str]:
        """Let virtual time pass until nothing is under way; what still is after the longest that a task may take."""
        patience = 60.0
        while (left := await self._unsettled()) and patience < LONGEST:
            await asyncio.sleep(patience)
            patience *= 2
        return left

    async def _unsettled(self) -> list[str]:
        found = [f"{o.name} is not done" for o in await self._store.list("Operation") if not o.body.get("done")]
        for kind in KINDS:
            found += [f"{d.name} is reconciling" for d in await self._store.list(kind) if d.body.get("reconciling")]
            found += [f"{d.name} is being deleted" for d in await self._store.list(kind) if "deleteTime" in d.body]
        return found

    async def documents(self) -> list[str]:
        """Every stored document is what its schema says, and both versions show it."""
        found = []
        for kind in KINDS:
            for document in await self._store.list(kind):
                found += [f"{document.name}: {problem}" for problem in await self._document(document)]
        for operation in await self._store.list("Operation"):
            found += complaints("run.v2", "GoogleLongrunningOperation", operation.body)
        return found

    async def _document(self, document: Document) -> Sequence[str]:
        found = complaints("run.v2", f"GoogleCloudRunV2{document.kind}", document.body)
        try:
            getattr(run_v2, document.kind).from_json(json.dumps(document.body), ignore_unknown_fields=True)
        except Exception as error:
            found.append(f"protobuf refuses it: {error}")
        name = Name.parse(document.name)
        prefix, collection, schema = V1_PATHS[document.kind]
        host = f"{name.location}-run.homerun.localhost:8787"
        for path in (f"/v2/{document.name}", f"/{prefix}/namespaces/{name.project}/{collection}/{name.id}"):
            try:
                shown = await self._api("GET", path, host=host)
            except Refused as refused:
                found.append(f"GET {path}: {refused}")
                continue
            if not path.startswith("/v2/"):
                found += complaints("run.v1", schema, shown)
        return found

    async def orphans(self) -> list[str]:
        """Children whose parent is gone."""
        found = []
        for kind in ("Revision", "Execution", "Task"):
            for document in await self._store.list(kind):
                parent = Name.parse(document.name).parent
                if await self._store.get(parent.kind, str(parent)) is None:
                    found.append(f"{document.name} has no {parent.kind}")
        return found

    async def emptied(self) -> list[str]:
        """Delete everything over the API; what is left of it."""
        for kind in ("Service", "Job", "WorkerPool"):
            for document in await self._store.list(kind):
                await self._api("DELETE", f"/v2/{document.name}")
        left = await self.settled()
        for kind in KINDS:
            left += [f"{document.name} is left" for document in await self._store.list(kind)]
        return left
