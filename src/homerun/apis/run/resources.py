"""Create, update and delete services, worker pools and jobs. The controllers, who watch the store, do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from homerun.apis.run.accounts import check_act_as
from homerun.apis.run.backend import Backend
from homerun.apis.run.kinds import JOB, Kind
from homerun.apis.run.writes import (
    Written,
    change,
    check_etag,
    existing,
    new_etag,
    operation_put,
    unsaved,
    with_operation,
)
from homerun.lib import ids
from homerun.lib.errors import Aborted, AlreadyExists, Invalid, Violation
from homerun.lib.timestamps import to_rfc3339
from homerun.model import limits
from homerun.model.conditions import RECONCILING, SUCCEEDED, condition, find, merge
from homerun.model.identity import OWNER
from homerun.model.names import Name, check_id, last
from homerun.model.revision import template_hash
from homerun.store.base import ABSENT, Delete, Document, Put, Write

TEARDOWN_SECONDS = 15
"""How long a create waits for its predecessor of the same name to be gone."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user sent: v2 JSON without output-only fields, and what was already found wrong with it.

    `v1`: what the Knative API sent and v2 cannot express. `path`: v2 field path -> the caller's own version. `author`:
    their e-mail address.
    """

    body: Mapping[str, Any]
    violations: Sequence[Violation] = ()
    v1: Sequence[Any] | None = None
    path: Callable[[str], str] = field(default=lambda path: path)
    author: str = OWNER
    extra_checks: Callable[[Mapping[str, Any]], Iterable[Violation]] = field(default=lambda body: ())


async def create(backend: Backend, kind: Kind, name: Name, wish: Wish, *, validate_only: bool = False) -> Written:
    if problem := check_id(name.id, kind.id_field, kind.id_limit):
        field = kind.id_field if wish.v1 is None else wish.path("name")
        wish = replace(wish, violations=[Violation(field, problem), *wish.violations])
    body = {**_complete(backend, kind, name, wish.body, wish), **_born(backend, name, wish.author)}
    body |= _addresses(backend, kind, name, body) | _progress(kind, body, backend.clock.now())
    internal = {"etag": new_etag(), "v1": list(wish.v1 or ())}
    operation = operation_put(name, kind.name, body, "create", internal, done=validate_only)
    put = Put(kind.name, str(name), body, with_operation(internal, operation, 1), if_version=ABSENT)
    if validate_only:
        _absent(await backend.store.get(kind.name, str(name)), name)
        return Written(unsaved(put), unsaved(operation))

    def edit(document: Document | None) -> Sequence[Write]:
        _absent(document, name)
        # A policy that was set while its namesake was being deleted is not this one's.
        return [put, operation, Delete("Policy", str(name))]

    leaving = await backend.store.get(kind.name, str(name))
    if leaving is not None and "deleteTime" in leaving.body:
        await backend.until(kind.name, str(name), lambda document: document is None, TEARDOWN_SECONDS)
    await backend.remember(name.project)
    resource, stored, _ = await change(backend.store, kind.name, str(name), edit)
    return Written(resource, stored)


async def update(
    backend: Backend,
    kind: Kind,
    name: Name,
    wish: Callable[[Mapping[str, Any]], Wish],
    *,
    etag: str = "",
    validate_only: bool = False,
    force_new_revision: bool = False,
) -> Written:
    """`wish` says what the user wants, given what the user wrote before.

    `force_new_revision`: the template becomes another revision even if nothing about it changed.
    """
    await _check_revision(backend, kind, name, wish)

    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(name))
        check_etag(old, etag)
        if force_new_revision:
            old = replace(old, internal={key: old.internal[key] for key in old.internal if key != "template_hash"})
        return _update(backend, kind, name, old, wish(kind.written(old.body)), validate_only=validate_only)

    if validate_only:
        put, operation = edit(await backend.store.get(kind.name, str(name)))
        assert isinstance(put, Put) and isinstance(operation, Put)
        return Written(unsaved(put), unsaved(operation))
    resource, stored = await change(backend.store, kind.name, str(name), edit)
    return Written(resource, stored)


async def delete(backend: Backend, kind: Kind, name: Name, *, etag: str = "", validate_only: bool = False) -> Written:
    """Mark it: from now on it is not found, and its controller tears it down."""

    def edit(document: Document | None) -> Sequence[Write]:
        old = existing(document, str(name))
        check_etag(old, etag)
        now = backend.clock.now()
        times = {"deleteTime": to_rfc3339(now), "expireTime": to_rfc3339(now + limits.KEEP_DELETED)}
        body = {**old.body, **times, "reconciling": True}
        operation = operation_put(name, kind.name, body, "delete", old.internal, done=validate_only)
        internal = with_operation(old.internal, operation, int(old.body["generation"]))
        put = Put(old.kind, old.name, body, internal, if_version=old.version)
        return [put, operation, Delete("Policy", old.name)]

    if validate_only:
        put, operation, *_ = edit(await backend.store.get(kind.name, str(name)))
        assert isinstance(put, Put) and isinstance(operation, Put)
        return Written(unsaved(put), unsaved(operation))
    resource, stored, _ = await change(backend.store, kind.name, str(name), edit)
    return Written(resource, stored)


def _update(
    backend: Backend, kind: Kind, name: Name, old: Document, wish: Wish, *, validate_only: bool
) -> Sequence[Write]:
    wanted = _complete(backend, kind, name, wish.body, wish)
    check_act_as(old.body, wanted, wish.author)
    v1 = old.internal.get("v1", []) if wish.v1 is None else list(wish.v1)
    if _settled(old) and not _changes(kind, old, wanted, v1):
        # Nothing to do, and nobody would end an operation about it.
        operation = operation_put(name, kind.name, old.body, "update", old.internal, done=True)
        internal = {**old.internal, "operation": operation.internal["operation"]}
        return [Put(old.kind, old.name, old.body, internal, if_version=old.version), operation]
    generation = int(old.body["generation"]) + 1
    body = {**kind.server(old.body), **wanted, "generation": str(generation)}
    body |= {"updateTime": backend.now(), "lastModifier": wish.author, "reconciling": True}
    body |= _addresses(backend, kind, name, body) | _progress(kind, body, backend.clock.now())
    internal = {**old.internal, "etag": new_etag(), "v1": v1}
    operation = operation_put(name, kind.name, body, "update", internal, done=validate_only)
    internal = with_operation(internal, operation, generation)
    return [Put(old.kind, old.name, body, internal, if_version=old.version), operation]


async def _check_revision(backend: Backend, kind: Kind, name: Name, wish: Callable[[Mapping[str, Any]], Wish]) -> None:
    """A revision's name stands for one template (contract §4.1); its controller sees to that, but only later."""
    stored = await backend.store.get(kind.name, str(name))
    if stored is None or "deleteTime" in stored.body:
        return
    wanted = wish(kind.written(stored.body))
    id = last(wanted.body.get("template", {}).get("revision", ""))
    revision = await backend.store.get("Revision", str(name.child("revisions", id))) if id else None
    if revision is None:
        return
    template = _complete(backend, kind, name, wanted.body, wanted)["template"]
    hash = template_hash(template, stored.internal.get("v1", []) if wanted.v1 is None else wanted.v1)
    if revision.internal.get("template_hash", hash) != hash:
        raise AlreadyExists(f"Revision named '{id}' with different configuration already exists.")


