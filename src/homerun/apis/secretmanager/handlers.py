"""Secret Manager v1: each published method, by its id in the discovery document; global and regional ones alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.apis.rest import Call, Handler
from homerun.apis.run import policies
from homerun.apis.run.backend import Backend
from homerun.apis.run.resources import raise_violations
from homerun.apis.secretmanager import secrets, versions
from homerun.apis.secretmanager.reads import get_secret, get_version, listing
from homerun.apis.secretmanager.views import secret, version
from homerun.lib.errors import PermissionDenied, Violation
from homerun.model.identity import OWNER
from homerun.model.policy import permits
from homerun.model.secret import DISABLED, ENABLED, SecretName, expired, parent_of
from homerun.model.secret_rules import UNSUPPORTED
from homerun.store.base import Document
from homerun.store.vault import Vault
from homerun.wire.discovery import description
from homerun.wire.schema import parse

API = "secretmanager.v1"
GLOBAL, REGIONAL = "secretmanager.projects.secrets.", "secretmanager.projects.locations.secrets."
LOCATIONS = ("secretmanager.projects.locations.get", "secretmanager.projects.locations.list")
"""The Run API has these at the same paths."""
PARTIAL = {
    f"{where}{method}": "refused: " + ", ".join(f"`{field}`" for field in UNSUPPORTED)
    for where in (GLOBAL, REGIONAL)
    for method in ("create", "patch")
}
"""What is missing of methods that are there, by method id (docs/api-coverage.md)."""
_OWNERS = ("create", "list")
"""Methods about no single secret."""
_VERBS = {"patch": "update", "addVersion": "add"}


def handlers(backend: Backend, vault: Vault) -> dict[str, Handler]:
    """By method id, each behind the question whether its caller may."""
    api = SecretManager(backend, vault)
    methods: dict[str, Handler] = {
        "create": api.create,
        "get": api.get,
        "list": api.list,
        "patch": api.patch,
        "delete": api.delete,
        "addVersion": api.add_version,
        "versions.get": api.get_version,
        "versions.list": api.list_versions,
        "versions.access": api.access,
        "versions.enable": api.enable,
        "versions.disable": api.disable,
        "versions.destroy": api.destroy,
        "getIamPolicy": api.get_policy,
        "setIamPolicy": api.set_policy,
        "testIamPermissions": api.test_permissions,
    }
    return {
        f"{where}{id}": _guarded(backend, id, handler)
        for where in (GLOBAL, REGIONAL)
        for id, handler in methods.items()
    }


def permission_of(method: str) -> str:
    """Of a method, its id without what all have in front: `versions.access` -> `secretmanager.versions.access`."""
    collection, _, verb = method.rpartition(".")
    collection = collection or ("versions" if verb == "addVersion" else "secrets")
    return f"secretmanager.{collection}.{_VERBS.get(verb, verb)}"


def _guarded(backend: Backend, method: str, handler: Handler) -> Handler:
    """Everybody may ask what they may; the owner may do everything; others, what a secret's policy grants them."""
    permission = permission_of(method)

    async def serve(call: Call) -> object:
        if not call.caller.owner and method != "testIamPermissions":
            if method in _OWNERS:
                raise PermissionDenied(
                    f"Permission '{permission}' denied to {call.caller.email}: only {OWNER} has a role in the project"
                )
            name = await named(backend, call)
            policy = await backend.store.get("Policy", str(name.secret))
            if policy is None or not permits(policy.body, permission, call.caller.email):
                raise PermissionDenied(f"Permission '{permission}' denied for resource '{name}' (or it may not exist).")
        return await handler(call)

    return serve


async def named(backend: Backend, call: Call) -> SecretName:
    """What the path names, the project by its id."""
    project = await backend.project_id(call.variables["projectsId"])
    id, version = call.variables["secretsId"], call.variables.get("versionsId", "")
    return SecretName(project, call.variables.get("locationsId", ""), id, version)


