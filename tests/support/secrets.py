"""Secret Manager's API in one line."""

from __future__ import annotations

import base64
from typing import Any

from tests.support.api import Api

PROJECT = "/v1/projects/homerun"
NUMBER = "projects/100000000001"
DEFAULT_ACCOUNT = "100000000001-compute@developer.gserviceaccount.com"


class Secrets:
    """`api`: what is asked; paths below the project."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return await self._api(method, f"{PROJECT}/{path}", body, **headers)

    async def create(self, id: str, *payloads: bytes, **fields: Any) -> Any:
        made = await self("POST", f"secrets?secretId={id}", {"replication": {"automatic": {}}, **fields})
        for payload in payloads:
            await self.add(id, payload)
        return made

    async def add(self, id: str, payload: bytes, **more: Any) -> Any:
        data = base64.b64encode(payload).decode()
        return await self("POST", f"secrets/{id}:addVersion", {"payload": {"data": data, **more}})

    async def read(self, id: str, version: str = "latest") -> bytes:
        answer = await self("GET", f"secrets/{id}/versions/{version}:access")
        return base64.b64decode(answer["payload"]["data"])

    async def grant(self, id: str, *members: str, role: str = "roles/secretmanager.secretAccessor") -> Any:
        binding = {"role": role, "members": list(members) or [f"serviceAccount:{DEFAULT_ACCOUNT}"]}
        return await self("POST", f"secrets/{id}:setIamPolicy", {"policy": {"bindings": [binding]}})
