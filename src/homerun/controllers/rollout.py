"""Template -> Revision -> targets: what services and worker pools have in common.

Each new template becomes a revision, and once that is ready, what its owner shares out moves to it: the traffic of a
service, the instances of a worker pool. A failed revision never receives any; the old one keeps them (design.md §7.3).
What the owner says of itself follows from its revisions' conditions alone, so this controller can be run at any time,
on any event, any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from homerun.controllers.burial import buried
from homerun.controllers.operations import finish, pending_operations
from homerun.controllers.revision_document import revision_document, revision_name
from homerun.controllers.surplus import Surplus
from homerun.controllers.targets import Resolved
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition
from homerun.lib.timestamps import to_rfc3339
from homerun.model import conditions, limits, names
from homerun.model.conditions import FAILED, RECONCILING, SUCCEEDED, condition
from homerun.model.names import Name
from homerun.model.revision import template_hash
from homerun.store.base import Delete, Document, Put, Store, Write

_FAILED = MappingProxyType({"reason": "REVISION_FAILED"})
"""Where the failed revision itself has no better reason."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How an owner of revisions differs from others.

    `stages`: its conditions besides Ready, of the template and of the targets, or none. `targets`: the field that holds
    them, `statuses`: the one that holds them resolved. `resolve(body, latest_ready, ready, known)`, with full names.
    """

    kind: str
    stages: tuple[str, ...]
    targets: str
    statuses: str
    resolve: Callable[[Mapping[str, Any], str, Collection[str], Collection[str]], Resolved]

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({self.kind, "Revision"})


class Outcome(Protocol):
    """Where it goes: to the routers, or to the instances."""

    def settle(self, owner: Mapping[str, Any]) -> None:
        """Carry out the resolved targets of `owner`, the body as it is now stored."""
        ...

    def drop(self, owner: str) -> None:
        """It is gone."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """An owner as it is stored, with the revisions that it names (by full name) and its unfinished operations.

    `surplus`: further revisions that must go: all when the owner goes, the oldest when there are too many.
    """

    owner: Document
    revisions: Mapping[str, Document]
    operations: Sequence[Document] = ()
    surplus: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`body`: what the owner will be; None: gone."""

    writes: list[Write] = field(default_factory=list)
    body: Mapping[str, Any] | None = None


class RolloutController:
    def __init__(self, shape: Shape, store: Store, clock: Clock, outcome: Outcome) -> None:
        self._shape, self._store, self._clock, self._outcome = shape, store, clock, outcome
        self._surplus = Surplus(store, "Revision", "revisions", lambda revision: revision.internal["ordinal"])

    def keys(self, document: Document) -> list[str]:
        """A revision's news is its owner's business."""
        if document.kind == self._shape.kind:
            return [document.name]
        owner = Name.parse(document.name).parent
        return [str(owner)] if owner.kind == self._shape.kind else []

    async def reconcile(self, key: str) -> None:
        world = await self.load(key)
        if world is None:
            self._outcome.drop(key)
            return
        await self.apply(key, plan(self._shape, world, self._clock.now()))

    async def load(self, key: str) -> World | None:
        owner = await self._store.get(self._shape.kind, key)
        if owner is None:
            return None
        operations = await pending_operations(self._store, owner.internal)
        if "deleteTime" in owner.body:
            self._surplus.forget(key)
            return World(owner, {}, operations, await self._surplus.all(key))
        named = _named(self._shape, owner)
        found = [await self._store.get("Revision", name) for name in sorted(named)]
        revisions = {revision.name: revision for revision in found if revision is not None}
        surplus = await self._too_many(owner, named) if _makes_revision(owner) else ()
        return World(owner, revisions, operations, surplus)

    async def _too_many(self, owner: Document, named: Collection[str]) -> list[str]:
        """So many old revisions that nothing leads to that, without them, there is room for one more (contract §3)."""
        excess = await self._store.count("Revision", prefix=f"{owner.name}/revisions/") + 1 - limits.REVISIONS
        found = await self._surplus.oldest(owner.name, excess, lambda revision: revision.name not in named)
        return [revision.name for revision in found]

    async def apply(self, key: str, plan: Plan) -> None:
        if plan.body is not None:
            # Before it is said: whoever hears that the deployment is done sends a request in the same moment.
            self._outcome.settle(plan.body)
        if plan.writes:
            await self._store.apply(*plan.writes)
        if plan.body is None:
            self._outcome.drop(key)


