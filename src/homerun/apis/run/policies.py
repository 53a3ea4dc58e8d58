"""IAM policies: stored and handed back (who may invoke what is enforced elsewhere)."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from homerun.apis.run.backend import Backend
from homerun.apis.run.reads import get as get_resource
from homerun.lib.errors import Aborted
from homerun.model.names import Name
from homerun.store.base import ABSENT, Put

NO_POLICY = {"etag": "ACAB"}
"""Of a resource that nobody has given a policy. gcloud insists on valid base64."""


async def get_policy(backend: Backend, name: Name) -> dict[str, Any]:
    await get_resource(backend.store, name.kind, str(name))
    stored = await backend.store.get("Policy", str(name))
    return dict(stored.body) if stored is not None else dict(NO_POLICY)


async def set_policy(backend: Backend, name: Name, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Raises Aborted when `policy` has an etag and it is not the stored one's."""
    await get_resource(backend.store, name.kind, str(name))
    stored = await backend.store.get("Policy", str(name))
    current = stored.body["etag"] if stored is not None else NO_POLICY["etag"]
    if policy.get("etag") and policy["etag"] != current:
        raise Aborted(f"the policy of {name} was changed meanwhile: read it again, then retry")
    body = {
        "version": policy.get("version") or 1,
        "bindings": policy.get("bindings", []),
        "etag": base64.b64encode(os.urandom(8)).decode(),
    }
    if policy.get("auditConfigs"):
        body["auditConfigs"] = policy["auditConfigs"]
    version = stored.version if stored is not None else ABSENT
    await backend.store.apply(Put("Policy", str(name), body, if_version=version))
    return body
