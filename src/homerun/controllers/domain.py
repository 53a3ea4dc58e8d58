"""Domain -> router: which service a host name of the user's own leads to. Whose domain it is, the API has decided."""

from __future__ import annotations

from typing import Protocol

from homerun.model.names import last
from homerun.store.base import Store

KINDS = frozenset({"Domain"})


class DomainNames(Protocol):
    """The data plane."""

    def set_domain(self, domain: str, service: str) -> None: ...
    def drop_domain(self, domain: str) -> None: ...


class DomainController:
    def __init__(self, store: Store, names: DomainNames) -> None:
        self._store, self._names = store, names

    async def reconcile(self, key: str) -> None:
        domain = await self._store.get("Domain", key)
        if domain is None:
            self._names.drop_domain(last(key))
        else:
            self._names.set_domain(last(key), domain.body["service"])
