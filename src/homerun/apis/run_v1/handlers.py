"""The v1 (Knative) API: each published method, by its id in the discovery document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run import executions, operations, policies, reads, resources, revisions
from homerun.apis.run.backend import Backend
from homerun.apis.run.kinds import JOB, SERVICE, WORKER_POOL, Kind
from homerun.apis.run.resources import Wish, raise_violations
from homerun.apis.run_v1 import convert, domains, names, objects
from homerun.apis.run_v1.locations import locations
from homerun.apis.run_v1.overrides import overrides_path, overrides_to_v2
from homerun.apis.run_v1.paths import v1_path
from homerun.apis.run_v1.requests import SUCCESS, body_of, check_field_selector, dry_run
from homerun.apis.run_v1.tables import RUN
from homerun.lib.errors import Invalid, NotFound
from homerun.model import unsupported
from homerun.model.names import Name
from homerun.model.unsupported import refused
from homerun.store.base import Document
from homerun.wire.labels import Selector, parse_selector
from homerun.wire.paging import page

_VARIABLES = (
    "servicesId",
    "revisionsId",
    "routesId",
    "configurationsId",
    "workerpoolsId",
    "jobsId",
    "executionsId",
    "tasksId",
)
_STORED = {"routes": "services", "configurations": "services", "workerpools": "workerPools"}
"""Collections that are a view of another, or are called otherwise in v2."""

Json = dict[str, Any]

_UNSUPPORTED = {
    "Service": unsupported.V1_SERVICE,
    "WorkerPool": unsupported.V1_WORKER_POOL,
    "Job": unsupported.V1_JOB,
}
PARTIAL = {
    **dict.fromkeys(
        (
            f"run.{at}.services.{verb}"
            for at in ("namespaces", "projects.locations")
            for verb in ("create", "replaceService")
        ),
        refused(v1_path("Service", pattern) for pattern in unsupported.SERVICE),
    ),
    **dict.fromkeys(
        ("run.namespaces.workerpools.create", "run.namespaces.workerpools.replaceWorkerPool"),
        refused(v1_path("WorkerPool", pattern) for pattern in unsupported.WORKER_POOL),
    ),
    **dict.fromkeys(
        ("run.namespaces.jobs.create", "run.namespaces.jobs.replaceJob"),
        refused(v1_path("Job", pattern) for pattern in unsupported.JOB),
    ),
}
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""


def handlers(backend: Backend) -> dict[str, Handler]:
    """By method id."""
    v1 = RunV1(backend)
    found: dict[str, Handler] = {"run.projects.locations.list": v1.list_locations}
    for collection in (
        "services",
        "revisions",
        "routes",
        "configurations",
        "workerpools",
        "jobs",
        "executions",
        "tasks",
    ):
        reader = Reader(backend, collection)
        found |= {f"run.namespaces.{collection}.get": reader.get, f"run.namespaces.{collection}.list": reader.list}
    for collection in ("services", "revisions", "routes", "configurations"):
        one_platform = Reader(backend, collection)
        found |= {
            f"run.projects.locations.{collection}.get": one_platform.get,
            f"run.projects.locations.{collection}.list": one_platform.list,
        }
    for kind, parents in (
        (SERVICE, ("namespaces", "projects.locations")),
        (WORKER_POOL, ("namespaces",)),
        (JOB, ("namespaces",)),
    ):
        writer, collection = Writer(backend, kind), kind.collection.lower()
        for parent in parents:
            found |= {
                f"run.{parent}.{collection}.create": writer.create,
                f"run.{parent}.{collection}.replace{kind.name}": writer.replace,
                f"run.{parent}.{collection}.delete": writer.delete,
            }
    found |= {
        "run.namespaces.revisions.delete": v1.delete_revision,
        "run.projects.locations.revisions.delete": v1.delete_revision,
        "run.namespaces.jobs.run": v1.run_job,
        "run.namespaces.executions.cancel": v1.cancel_execution,
        "run.namespaces.executions.delete": v1.delete_execution,
        "run.projects.locations.operations.get": v1.get_operation,
        "run.projects.locations.operations.list": v1.list_operations,
        "run.projects.locations.operations.delete": v1.delete_operation,
        "run.projects.locations.operations.wait": v1.wait_operation,
    }
    for collection in ("services", "workerpools", "jobs"):
        found |= {
            f"run.projects.locations.{collection}.getIamPolicy": v1.get_policy,
            f"run.projects.locations.{collection}.setIamPolicy": v1.set_policy,
            f"run.projects.locations.{collection}.testIamPermissions": v1.test_permissions,
        }
    return found | domains.handlers(backend)


class Reader:
    """Get and list of one collection."""

    def __init__(self, backend: Backend, collection: str) -> None:
        self._backend, self._collection = backend, collection
        self._stored = _STORED.get(collection, collection)
        self._view: Callable[[Document], Json] = {
            "routes": lambda document: objects.route(document, backend.projects),
            "configurations": lambda document: objects.configuration(document, backend.projects),
        }.get(collection, lambda document: objects.to_v1(document, backend.projects))

    async def get(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        return self._view(await names.find(self._backend, location, self._stored, _id(call)))

    async def list(self, call: Call) -> Any:
        """Selected by labels; a selector for the owner makes it a look at that owner's alone."""
        location = await names.parent(self._backend, call)
        selector = parse_selector(call.query.get("labelSelector", ""))
        check_field_selector(call)
        prefix = await self._prefix(location, selector)
        key = f"{prefix} {self._collection} {call.query.get('labelSelector', '')}"
        wanted = page(
            key, call.query.get("limit", ""), call.query.get("continue", ""), size_field="limit", token_field="continue"
        )

        def keep(document: Document) -> bool:
            if "deleteTime" in document.body:
                return False
            return not selector.requirements or selector.matches(objects.labels(document))

        kind = Name("p", "l", (self._stored, "x")).kind
        found = await reads.listing(self._backend.store, kind, prefix, wanted, key, keep=keep)
        items = await found.shown(self._view)
        api_version = items[0]["apiVersion"] if items else _API_VERSION.get(self._collection, "run.googleapis.com/v1")
        return {
            "apiVersion": api_version,
            "kind": f"{'WorkerPool' if kind == 'WorkerPool' else self._collection.removesuffix('s').capitalize()}List",
            "metadata": {"continue": found.next_token} if found.next_token else {},
            "items": items,
            "unreachable": [],
        }

    async def _prefix(self, location: Name, selector: Selector) -> str:
        if location.location == "-":
            return f"projects/{location.project}/locations/"
        for label, collection in _OWNERS.get(self._stored, {}).items():
            owner = selector.value(label)
            if self._stored == "tasks" and owner:
                try:
                    return f"{(await names.find(self._backend, location, 'executions', owner)).name}/tasks/"
                except NotFound:
                    return f"{location.child('executions', owner)}/tasks/"  # there is nothing
            elif owner:
                return f"{location.child(collection, owner)}/{self._stored}/"
        return f"{location}/"


