"""Secrets: created, changed, and deleted with all that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.apis.run.writes import change, check_etag, new_etag
from homerun.apis.secretmanager.reads import get_secret
from homerun.apis.secretmanager.views import shown_name
from homerun.lib.errors import AlreadyExists, NotFound, Violation
from homerun.lib.timestamps import from_rfc3339, to_rfc3339
from homerun.model.quantity import parse_seconds
from homerun.model.rules import check
from homerun.model.secret import SecretName, expired
from homerun.model.secret_rules import SECRET, SECRET_ID
from homerun.store.base import ABSENT, Document, Put, Write
from homerun.store.erasing import erase
from homerun.store.vault import Vault
from homerun.wire.discovery import description
from homerun.wire.fieldmask import check_mask, merge

Json = Mapping[str, Any]

_UNSTORED = ("etag", "ttl", "name")
"""What a client may send and the document does not hold."""


async def create(
    backend: Backend, vault: Vault, name: SecretName, sent: Json, violations: Sequence[Violation]
) -> Document:
    """Raises Invalid, AlreadyExists."""
    if problem := SECRET_ID.complaint(name.id):
        violations = [Violation("secretId", problem), *violations]
    if name.location and "replication" in sent:
        violations = [
            *violations,
            Violation("replication", "is for global secrets, and this is a regional one"),
        ]
    if not name.location and "replication" not in sent:
        violations = [*violations, Violation("replication", 'is required: {"automatic": {}} is good here')]
    raise_violations([*violations, *check(sent, SECRET), *_check_times(backend, sent), *_check_aliases(sent, 0)])
    await backend.remember(name.project)
    body = {**_stored(backend, sent), "createTime": backend.now()}
    before = await backend.store.get("Secret", str(name))
    if before is not None and expired(before.body, backend.now()):
        await erase(backend.store, vault, before)  # its keeper would have, in a moment

    def edit(stored: Document | None) -> Sequence[Write]:
        if stored is not None:
            raise AlreadyExists(f"Secret [{shown_name(backend, name)}] already exists.")
        return [Put("Secret", str(name), body, {"etag": new_etag(), "versions": 0}, if_version=ABSENT)]

    [written] = await change(backend.store, "Secret", str(name), edit)
    return written


async def update(
    backend: Backend, name: SecretName, sent: Json, mask: str, violations: Sequence[Violation]
) -> Document:
    """`mask`: update paths. Raises NotFound, Invalid, Aborted."""
    problems = [*violations, *check_mask(description("secretmanager.v1").schemas, "Secret", mask)]
    if not mask.strip():
        problems.append(Violation("updateMask", "is required: name the fields to change, such as labels"))
    raise_violations(problems)

    def edit(stored: Document | None) -> Sequence[Write]:
        if stored is None or expired(stored.body, backend.now()):
            raise NotFound(f"Secret [{shown_name(backend, name)}] not found.")
        check_etag(stored, str(sent.get("etag", "")))
        body = _changed(backend, stored, sent, mask)
        return [Put("Secret", str(name), body, {**stored.internal, "etag": new_etag()}, if_version=stored.version)]

    [written] = await change(backend.store, "Secret", str(name), edit)
    return written


async def delete(backend: Backend, vault: Vault, name: SecretName, etag: str) -> None:
    """Its payloads are gone for good when this returns. Raises NotFound, Aborted."""
    stored = await get_secret(backend, name)
    check_etag(stored, etag)
    await erase(backend.store, vault, stored)


def _changed(backend: Backend, stored: Document, sent: Json, mask: str) -> dict[str, Any]:
    """The body with what the mask says. Raises Invalid."""
    changed = merge(stored.body, sent, mask)
    if changed.get("ttl"):
        changed.pop("expireTime", None)  # two words for one thing: the new one counts
    problems = [*check(changed, SECRET), *_check_times(backend, sent)]
    problems += _check_aliases(changed, stored.internal["versions"])
    if changed.get("replication") != stored.body.get("replication"):
        problems.append(Violation("replication", "cannot be changed: create another secret"))
    raise_violations(problems)
    return {**_stored(backend, changed), "createTime": stored.body["createTime"]}


def _stored(backend: Backend, sent: Json) -> dict[str, Any]:
    """What is kept of what was sent: of a time to live, when it is over."""
    body = {key: value for key, value in sent.items() if key not in _UNSTORED}
    if sent.get("ttl"):
        body["expireTime"] = to_rfc3339(backend.clock.now() + parse_seconds(sent["ttl"]))
    elif "expireTime" in body:
        body["expireTime"] = to_rfc3339(from_rfc3339(body["expireTime"]))
    return body


def _check_times(backend: Backend, sent: Json) -> Iterator[Violation]:
    if sent.get("expireTime") and from_rfc3339(sent["expireTime"]) <= backend.clock.now():
        yield Violation("expireTime", "must be in the future")


def _check_aliases(secret: Json, count: int) -> Iterator[Violation]:
    for alias, number in secret.get("versionAliases", {}).items():
        if not 1 <= int(number) <= count:
            yield Violation(f"versionAliases[{alias}]", f"there is no version {number}: versions are 1 to {count}")
