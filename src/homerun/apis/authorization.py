"""What a caller may do who is not the owner: what the policy of the resource itself grants them.

There are no roles in a project, so what concerns no single service, job or worker pool (lists, creation) is for the
owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run.backend import Backend
from homerun.apis.run_v1 import names
from homerun.lib.errors import PermissionDenied
from homerun.model.identity import OWNER
from homerun.model.names import Name
from homerun.model.policy import permits

_OWNERS = {
    "servicesId": "services",
    "routesId": "services",
    "configurationsId": "services",
    "jobsId": "jobs",
    "workerPoolsId": "workerPools",
    "workerpoolsId": "workerPools",
}
"""Variables of a path that name what has a policy."""
_CHILDREN = {"revisionsId": "revisions", "executionsId": "executions", "tasksId": "tasks"}
"""Those of v1 that name a part of it, in a namespace of its own."""
_VERBS = {"patch": "update", "wait": "get"}
_FREE = "testIamPermissions"
"""Everybody may ask what they may."""


def authorized(backend: Backend, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """`handlers` by method id, each behind the question whether its caller may."""

    def guarded(handler: Handler) -> Handler:
        async def serve(call: Call) -> object:
            if not call.caller.owner:
                await _check(backend, call)
            return await handler(call)

        return serve

    return {id: guarded(handler) for id, handler in handlers.items()}


def owner_only(handler: Handler) -> Handler:
    async def serve(call: Call) -> object:
        if not call.caller.owner:
            raise PermissionDenied(f"{call.method.id} is for {OWNER} only, and this is {call.caller.email}")
        return await handler(call)

    return serve


def permissions_of(call: Call) -> list[str]:
    """`run.projects.locations.services.patch` -> `run.services.update`."""
    *_, collection, verb = call.method.id.split(".")
    verb = "update" if verb.startswith("replace") else _VERBS.get(verb, verb)
    body = call.body if isinstance(call.body, dict) else {}
    if verb == "run" and body.get("overrides"):
        verb = "runWithOverrides"
    needed = [f"run.{'workerpools' if collection == 'workerPools' else collection}.{verb}"]
    if verb == "update" and _opens(body):
        needed.append("run.services.setIamPolicy")
    return needed


def _opens(body: Mapping[str, Any]) -> bool:
    """It might switch off the question who calls, which is as good as a policy."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return bool(
        {"invokerIamDisabled", "invoker_iam_disabled"} & body.keys()
        or (isinstance(annotations, dict) and "run.googleapis.com/invoker-iam-disabled" in annotations)
    )


async def _check(backend: Backend, call: Call) -> None:
    """Raises PermissionDenied in IAM's words."""
    permissions = permissions_of(call)
    if permissions[0].endswith(_FREE):
        return
    name = await _resource(backend, call)
    if name is None:
        raise PermissionDenied(
            f"Permission '{permissions[0]}' denied to {call.caller.email}: only {OWNER} has a role in the whole project"
        )
    policy = await backend.store.get("Policy", str(name))
    for permission in permissions:
        if policy is None or not permits(policy.body, permission, call.caller.email):
            raise PermissionDenied(f"Permission '{permission}' denied on resource '{name}' (or it may not exist).")


async def _resource(backend: Backend, call: Call) -> Name | None:
    """The service, job or worker pool that the call is about. None: it is about several, or about none."""
    location = await names.parent(backend, call)
    for variable, collection in _OWNERS.items():
        if variable in call.variables:
            return location.child(collection, call.variables[variable])
    if "operationsId" in call.variables:
        operation = await backend.store.get(
            "Operation", str(location.child("operations", call.variables["operationsId"]))
        )
        return _with_policy(operation.internal["target"]) if operation is not None else None
    for variable, collection in _CHILDREN.items():
        if variable in call.variables:
            return _with_policy((await names.find(backend, location, collection, call.variables[variable])).name)
    return None


def _with_policy(name: str) -> Name:
    parsed = Name.parse(name)
    return Name(parsed.project, parsed.location, parsed.path[:2])
