"""Cloud Scheduler v1: each published method, by its id in the discovery document.

Jobs have no policies, and there are no roles in a project: all of it is for the owner.
"""

from __future__ import annotations

from typing import Any

from homerun.apis.authorization import owner_only
from homerun.apis.cloudscheduler import jobs
from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.apis.run.reads import listing
from homerun.apis.run.resources import raise_violations
from homerun.lib import ids
from homerun.lib.errors import Invalid, Violation
from homerun.model.names import Name
from homerun.model.schedule import COLLECTION, KIND, name_of
from homerun.model.schedule_rules import UNSUPPORTED
from homerun.store.base import Document
from homerun.wire.discovery import description
from homerun.wire.paging import page
from homerun.wire.schema import parse

API = "cloudscheduler.v1"
_METHODS = "cloudscheduler.projects.locations.jobs."
ELSEWHERE = tuple(
    f"cloudscheduler.projects.locations.{method}"
    for method in ("get", "list", *(f"operations.{verb}" for verb in ("cancel", "delete", "get", "list")))
)
"""The Run API has these at the same paths."""
PARTIAL = {
    f"{_METHODS}{method}": "refused: " + ", ".join(f"`{field}`" for field in UNSUPPORTED)
    + "; attempts of a `pubsubTarget` fail"
    for method in ("create", "patch")
}  # fmt: skip
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""


def handlers(backend: Backend) -> dict[str, Handler]:
    """By method id, each behind the question whether its caller may."""
    api = CloudScheduler(backend)
    methods: dict[str, Handler] = {
        "create": api.create,
        "get": api.get,
        "list": api.list,
        "patch": api.patch,
        "delete": api.delete,
        "pause": api.pause,
        "resume": api.resume,
        "run": api.run,
    }
    return {f"{_METHODS}{id}": owner_only(handler) for id, handler in methods.items()}


def view(document: Document) -> dict[str, Any]:
    return {"name": document.name, **document.body}


class CloudScheduler:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(self, call: Call) -> Any:
        body, violations = _body(call)
        name = await self._chosen(call, str(body.get("name", "")))
        return view(await jobs.create(self._backend, name, body, violations))

    async def get(self, call: Call) -> Any:
        return view(await jobs.get(self._backend, await self._named(call)))

    async def list(self, call: Call) -> Any:
        parent = await self._location(call)
        prefix = f"{parent}/{COLLECTION}/"
        wanted = page(prefix, call.query.get("pageSize", ""), call.query.get("pageToken", ""))
        found = await listing(self._backend.store, KIND, prefix, wanted, prefix)
        answer: dict[str, Any] = {"jobs": await found.shown(view)} if found.documents else {}
        return answer | ({"nextPageToken": found.next_token} if found.next_token else {})

    async def patch(self, call: Call) -> Any:
        name = await self._named(call)
        body, violations = _body(call)
        mask = call.query.get("updateMask", "")
        return view(await jobs.update(self._backend, name, body, mask, violations))

    async def delete(self, call: Call) -> Any:
        await jobs.delete(self._backend, await self._named(call))
        return {}

    async def pause(self, call: Call) -> Any:
        return view(await jobs.pause(self._backend, await self._asked(call)))

    async def resume(self, call: Call) -> Any:
        return view(await jobs.resume(self._backend, await self._asked(call)))

    async def run(self, call: Call) -> Any:
        return view(await jobs.run(self._backend, await self._asked(call)))

    async def _location(self, call: Call) -> Name:
        project = await self._backend.project_id(call.variables["projectsId"])
        return Name(project, call.variables["locationsId"], ())

    async def _named(self, call: Call) -> Name:
        """What the path names, the project by its id."""
        return (await self._location(call)).child(COLLECTION, call.variables["jobsId"])

    async def _asked(self, call: Call) -> Name:
        """Of a method with a body that has nothing in it. Raises Invalid."""
        _, violations = _body(call)
        raise_violations(violations)
        return await self._named(call)

    async def _chosen(self, call: Call, name: str) -> Name:
        """The name that a new job is given, or one of ours. Raises Invalid when it is not below the parent."""
        parent = await self._location(call)
        if not name:
            return parent.child(COLLECTION, ids.uid())
        parts = name.split("/")
        if len(parts) != 6 or parts[::2] != ["projects", "locations", COLLECTION]:
            raise Invalid.field("job.name", f"{name!r} is not of the form {parent}/{COLLECTION}/JOB_ID")
        given = name_of(await self._backend.project_id(parts[1]), parts[3], parts[5])
        if given.parent != parent:
            raise Invalid.field("job.name", f"{name!r} is not below {parent}, where it is to be created")
        return given


def _body(call: Call) -> tuple[dict[str, Any], list[Violation]]:
    """The body as its schema has it, and what is wrong with it."""
    return parse(description(API).schemas, call.method.request, call.body)