class SecretManager:
    def __init__(self, backend: Backend, vault: Vault) -> None:
        self._backend, self._vault = backend, vault

    async def create(self, call: Call) -> Any:
        project = await self._backend.project_id(call.variables["projectsId"])
        name = SecretName(project, call.variables.get("locationsId", ""), call.query.get("secretId", ""))
        body, violations = _body(call)
        return secret(self._backend, await secrets.create(self._backend, self._vault, name, body, violations))

    async def get(self, call: Call) -> Any:
        return secret(self._backend, await get_secret(self._backend, await named(self._backend, call)))

    async def list(self, call: Call) -> Any:
        project = await self._backend.project_id(call.variables["projectsId"])
        prefix = f"{parent_of(project, call.variables.get('locationsId', ''))}/secrets/"
        found = await self._backend.store.list("Secret", prefix=prefix)
        now = self._backend.now()
        items = [
            (f"{document.body['createTime']} {document.name}", secret(self._backend, document))
            for document in found
            if not expired(document.body, now)
        ]
        return listing(call, prefix, "secrets", items)

    async def patch(self, call: Call) -> Any:
        name = await named(self._backend, call)
        body, violations = _body(call)
        mask = call.query.get("updateMask", "")
        return secret(self._backend, await secrets.update(self._backend, name, body, mask, violations))

    async def delete(self, call: Call) -> Any:
        name = await named(self._backend, call)
        await secrets.delete(self._backend, self._vault, name, call.query.get("etag", ""))
        return {}

    async def add_version(self, call: Call) -> Any:
        name = await named(self._backend, call)
        body, violations = _body(call)
        raise_violations(violations)
        made = await versions.add(self._backend, self._vault, name, body.get("payload", {}))
        return await self._version(name, made)

    async def get_version(self, call: Call) -> Any:
        owner, found = await get_version(self._backend, await named(self._backend, call))
        return version(self._backend, found, owner.body)

    async def list_versions(self, call: Call) -> Any:
        name = await named(self._backend, call)
        owner = await get_secret(self._backend, name)
        found = await self._backend.store.list("SecretVersion", prefix=f"{name}/versions/")
        items = [
            (f"{int(document.name.rpartition('/')[2]):09d}", version(self._backend, document, owner.body))
            for document in found
        ]
        return listing(call, f"{name}/versions", "versions", items)

    async def access(self, call: Call) -> Any:
        return await versions.access(self._backend, self._vault, await named(self._backend, call))

    async def enable(self, call: Call) -> Any:
        return await self._switch(call, ENABLED)

    async def disable(self, call: Call) -> Any:
        return await self._switch(call, DISABLED)

    async def destroy(self, call: Call) -> Any:
        name = await named(self._backend, call)
        return await self._version(name, await versions.destroy(self._backend, self._vault, name, _etag(call)))

    async def get_policy(self, call: Call) -> Any:
        name = await named(self._backend, call)
        await get_secret(self._backend, name)
        return await policies.read_policy(self._backend, name)

    async def set_policy(self, call: Call) -> Any:
        name = await named(self._backend, call)
        await get_secret(self._backend, name)
        body, violations = _body(call)
        policies.check_policy(name, body, violations)
        return await policies.write_policy(self._backend, name, body)

    async def test_permissions(self, call: Call) -> Any:
        body, violations = _body(call)
        name = await named(self._backend, call)
        return await policies.test_permissions(self._backend, name, body, violations, call.caller)

    async def _switch(self, call: Call, state: str) -> Any:
        name = await named(self._backend, call)
        return await self._version(name, await versions.switch(self._backend, name, state, _etag(call)))

    async def _version(self, name: SecretName, document: Document) -> Mapping[str, Any]:
        owner = await get_secret(self._backend, name)
        return version(self._backend, document, owner.body)


def _etag(call: Call) -> str:
    body, violations = _body(call)
    raise_violations(violations)
    return str(body.get("etag", ""))


def _body(call: Call) -> tuple[dict[str, Any], list[Violation]]:
    """The body as its schema has it, and what is wrong with it."""
    return parse(description(API).schemas, call.method.request, call.body)