def plan(shape: Shape, world: World, now: float) -> Plan:
    if "deleteTime" in world.owner.body:
        return _delete(shape, world)
    if _makes_revision(world.owner):
        return _create_revision(shape, world, now)
    return _settle(shape, world, now)


def _template_hash(owner: Document) -> str:
    return template_hash(owner.body["template"], owner.internal.get("v1", []))


def _makes_revision(owner: Document) -> bool:
    """The template is not that of the latest created revision."""
    return owner.internal.get("template_hash") != _template_hash(owner)


def _named(shape: Shape, owner: Document) -> set[str]:
    """Revisions that the owner, as it is and as it should be, leads to: of a thousand perhaps two."""
    body = owner.body
    targets = [target for key in (shape.targets, shape.statuses) for target in body.get(key, ())]
    ids = {target.get("revision", "") for target in (body["template"], *targets)}
    ids |= {body.get("latestCreatedRevision", ""), body.get("latestReadyRevision", "")}
    return {f"{owner.name}/revisions/{names.last(id)}" for id in ids if id}


def _delete(shape: Shape, world: World) -> Plan:
    owner = world.owner
    ended, _ = finish(world.operations, owner.internal, shape.kind, owner.body)
    gone: list[Write] = [Delete("Revision", name) for name in world.surplus]
    return Plan([*gone, *ended, buried(owner), Delete(shape.kind, owner.name, if_version=owner.version)])


def _create_revision(shape: Shape, world: World, now: float) -> Plan:
    """A new template becomes a revision; the targets stay where they are until that one is ready.

    A name that exists already is that revision again, if its template is the same, and is refused otherwise.
    """
    owner, body = world.owner, world.owner.body
    name = revision_name(owner.name, body["template"], int(body["generation"]))
    kept = {key: value for key, value in owner.internal.items() if key != "refused"}
    internal = {**kept, "template_hash": _template_hash(owner)}
    existing = world.revisions.get(name)
    if existing is not None and existing.internal.get("template_hash") == internal["template_hash"]:
        again = replace(owner, body={**body, "latestCreatedRevision": name}, internal=internal)
        return _settle(shape, replace(world, owner=again), now)
    if existing is not None:
        message = f"Revision named '{names.last(name)}' with different configuration already exists."
        refused = replace(owner, internal={**internal, "refused": message})
        return _keep_targets(shape, replace(world, owner=refused), message, now)
    internal["ordinal"] = ordinal = int(internal.get("ordinal", int(body["generation"]) - 1)) + 1
    progress = _conditions(shape, body, now, (RECONCILING, RECONCILING, RECONCILING))
    updated = {**body, "latestCreatedRevision": name, "reconciling": True, **progress}
    revision = revision_document(body, owner.internal, name, ordinal, now)
    gone = [Delete("Revision", name) for name in world.surplus]
    return Plan([Put(shape.kind, owner.name, updated, internal, if_version=owner.version), revision, *gone], updated)


