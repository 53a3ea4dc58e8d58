"""Admin API v2: each published method, by its id in the discovery document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run import executions, operations, policies, reads, resources, revisions
from homerun.apis.run.backend import Backend
from homerun.apis.run.kinds import JOB, SERVICE, WORKER_POOL, Kind
from homerun.apis.run.resources import Wish, raise_violations
from homerun.apis.run.writes import Written
from homerun.apis.run_v2.views import resource
from homerun.lib.errors import Invalid, NotFound, Violation
from homerun.model import unsupported
from homerun.model.checks import check_reserved
from homerun.model.names import Name
from homerun.model.unsupported import refused
from homerun.store.base import Document
from homerun.wire.discovery import description
from homerun.wire.fieldmask import check_mask, merge
from homerun.wire.paging import page
from homerun.wire.schema import parse

PREFIX = "run.projects.locations."
_VARIABLES = (
    ("servicesId", "services"),
    ("jobsId", "jobs"),
    ("workerPoolsId", "workerPools"),
    ("revisionsId", "revisions"),
    ("executionsId", "executions"),
    ("tasksId", "tasks"),
    ("operationsId", "operations"),
)
_READ = (
    "services",
    "services.revisions",
    "workerPools",
    "workerPools.revisions",
    "jobs",
    "jobs.executions",
    "jobs.executions.tasks",
)
_LOCATION = re.compile(r"[a-z][-a-z0-9]{0,62}")

PARTIAL = {
    **dict.fromkeys((f"{PREFIX}services.create", f"{PREFIX}services.patch"), refused(unsupported.SERVICE)),
    **dict.fromkeys((f"{PREFIX}workerPools.create", f"{PREFIX}workerPools.patch"), refused(unsupported.WORKER_POOL)),
    **dict.fromkeys((f"{PREFIX}jobs.create", f"{PREFIX}jobs.patch"), refused(unsupported.JOB)),
}
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""


def handlers(backend: Backend) -> dict[str, Handler]:
    """By method id."""
    v2 = RunV2(backend)
    found: dict[str, Handler] = {
        "services.revisions.delete": v2.delete_revision,
        "workerPools.revisions.delete": v2.delete_revision,
        "jobs.run": v2.run_job,
        "jobs.executions.cancel": v2.cancel_execution,
        "jobs.executions.delete": v2.delete_execution,
        "operations.get": v2.get_operation,
        "operations.list": v2.list_operations,
        "operations.delete": v2.delete_operation,
        "operations.wait": v2.wait_operation,
    }
    for collection in _READ:
        found |= {f"{collection}.get": v2.get, f"{collection}.list": v2.list}
    for kind in (SERVICE, WORKER_POOL, JOB):
        writer = Writer(backend, kind)
        found |= {
            f"{kind.collection}.create": writer.create,
            f"{kind.collection}.patch": writer.patch,
            f"{kind.collection}.delete": writer.delete,
            f"{kind.collection}.getIamPolicy": v2.get_policy,
            f"{kind.collection}.setIamPolicy": v2.set_policy,
            f"{kind.collection}.testIamPermissions": v2.test_permissions,
        }
    return {PREFIX + id: handler for id, handler in found.items()}


class RunV2:
    """Everything but the writing of services, worker pools and jobs."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def get(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return resource(await reads.get(self._backend.store, name.kind, str(name)))

    async def list(self, call: Call) -> Any:
        """`-` in a parent stands for any, but not as the location."""
        parent, collection = await resource_name(self._backend, call), call.method.id.split(".")[-2]
        deleted, prefix = call.flag("showDeleted"), reads.prefix_of(str(parent), collection)
        key = f"{parent}/{collection} {deleted}"
        wanted = page(key, call.query.get("pageSize", ""), call.query.get("pageToken", ""))
        kind, now, below = parent.child(collection, "-").kind, self._backend.now(), reads.under(parent)

        def keep(document: Document) -> bool:
            alive = "deleteTime" not in document.body or (deleted and document.body.get("expireTime", now) >= now)
            return alive and below(document)

        found = await reads.listing(self._backend.store, kind, prefix, wanted, key, keep=keep, deleted=deleted)
        answer: dict[str, Any] = {collection: await found.shown(resource)}
        if found.next_token:
            answer["nextPageToken"] = found.next_token
        return answer

    async def list_operations(self, call: Call) -> Any:
        return await operations.listing(self._backend, await resource_name(self._backend, call), call, resource)

    async def delete_revision(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return _operation(
            await revisions.delete(
                self._backend, name, etag=call.query.get("etag", ""), validate_only=call.flag("validateOnly")
            )
        )

    async def run_job(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        body, violations = _body(call)
        return _operation(
            await executions.run(
                self._backend,
                name,
                body.get("overrides", {}),
                etag=body.get("etag", ""),
                violations=violations,
                author=call.caller.email,
                validate_only=body.get("validateOnly", False),
            )
        )

    async def cancel_execution(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        body, violations = _body(call)
        raise_violations(violations)
        return _operation(
            await executions.cancel(
                self._backend, name, etag=body.get("etag", ""), validate_only=body.get("validateOnly", False)
            )
        )

    async def delete_execution(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return _operation(
            await executions.delete(
                self._backend, name, etag=call.query.get("etag", ""), validate_only=call.flag("validateOnly")
            )
        )

    async def get_operation(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return resource(await operations.get(self._backend, str(name)))

    async def wait_operation(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return resource(await operations.wait(self._backend, str(name), wait_seconds(call)))

    async def delete_operation(self, call: Call) -> Any:
        await operations.delete(self._backend, str(await resource_name(self._backend, call)))
        return {}

    async def get_policy(self, call: Call) -> Any:
        return await policies.get_policy(self._backend, await resource_name(self._backend, call))

    async def set_policy(self, call: Call) -> Any:
        body, violations = _body(call)
        return await policies.set_policy(self._backend, await resource_name(self._backend, call), body, violations)

    async def test_permissions(self, call: Call) -> Any:
        body, violations = _body(call)
        name = await resource_name(self._backend, call)
        return await policies.test_permissions(self._backend, name, body, violations, call.caller)


class Writer:
    """Create, patch and delete of one kind."""

    def __init__(self, backend: Backend, kind: Kind) -> None:
        self._backend, self._kind = backend, kind

    async def create(self, call: Call) -> Any:
        parent = await resource_name(self._backend, call)
        body, violations = _body(call)
        id = call.query.get(self._kind.id_field, "")
        name = parent.child(self._kind.collection, id)
        wish = _wish(call, body, violations)
        return _operation(
            await resources.create(self._backend, self._kind, name, wish, validate_only=call.flag("validateOnly"))
        )

    async def patch(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        body, violations = _body(call)
        mask, validate_only = call.query.get("updateMask", ""), call.flag("validateOnly")
        violations += check_mask(description("run.v2").schemas, self._kind.schema, mask)
        raise_violations(v for v in violations if v.field == "updateMask")
        try:
            return _operation(
                await resources.update(
                    self._backend,
                    self._kind,
                    name,
                    lambda stored: _wish(call, merge(stored, body, mask), violations),
                    etag=body.get("etag", ""),
                    validate_only=validate_only,
                    force_new_revision=call.flag("forceNewRevision"),
                )
            )
        except NotFound:
            if not call.flag("allowMissing"):
                raise
        wish = _wish(call, body, violations)
        return _operation(await resources.create(self._backend, self._kind, name, wish, validate_only=validate_only))

    async def delete(self, call: Call) -> Any:
        name = await resource_name(self._backend, call)
        return _operation(
            await resources.delete(
                self._backend,
                self._kind,
                name,
                etag=call.query.get("etag", ""),
                validate_only=call.flag("validateOnly"),
            )
        )


async def resource_name(backend: Backend, call: Call) -> Name:
    """What the path names: the resource itself, or the parent of a list or create. The project by its id."""
    variables = call.variables
    location = variables["locationsId"]
    if location == "-":
        raise Invalid.field("location", "name a location: '-' is not allowed here")
    if not _LOCATION.fullmatch(location):
        raise Invalid.field("location", f"{location!r} is no location, such as us-central1")
    path = [part for variable, collection in _VARIABLES if variable in variables
            for part in (collection, variables[variable])]  # fmt: skip
    return Name(await backend.project_id(variables["projectsId"]), location, tuple(path))


def wait_seconds(call: Call) -> float:
    body, violations = _body(call)
    raise_violations(violations)
    return float(body.get("timeout", "0s").rstrip("s"))


def _body(call: Call) -> tuple[dict[str, Any], list[Violation]]:
    """The body as its schema has it, and what is wrong with it."""
    api = "run.v2" if call.method.path.startswith("v2/") else "run.v1"
    return parse(description(api).schemas, call.method.request, call.body)


def _wish(call: Call, body: Mapping[str, Any], violations: list[Violation]) -> Wish:
    return Wish(body, violations, author=call.caller.email, extra_checks=check_reserved)


def _operation(written: Written) -> dict[str, Any]:
    return resource(written.operation)