_OWNERS = {
    "revisions": {"serving.knative.dev/service": "services", RUN + "workerPool": "workerPools"},
    "executions": {RUN + "job": "jobs"},
    "tasks": {RUN + "execution": "executions"},
}
"""Collection -> the label that says whose it is, and the collection of those."""
_API_VERSION = dict.fromkeys(("services", "revisions", "routes", "configurations"), "serving.knative.dev/v1")


class Writer:
    """Create, replace and delete of one kind."""

    def __init__(self, backend: Backend, kind: Kind) -> None:
        self._backend, self._kind = backend, kind

    async def create(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        body, wish = self._wish(call)
        id = body.get("metadata", {}).get("name", "")
        name = location.child(self._kind.collection, id)
        written = await resources.create(self._backend, self._kind, name, wish, validate_only=dry_run(call))
        return objects.to_v1(written.resource, self._backend.projects)

    async def replace(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        body, wish = self._wish(call)
        metadata = body.get("metadata", {})
        if metadata.get("name", _id(call)) != _id(call):
            raise Invalid.field("metadata.name", f"is {metadata['name']!r}, but the URL names {_id(call)!r}")
        written = await resources.update(
            self._backend,
            self._kind,
            location.child(self._kind.collection, _id(call)),
            lambda stored: wish,
            etag=metadata.get("resourceVersion", ""),
            validate_only=dry_run(call),
        )
        return objects.to_v1(written.resource, self._backend.projects)

    async def delete(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        name = location.child(self._kind.collection, _id(call))
        await resources.delete(self._backend, self._kind, name, validate_only=dry_run(call))
        return SUCCESS

    def _wish(self, call: Call) -> tuple[Json, Wish]:
        kind = self._kind.name
        body, violations = body_of(call)
        violations += unsupported.unsupported(body, _UNSUPPORTED[kind])
        v2, more = convert.to_v2(kind, body)
        baggage = convert.baggage(kind, body, v2)
        found = [*violations, *more]
        return body, Wish(v2, found, v1=baggage, path=convert.path_to_v1(kind), author=call.caller.email)


class RunV1:
    """What is neither read nor written the usual way."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def run_job(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        body, violations = body_of(call)
        written = await executions.run(
            self._backend,
            location.child("jobs", _id(call)),
            overrides_to_v2(body.get("overrides", {})),
            violations=violations,
            path=overrides_path,
            author=call.caller.email,
        )
        return objects.to_v1(written.resource, self._backend.projects)

    async def cancel_execution(self, call: Call) -> Any:
        document = await self._execution(call)
        written = await executions.cancel(self._backend, Name.parse(document.name))
        return objects.to_v1(written.resource, self._backend.projects)

    async def delete_execution(self, call: Call) -> Any:
        document = await self._execution(call)
        await executions.delete(self._backend, Name.parse(document.name))
        return SUCCESS

    async def delete_revision(self, call: Call) -> Any:
        location = await names.parent(self._backend, call)
        document = await names.find(self._backend, location, "revisions", _id(call))
        await revisions.delete(self._backend, Name.parse(document.name), validate_only=dry_run(call))
        return SUCCESS

    async def list_locations(self, call: Call) -> Any:
        project = await self._backend.project_id(call.variables["projectsId"])
        return {"locations": await locations(self._backend, project)}

    async def get_operation(self, call: Call) -> Any:
        return self._operation(await operations.get(self._backend, await self._operation_name(call)))

    async def wait_operation(self, call: Call) -> Any:
        body, violations = body_of(call)
        raise_violations(violations)
        seconds = float(body.get("timeout", "0s").rstrip("s"))
        return self._operation(await operations.wait(self._backend, await self._operation_name(call), seconds))

    async def delete_operation(self, call: Call) -> Any:
        await operations.delete(self._backend, await self._operation_name(call))
        return {}

    async def list_operations(self, call: Call) -> Any:
        return await operations.listing(self._backend, await names.parent(self._backend, call), call, self._operation)

    async def get_policy(self, call: Call) -> Any:
        return await policies.get_policy(self._backend, await self._policy_target(call))

    async def set_policy(self, call: Call) -> Any:
        body, violations = body_of(call)
        return await policies.set_policy(self._backend, await self._policy_target(call), body, violations)

    async def test_permissions(self, call: Call) -> Any:
        body, violations = body_of(call)
        name = await self._policy_target(call)
        return await policies.test_permissions(self._backend, name, body, violations, call.caller)

    async def _execution(self, call: Call) -> Document:
        location = await names.parent(self._backend, call)
        return await names.find(self._backend, location, "executions", _id(call))

    async def _operation_name(self, call: Call) -> str:
        location = await names.parent(self._backend, call)
        return str(location.child("operations", call.variables["operationsId"]))

    async def _policy_target(self, call: Call) -> Name:
        location = await names.parent(self._backend, call)
        collection = call.method.id.split(".")[-2]
        return location.child(_STORED.get(collection, collection), _id(call))

    def _operation(self, document: Document) -> Json:
        return objects.operation(document, self._backend.projects)


def _id(call: Call) -> str:
    return next(call.variables[variable] for variable in _VARIABLES if variable in call.variables)
