"""Versions of secrets: added, read, switched on and off, and destroyed.

The payload is in the vault before the document says so, and is destroyed after the document has let go of it: a crash
in between leaves a payload that no document knows, which the next start destroys.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.writes import change, check_etag, new_etag
from homerun.apis.secretmanager.reads import get_secret, get_version
from homerun.apis.secretmanager.views import shown_name
from homerun.lib.errors import FailedPrecondition, Invalid, NotFound
from homerun.model.secret import DESTROYED, ENABLED, SecretName, check_readable
from homerun.model.secret_rules import PAYLOAD_BYTES
from homerun.store.base import ABSENT, Conflict, Document, Put, Write
from homerun.store.vault import Vault
from homerun.wire.crc32c import crc32c


async def add(backend: Backend, vault: Vault, name: SecretName, sent: Mapping[str, Any]) -> Document:
    """`sent`: a SecretPayload. Raises NotFound, Invalid."""
    payload = base64.b64decode(sent.get("data", ""))
    if not payload:
        raise Invalid.field("payload.data", "Secret Payload cannot be empty.")
    if len(payload) > PAYLOAD_BYTES:
        raise Invalid.field("payload.data", f"has {len(payload)} bytes; at most {PAYLOAD_BYTES} are allowed")
    checksum = await asyncio.to_thread(crc32c, payload)
    if "dataCrc32c" in sent and int(sent["dataCrc32c"]) != checksum:
        raise Invalid.field(
            "payload.dataCrc32c", f"is not the CRC-32C of the data, which is {checksum}: it was damaged on its way"
        )
    while True:
        secret = await get_secret(backend, name)
        number = secret.internal["versions"] + 1
        made = str(name.at(number))
        body: dict[str, Any] = {"createTime": backend.now(), "state": ENABLED}
        if "dataCrc32c" in sent:
            body["clientSpecifiedPayloadChecksum"] = True
        id = await vault.put(payload, made)
        internal = {"etag": new_etag(), "payload": id, "crc32c": str(checksum)}
        counted = {**secret.internal, "versions": number}
        try:
            _, written = await backend.store.apply(
                Put("Secret", str(name), secret.body, counted, if_version=secret.version),
                Put("SecretVersion", made, body, internal, if_version=ABSENT),
            )
        except Conflict:
            await vault.destroy(id)  # somebody else was faster: it becomes the next one
            continue
        return written


async def access(backend: Backend, vault: Vault, name: SecretName) -> dict[str, Any]:
    """An AccessSecretVersionResponse. Raises NotFound, FailedPrecondition."""
    _, version = await get_version(backend, name)
    found = SecretName.parse(version.name)
    shown = shown_name(backend, found)
    check_readable(shown, version.body)
    payload = await vault.get(version.internal["payload"], version.name)
    data = base64.b64encode(payload).decode()
    return {"name": str(shown), "payload": {"data": data, "dataCrc32c": version.internal["crc32c"]}}


async def switch(backend: Backend, name: SecretName, state: str, etag: str) -> Document:
    """On or off. Raises NotFound, FailedPrecondition of one that was destroyed, Aborted."""

    def changed(version: Document) -> Put:
        body, internal = {**version.body, "state": state}, {**version.internal, "etag": new_etag()}
        return Put(version.kind, version.name, body, internal, if_version=version.version)

    return await _change(backend, name, etag, changed)


async def destroy(backend: Backend, vault: Vault, name: SecretName, etag: str) -> Document:
    """For good: nothing of the payload is left when this returns. Raises NotFound, FailedPrecondition, Aborted."""
    held: list[str] = []

    def changed(version: Document) -> Put:
        held.append(version.internal["payload"])
        body = {**version.body, "state": DESTROYED, "destroyTime": backend.now()}
        return Put(version.kind, version.name, body, {"etag": new_etag()}, if_version=version.version)

    written = await _change(backend, name, etag, changed)
    await vault.destroy(*held)
    return written


async def _change(backend: Backend, name: SecretName, etag: str, changed: Callable[[Document], Put]) -> Document:
    _, found = await get_version(backend, name)

    def edit(version: Document | None) -> Sequence[Write]:
        shown = shown_name(backend, SecretName.parse(found.name))
        if version is None:
            raise NotFound(f"Secret Version [{shown}] not found.")
        check_etag(version, etag)
        if version.body["state"] == DESTROYED:
            raise FailedPrecondition(f"Secret Version [{shown}] is in DESTROYED state.")
        return [changed(version)]

    [written] = await change(backend.store, "SecretVersion", found.name, edit)
    return written