def _settle(shape: Shape, world: World, now: float) -> Plan:
    """The owner is what its latest created revision has come to."""
    body = world.owner.body
    if refused := world.owner.internal.get("refused"):
        return _keep_targets(shape, world, refused, now)
    created = world.revisions[body["latestCreatedRevision"]]
    ready = conditions.find(created.body["conditions"], "Ready") or {}
    message = ready.get("message", "")
    if ready.get("state") == FAILED:
        why = {"reason": ready.get("reason", ""), "revision_reason": ready.get("revisionReason", "")}
        return _keep_targets(shape, world, message, now, why)
    if ready.get("state") != SUCCEEDED:
        progress = _conditions(shape, body, now, (RECONCILING, RECONCILING, RECONCILING), message)
        return _write(world, {**body, "reconciling": True, **progress}, world.owner.internal, [])
    return _move_targets(shape, world, created.name, now)


def _keep_targets(shape: Shape, world: World, message: str, now: float, why: Mapping[str, str] = _FAILED) -> Plan:
    """The latest revision failed. Sharing out among the good ones is still the user's: that is how to roll back."""
    body = world.owner.body
    resolved = shape.resolve(body, body.get("latestReadyRevision", ""), _ready(world), world.revisions)
    status = {} if resolved.problem or not resolved.statuses else {shape.statuses: resolved.statuses}
    failed = _conditions(shape, body, now, (FAILED, FAILED, RECONCILING), message, why)
    return _finish(shape, world, now, {**status, **failed}, error=message)


def _move_targets(shape: Shape, world: World, latest_ready: str, now: float) -> Plan:
    body = world.owner.body
    resolved = shape.resolve(body, latest_ready, _ready(world), world.revisions)
    if problem := resolved.problem:
        failed = _conditions(shape, body, now, (FAILED, SUCCEEDED, FAILED), problem, _FAILED)
        return _finish(shape, world, now, failed, error=problem)
    status = {
        "latestReadyRevision": latest_ready,
        shape.statuses: resolved.statuses,
        "observedGeneration": body["generation"],
    }
    settled = _conditions(shape, body, now, (SUCCEEDED, SUCCEEDED, SUCCEEDED))
    return _finish(shape, world, now, {**status, **settled})


def _finish(shape: Shape, world: World, now: float, status: Mapping[str, Any], *, error: str = "") -> Plan:
    """This generation has come to its end, good or bad: say so, and end the operations that waited for it.

    After a failure the targets, observedGeneration and latestReadyRevision stay those of the last serving revision
    (contract §7.3).
    """
    owner = world.owner
    body = {**owner.body, **status, "reconciling": False}
    if body != owner.body:
        body["updateTime"] = to_rfc3339(now)
    ended, internal = finish(
        world.operations,
        owner.internal,
        shape.kind,
        body,
        error=FailedPrecondition(error) if error else None,
        generation=int(body["generation"]),
    )
    return _write(world, body, internal, ended)


def _write(world: World, body: dict[str, Any], internal: Mapping[str, Any], more: Sequence[Write]) -> Plan:
    owner = world.owner
    if body == owner.body and internal == owner.internal and not more:
        return Plan([], body)
    return Plan([Put(owner.kind, owner.name, body, internal, if_version=owner.version), *more], body)


def _conditions(
    shape: Shape,
    body: Mapping[str, Any],
    now: float,
    states: tuple[str, str, str],
    message: str = "",
    why: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """`terminalCondition` is Ready, `conditions` the stages; those in Ready's state have its message and reasons."""
    before = [c for c in (body.get("terminalCondition"), *body.get("conditions", ())) if c]
    new = [
        condition(type, state, now, message=message, **why) if state == states[0] else condition(type, state, now)
        for type, state in zip(("Ready", *shape.stages), states, strict=False)
    ]
    merged = conditions.merge(before, new)
    return {"terminalCondition": merged[0], "conditions": merged[1:]}


def _ready(world: World) -> set[str]:
    """The revisions that may have targets."""
    return {name for name, revision in world.revisions.items() if _is_ready(revision)}


def _is_ready(revision: Document) -> bool:
    ready = conditions.find(revision.body["conditions"], "Ready")
    return ready is not None and ready["state"] == SUCCEEDED
