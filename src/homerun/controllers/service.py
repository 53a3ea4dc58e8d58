"""Service: its rollout shares out traffic, its policy says who may call; the outcome is a route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from homerun.controllers import traffic
from homerun.controllers.access import granted, guarded
from homerun.controllers.rollout import Shape
from homerun.model.urls import Addresses
from homerun.store.base import Document, Put, Store
from homerun.wire.link import RouteSet

SHAPE = Shape("Service", ("ConfigurationsReady", "RoutesReady"), "traffic", "trafficStatuses", traffic.resolve)


class Routes(Protocol):
    """The data plane."""

    def set_route(self, route: RouteSet) -> None: ...
    def drop_route(self, service: str) -> None: ...


class ServiceRoutes:
    """Implements controllers.rollout.Outcome. Of a service whose policy nobody has shown it only the owner may call."""

    def __init__(self, store: Store, routes: Routes, addresses: Addresses) -> None:
        self._store, self._routes, self._addresses = store, routes, addresses
        self._guarded: dict[str, RouteSet] = {}
        self._policies: dict[str, Mapping[str, Any]] = {}

    def settle(self, owner: Mapping[str, Any]) -> None:
        route = traffic.route(owner, owner.get(SHAPE.statuses, ()))
        self._guarded[owner["name"]] = guarded(route, owner, self._addresses)
        self._send(owner["name"])

    def drop(self, owner: str) -> None:
        self._guarded.pop(owner, None)
        self._routes.drop_route(owner)

    async def move(self, services: Iterable[Document]) -> bool:
        """homerun listens elsewhere since they were stored: their URLs say so from now on. Were there any?"""
        puts = [
            Put("Service", service.name, {**service.body, **urls}, service.internal, if_version=service.version)
            for service in services
            if (urls := self._addresses.moved(service.body))
        ]
        if puts:
            await self._store.apply(*puts)
        return bool(puts)

    @staticmethod
    def keys(policy: Document) -> list[str]:
        """Those of secrets are nobody's business here."""
        return [policy.name] if policy.name.split("/")[-2] == "services" else []

    async def reconcile_policy(self, service: str) -> None:
        """It was set, or went with its service."""
        policy = await self._store.get("Policy", service)
        if policy is None:
            self._policies.pop(service, None)
        else:
            self._policies[service] = policy.body
        if service in self._guarded:
            self._send(service)

    def _send(self, service: str) -> None:
        self._routes.set_route(granted(self._guarded[service], self._policies.get(service, {})))
