"""IAM policies of services, jobs, worker pools and secrets. Those of services are enforced by the router."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from homerun.apis.access import Caller
from homerun.apis.run.backend import Backend
from homerun.apis.run.reads import get as get_resource
from homerun.apis.run.resources import raise_violations
from homerun.apis.run.writes import change
from homerun.lib.errors import Aborted, Violation
from homerun.model import policy as rules
from homerun.model.permissions import PERMISSIONS, roles_of
from homerun.store.base import ABSENT, Document, Put, Write

_log = logging.getLogger("homerun.apis")

NO_POLICY = {"etag": "ACAB"}
"""Of a resource that nobody has given a policy. gcloud insists on valid base64."""


class Resource(Protocol):
    """The name of something that has a policy; `str()` is the name of its document."""

    @property
    def kind(self) -> str: ...


async def get_policy(backend: Backend, name: Resource) -> dict[str, Any]:
    """Raises NotFound."""
    await get_resource(backend.store, name.kind, str(name))
    return await read_policy(backend, name)


async def read_policy(backend: Backend, name: Resource) -> dict[str, Any]:
    """Of what is known to exist."""
    stored = await backend.store.get("Policy", str(name))
    return dict(stored.body) if stored is not None else dict(NO_POLICY)


async def set_policy(
    backend: Backend, name: Resource, request: Mapping[str, Any], violations: Iterable[Violation] = ()
) -> dict[str, Any]:
    """`request`: a SetIamPolicyRequest, and what was already found wrong with it. Raises Invalid, NotFound, Aborted."""
    check_policy(name, request, violations)
    await get_resource(backend.store, name.kind, str(name))
    return await write_policy(backend, name, request)


def check_policy(name: Resource, request: Mapping[str, Any], violations: Iterable[Violation]) -> None:
    """Raises Invalid."""
    policy = request.get("policy", {})
    raise_violations([*violations, *rules.check(policy, roles_of(name.kind)), *_check_mask(request)])


async def write_policy(backend: Backend, name: Resource, request: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is known to exist, what has been checked. Raises Aborted when its etag is not that of the stored policy:
    then somebody else has changed it since it was read."""
    policy = request.get("policy", {})
    if strangers := rules.unresolvable(policy.get("bindings", ())):
        _log.warning("policy of %s: %s can never match here: list users instead", name, ", ".join(strangers))

    def edit(stored: Document | None) -> Sequence[Write]:
        old = stored.body if stored is not None else NO_POLICY
        if policy.get("etag") and policy["etag"] != old["etag"]:
            raise Aborted(
                f"There were concurrent policy changes to {name}. Please retry the whole read-modify-write with "
                "exponential backoff: the etag that was sent is not that of the policy as it is now."
            )
        version = stored.version if stored is not None else ABSENT
        return [Put("Policy", str(name), _merged(old, policy, request), if_version=version)]

    [written] = await change(backend.store, "Policy", str(name), edit)
    return dict(written.body)


def _merged(old: Mapping[str, Any], policy: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The mask says which fields are meant; by default, bindings and etag."""
    mask = request.get("updateMask", "").split(",") if request.get("updateMask") else ["bindings", "auditConfigs"]
    # Without conditions every policy is of version 1, whatever version its writer can read.
    body: dict[str, Any] = {"version": 1}
    body["bindings"] = rules.tidy(policy.get("bindings", ())) if "bindings" in mask else old.get("bindings", [])
    body["etag"] = base64.b64encode(os.urandom(8)).decode()
    configs = (policy if "auditConfigs" in mask else old).get("auditConfigs")
    return body | ({"auditConfigs": configs} if configs else {})


def _check_mask(request: Mapping[str, Any]) -> Iterable[Violation]:
    for path in filter(None, request.get("updateMask", "").split(",")):
        if path not in ("bindings", "etag", "version", "auditConfigs"):
            yield Violation("updateMask", f"{path!r} is no field of a policy")


async def test_permissions(
    backend: Backend, name: Resource, request: Mapping[str, Any], violations: Iterable[Violation], caller: Caller
) -> dict[str, Any]:
    """Of the permissions asked about, those that exist for such a resource and that the caller has. Of a resource that
    does not exist, none: it is no error (google.iam.v1.IAMPolicy)."""
    raise_violations(violations)
    stored = await backend.store.get("Policy", str(name))
    policy = stored.body if stored is not None else {}
    has = [
        permission
        for permission in dict.fromkeys(request.get("permissions", ()))
        if permission in PERMISSIONS[name.kind] and rules.permits(policy, permission, caller.email)
    ]
    return {"permissions": has} if has else {}
