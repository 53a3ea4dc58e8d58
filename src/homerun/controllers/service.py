"""Service -> Revision -> traffic: makes a revision of each new template and moves traffic to what is ready.

A failed revision never receives traffic; the old one keeps it (design.md §7.3). What the service says of itself
follows from its revisions' conditions alone, so this controller can be run at any time, on any event, any number of
times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from homerun.controllers import traffic
from homerun.controllers.operations import finish, pending_operations
from homerun.controllers.revision_document import revision_document, revision_name, template_hash
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, Condition, condition
from homerun.store.base import Delete, Document, Put, Store, Write
from homerun.wire.link import RouteSet

KINDS = frozenset({"Service", "Revision"})


class Routes(Protocol):
    """Where the outcome goes: the data plane."""

    def set_route(self, route: RouteSet) -> None: ...
    def drop_route(self, service: str) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """A service as it is stored, with its revisions (by full name) and its unfinished operations."""

    service: Document
    revisions: Mapping[str, Document]
    operations: Sequence[Document] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`route` None: the service takes no traffic any more."""

    writes: list[Write] = field(default_factory=list)
    route: RouteSet | None = None


class ServiceController:
    def __init__(self, store: Store, clock: Clock, routes: Routes) -> None:
        self._store, self._clock, self._routes = store, clock, routes

    @staticmethod
    def key(document: Document) -> str:
        """A revision's news is its service's business."""
        return document.name if document.kind == "Service" else names.parent(document.name)

    async def reconcile(self, key: str) -> None:
        world = await self.load(key)
        if world is None:
            self._routes.drop_route(key)
            return
        await self.apply(key, plan(world, self._clock.now()))

    async def load(self, key: str) -> World | None:
        service = await self._store.get("Service", key)
        if service is None:
            return None
        revisions = await self._store.list("Revision", prefix=f"{key}/revisions/")
        return World(service, {r.name: r for r in revisions}, await pending_operations(self._store, service.internal))

    async def apply(self, key: str, plan: Plan) -> None:
        if plan.writes:
            await self._store.apply(*plan.writes)
        if plan.route is None:
            self._routes.drop_route(key)
        else:
            self._routes.set_route(plan.route)


def plan(world: World, now: float) -> Plan:
    if "deleteTime" in world.service.body:
        return _delete(world)
    if world.service.internal.get("template_hash") != template_hash(world.service.body["template"]):
        return _create_revision(world, now)
    return _settle(world, now)


def _delete(world: World) -> Plan:
    service = world.service
    ended, _ = finish(world.operations, service.internal, "Service", service.body)
    gone: list[Write] = [Delete("Revision", name) for name in world.revisions]
    return Plan([*gone, *ended, Delete("Service", service.name, if_version=service.version)])


def _create_revision(world: World, now: float) -> Plan:
    """A new template becomes a revision; traffic stays where it is until that one is ready."""
    service, body = world.service, world.service.body
    name = revision_name(service.name, body["template"], int(body["generation"]))
    kept = {key: value for key, value in service.internal.items() if key != "refused"}
    internal = {**kept, "template_hash": template_hash(body["template"])}
    if name in world.revisions:
        message = f"Revision named '{names.last(name)}' with different configuration already exists."
        refused = replace(service, internal={**internal, "refused": message})
        return _keep_serving(replace(world, service=refused), message, now)
    ordinal = 1 + max((r.internal["ordinal"] for r in world.revisions.values()), default=0)
    progress = [
        condition("Ready", RECONCILING, now),
        condition("ConfigurationsReady", RECONCILING, now),
        condition("RoutesReady", RECONCILING, now),
    ]
    updated = {**body, "latestCreatedRevision": name, "reconciling": True} | _conditions(body, progress)
    revision = revision_document(body, service.internal, name, ordinal, now)
    put = Put(service.kind, service.name, updated, internal, if_version=service.version)
    return Plan([put, revision], traffic.route(body, body.get("trafficStatuses", ())))