def _complete(backend: Backend, kind: Kind, name: Name, body: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    """`body` with all defaults; raises Invalid with everything that is wrong."""
    own = kind.written(body)
    found = [Violation(wish.path(v.field), v.description) for v in kind.check(own, name.id)]
    raise_violations([*wish.violations, *wish.extra_checks(own), *found])
    return kind.complete(own, name.id, backend.projects.number_of(name.project))


def raise_violations(violations: Iterable[Violation]) -> None:
    """All at once; of several about one field, the first, which is the most basic."""
    kept: dict[str, Violation] = {}
    for violation in violations:
        if not any(_covers(field, violation.field) for field in kept):
            kept[violation.field] = violation
    if kept:
        message = "; ".join(f"{v.field}: {v.description}" for v in kept.values())
        raise Invalid(message, list(kept.values()))


def _covers(field: str, other: str) -> bool:
    """A field of the wrong type makes complaints about what is in it pointless."""
    return other == field or other.startswith((f"{field}.", f"{field}["))


def _born(backend: Backend, name: Name, author: str) -> dict[str, Any]:
    now = backend.now()
    return {
        "name": str(name),
        "uid": ids.uid(),
        "generation": "1",
        "createTime": now,
        "updateTime": now,
        "creator": author,
        "lastModifier": author,
        "reconciling": True,
    }


def _addresses(backend: Backend, kind: Kind, name: Name, body: Mapping[str, Any]) -> dict[str, Any]:
    if kind.name != "Service":
        return {}
    if body.get("defaultUriDisabled"):
        return {"uri": "", "urls": []}
    url = backend.addresses.service(name, backend.projects.number_of(name.project))
    return {"uri": url, "urls": [url]}


def _progress(kind: Kind, body: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Conditions of a generation that nobody has worked on yet."""
    before = [c for c in (body.get("terminalCondition"), *body.get("conditions", ())) if c]
    ready, *stages = merge(before, [condition(type, RECONCILING, now) for type in ("Ready", *kind.stages)])
    return {"terminalCondition": ready, "conditions": stages}


def _settled(document: Document) -> bool:
    ready = find([document.body.get("terminalCondition", {})], "Ready") or {}
    return ready.get("state") == SUCCEEDED and not document.internal.get("operations")


def _changes(kind: Kind, old: Document, wanted: Mapping[str, Any], v1: Sequence[Any]) -> bool:
    """A kind with revisions that does not know the latest template's asks for one."""
    unknown = kind is not JOB and "template_hash" not in old.internal
    return unknown or wanted != kind.written(old.body) or v1 != old.internal.get("v1", [])


def _absent(document: Document | None, name: Name) -> None:
    if document is None:
        return
    if "deleteTime" in document.body:
        raise Aborted(f"{name} is still being deleted: try again in a moment")
    raise AlreadyExists(f"Resource '{name.id}' already exists.")
