"""A vault that is gone with its process, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from homerun.lib import ids
from homerun.lib.errors import Internal
from homerun.store.vault import lost


class MemoryVault:
    def __init__(self) -> None:
        self._payloads: dict[str, tuple[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"<MemoryVault, {len(self._payloads)} payloads>"

    async def open(self, kept: Mapping[str, str]) -> None:
        await self.destroy(*(self._payloads.keys() - kept.keys()))

    async def put(self, payload: bytes, context: str) -> str:
        id = ids.uid()
        self._payloads[id] = (context, payload)
        return id

    async def get(self, id: str, context: str) -> bytes:
        sealed_as, payload = self._payloads.get(id, ("", b""))
        if sealed_as != context:
            raise Internal(lost(context))
        return payload

    async def destroy(self, *ids: str) -> None:
        for id in ids:
            self._payloads.pop(id, None)
