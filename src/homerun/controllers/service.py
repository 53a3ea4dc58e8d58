"""Service: its rollout shares out traffic, its policy says who may call; the outcome is a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from homerun.controllers import traffic
from homerun.controllers.access import granted, guarded
from homerun.controllers.rollout import Shape
from homerun.model.names import Name
from homerun.store.base import Document, Store
from homerun.wire.link import RouteSet

SHAPE = Shape("Service", ("ConfigurationsReady", "RoutesReady"), "traffic", "trafficStatuses", traffic.resolve)


class Routes(Protocol):
    """The data plane."""

    def set_route(self, route: RouteSet) -> None: ...
    def drop_route(self, service: str) -> None: ...


class ServiceRoutes:
    """Implements controllers.rollout.Outcome. Of a service whose policy nobody has shown it only the owner may call."""

    def __init__(self, store: Store, routes: Routes) -> None:
        self._store, self._routes = store, routes
        self._guarded: dict[str, RouteSet] = {}
        self._policies: dict[str, Mapping[str, Any]] = {}

    def settle(self, owner: Mapping[str, Any]) -> None:
        self._guarded[owner["name"]] = guarded(traffic.route(owner, owner.get(SHAPE.statuses, ())), owner)
        self._send(owner["name"])

    def drop(self, owner: str) -> None:
        self._guarded.pop(owner, None)
        self._routes.drop_route(owner)

    @staticmethod
    def keys(policy: Document) -> list[str]:
        return [policy.name] if Name.parse(policy.name).kind == SHAPE.kind else []

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
