"""Service: its rollout shares out traffic; the outcome is a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from homerun.controllers import traffic
from homerun.controllers.rollout import Shape
from homerun.wire.link import RouteSet

SHAPE = Shape("Service", ("ConfigurationsReady", "RoutesReady"), "traffic", "trafficStatuses", traffic.resolve)


class Routes(Protocol):
    """The data plane."""

    def set_route(self, route: RouteSet) -> None: ...
    def drop_route(self, service: str) -> None: ...


class ServiceRoutes:
    """Implements controllers.rollout.Outcome."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def settle(self, owner: Mapping[str, Any]) -> None:
        self._routes.set_route(traffic.route(owner, owner.get(SHAPE.statuses, ())))

    def drop(self, owner: str) -> None:
        self._routes.drop_route(owner)