def _settle(world: World, now: float) -> Plan:
    """The service is what its latest created revision has come to."""
    body = world.service.body
    if refused := world.service.internal.get("refused"):
        return _keep_serving(world, refused, now)
    created = world.revisions[body["latestCreatedRevision"]]
    ready = conditions.find(created.body["conditions"], "Ready") or {}
    if ready.get("state") == FAILED:
        return _keep_serving(world, ready.get("message", ""), now)
    if ready.get("state") != SUCCEEDED:
        progress = [
            condition("Ready", RECONCILING, now, message=ready.get("message", "")),
            condition("ConfigurationsReady", RECONCILING, now, message=ready.get("message", "")),
            condition("RoutesReady", RECONCILING, now),
        ]
        return _write(world, {**body, "reconciling": True} | _conditions(body, progress), world.service.internal, [])
    return _move_traffic(world, created.name, now)


def _keep_serving(world: World, message: str, now: float) -> Plan:
    """The latest revision failed. Traffic among the good ones is still the user's to move: that is how to roll back."""
    body = world.service.body
    ready = {name for name, revision in world.revisions.items() if _is_ready(revision)}
    resolved = traffic.resolve(body, body.get("latestReadyRevision", ""), ready, world.revisions)
    status = {} if resolved.problem or not resolved.statuses else {"trafficStatuses": resolved.statuses}
    return _finish(world, now, _failed_configuration(message, now), status=status, error=message)


def _move_traffic(world: World, latest_ready: str, now: float) -> Plan:
    body = world.service.body
    ready = {name for name, revision in world.revisions.items() if _is_ready(revision)}
    resolved = traffic.resolve(body, latest_ready, ready, world.revisions)
    configured = condition("ConfigurationsReady", SUCCEEDED, now)
    if resolved.problem:
        failed = [
            condition("Ready", FAILED, now, message=resolved.problem, reason="REVISION_FAILED"),
            configured,
            condition("RoutesReady", FAILED, now, message=resolved.problem, reason="REVISION_FAILED"),
        ]
        return _finish(world, now, failed, error=resolved.problem)
    settled = [condition("Ready", SUCCEEDED, now), configured, condition("RoutesReady", SUCCEEDED, now)]
    status = {
        "latestReadyRevision": latest_ready,
        "trafficStatuses": resolved.statuses,
        "observedGeneration": body["generation"],
    }
    return _finish(world, now, settled, status=status)


def _finish(
    world: World,
    now: float,
    settled: list[Condition],
    *,
    status: Mapping[str, Any] | None = None,
    error: str = "",
) -> Plan:
    """This generation has come to its end, good or bad: say so, and end the operations that waited for it.

    After a failure trafficStatuses, observedGeneration and latestReadyRevision stay those of the last serving revision
    (contract §7.3).
    """
    service = world.service
    body = {**service.body, **(status or {}), "reconciling": False} | _conditions(service.body, settled)
    if body != service.body:
        body["updateTime"] = to_rfc3339(now)
    ended, internal = finish(
        world.operations,
        service.internal,
        "Service",
        body,
        error=FailedPrecondition(error) if error else None,
        generation=int(body["generation"]),
    )
    return _write(world, body, internal, ended)


def _write(world: World, body: dict[str, Any], internal: Mapping[str, Any], more: Sequence[Write]) -> Plan:
    service = world.service
    route = traffic.route(body, body.get("trafficStatuses", ()))
    if body == service.body and internal == service.internal and not more:
        return Plan([], route)
    return Plan([Put(service.kind, service.name, body, internal, if_version=service.version), *more], route)


def _conditions(body: Mapping[str, Any], new: list[Condition]) -> dict[str, Any]:
    """`terminalCondition` is Ready, `conditions` the rest (google.cloud.run.v2.Service)."""
    before = [c for c in (body.get("terminalCondition"), *body.get("conditions", ())) if c]
    merged = conditions.merge(before, new)
    return {"terminalCondition": merged[0], "conditions": merged[1:]}


def _failed_configuration(message: str, now: float) -> list[Condition]:
    return [
        condition("Ready", FAILED, now, message=message, reason="REVISION_FAILED"),
        condition("ConfigurationsReady", FAILED, now, message=message, reason="REVISION_FAILED"),
        condition("RoutesReady", RECONCILING, now),
    ]


def _is_ready(revision: Document) -> bool:
    ready = conditions.find(revision.body["conditions"], "Ready")
    return ready is not None and ready["state"] == SUCCEEDED
