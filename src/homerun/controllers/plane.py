"""Control's end of the links to the routers: what they must know, and what they report.

Holds the whole picture (routes, revisions, ready instances), so that a router that connects gets it as one Snapshot
and then only what changes. Nothing is sent for a change that changes nothing. All routers are told everything; each
acts on what is its own (core.ownership), so a service's load is what its one owner says.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import msgspec

from homerun.core.ownership import Share
from homerun.wire import link
from homerun.wire.link import (
    Demand,
    FrameDecoder,
    Hello,
    Inspect,
    Inspected,
    InstanceBusy,
    InstanceDrain,
    InstanceDrained,
    InstanceFailed,
    InstanceGone,
    InstanceIdle,
    InstanceUp,
    KeySet,
    RequestLog,
    RevisionGone,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    ToRouter,
    Usage,
)

INSPECTION = 1.0
"""Seconds that a router has to say what it has."""


class Reports(Protocol):
    """Who hears what the routers report."""

    def on_demand(self, revision: str, in_flight: int, waiting: int) -> None: ...
    def on_usage(self, usage: Usage) -> None: ...
    def on_instance_failed(self, instance: str, reason: str) -> None: ...
    def on_drained(self, instance: str) -> None: ...
    def on_busy(self, instance: str) -> None: ...
    def on_idle(self, instance: str) -> None: ...
    def on_router_lost(self, revision: str) -> None: ...


UNKNOWN = -1
"""The turn of an instance of which a router knows nothing."""
ROUTER_PATIENCE = 2.0
"""Seconds that a drain waits for the router that it concerns, when that is not connected."""


class Plane:
    """Routes, revisions and instances as the data plane sees them."""

    def __init__(self) -> None:
        self._routes: dict[str, RouteSet] = {}
        self._domains: dict[str, str] = {}
        """Host names of users' own, and the services that they lead to."""
        self._domains_of: dict[str, set[str]] = {}
        self._revisions: dict[str, RevisionSet] = {}
        self._instances: dict[str, InstanceUp] = {}
        self._draining: dict[str, set[RouterLink | None]] = {}
        """Whose answers are awaited; None: that of a router which is expected to come."""
        self._busy: dict[str, set[RouterLink]] = {}
        """Of the instances of throttled revisions: their owner, when it may have requests for them."""
        self._keys = KeySet({})
        self._links: set[RouterLink] = set()
        self._came = asyncio.Event()
        """Set with each router that comes."""
        self.reports: Reports | None = None
        """Set once, before the first router comes: who hears and who tells know each other."""
        self.on_request: Callable[[RequestLog], None] = lambda request: None
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        return (
            f"<Plane {len(self._links)} routers, {len(self._routes)} routes, {len(self._revisions)} revisions, "
            f"{len(self._instances)} instances>"
        )

    async def listen(self, path: Path) -> None:
        """Take routers on the Unix socket `path`, replacing one that a killed process left."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: path.unlink(missing_ok=True))
        self._server = await loop.create_unix_server(lambda: RouterLink(self), str(path))

    async def expect(self, routers: int, patience: float = ROUTER_PATIENCE) -> None:
        """Until so many have come, or for `patience` seconds: what is deployed afterwards they know when it is done."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while len(self._links) < routers:
                    self._came.clear()
                    await self._came.wait()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for router in list(self._links):
            router.close()

    # What the routers should know

    def set_route(self, route: RouteSet) -> None:
        if self._routes.get(route.service) != route:
            self._routes[route.service] = route
            self._send(self._with_domains(route))

    def drop_route(self, service: str) -> None:
        if self._routes.pop(service, None) is not None:
            self._send(RouteGone(service))

    def set_domain(self, domain: str, service: str) -> None:
        if self._domains.get(domain) != service:
            self.drop_domain(domain)
            self._domains[domain] = service
            self._domains_of.setdefault(service, set()).add(domain)
            self._send_route(service)

    def drop_domain(self, domain: str) -> None:
        service = self._domains.pop(domain, None)
        if service is not None:
            self._domains_of[service].discard(domain)
            self._send_route(service)

    def has_domain(self, domain: str) -> bool:
        """Whether it is a host name of a user's own that leads to a service."""
        return domain in self._domains

    def _send_route(self, service: str) -> None:
        if service in self._routes:
            self._send(self._with_domains(self._routes[service]))

    def _with_domains(self, route: RouteSet) -> RouteSet:
        own = self._domains_of.get(route.service)
        return msgspec.structs.replace(route, hosts=sorted({*route.hosts, *own})) if own else route

    def set_keys(self, keys: KeySet) -> None:
        if self._keys != keys:
            self._keys = keys
            self._send(keys)

    def set_revision(self, revision: RevisionSet) -> None:
        """A failure is an event as well as a state: it is sent each time, to refuse those who wait now."""
        if self._revisions.get(revision.revision) != revision or revision.failure:
            self._revisions[revision.revision] = revision
            self._send(revision)

    def drop_revision(self, revision: str) -> None:
        if self._revisions.pop(revision, None) is not None:
            self._send(RevisionGone(revision))

    def instance_up(self, instance: InstanceUp) -> None:
        self._instances[instance.instance] = instance
        revision = self._revisions.get(instance.revision)
        if revision is not None and revision.throttled:
            self._busy[instance.instance] = self._owners(instance.revision)
        self._send(instance)

    def instance_unready(self, instance: str, unready: bool) -> None:
        """It is to get nothing new, or may again. What is in flight goes on."""
        up = self._instances.get(instance)
        if up is not None and up.unready is not unready:
            self._instances[instance] = msgspec.structs.replace(up, unready=unready)
            self._send(self._instances[instance])

    def instance_drain(self, instance: str) -> None:
        """`on_drained` follows. If the router that has the instance's requests is away, it is waited for a while: it
        may be on its way back to a control that was restarted; if it was killed, nothing is in flight either."""
        waiting_for: set[RouterLink | None] = set(self._links)
        up = self._instances.get(instance)
        if up is None or not self._owners(up.revision):
            waiting_for.add(None)
            turn = up.turn if up is not None else UNKNOWN
            asyncio.get_running_loop().call_later(ROUTER_PATIENCE, self.drained_by, None, instance, turn)
        self._draining[instance] = waiting_for
        self._send(InstanceDrain(instance))

    def instance_recall(self, instance: str) -> None:
        """It is not to be drained after all: what a router says of that from now on was said too early."""
        self._draining.pop(instance, None)
        up = self._instances.get(instance)
        if up is not None:
            self._instances[instance] = msgspec.structs.replace(up, unready=False, turn=up.turn + 1)
            self._send(self._instances[instance])

    def instance_gone(self, instance: str, oom: str = "") -> None:
        """`oom`: how it used up its memory, if it did."""
        self._draining.pop(instance, None)
        self._busy.pop(instance, None)
        if self._instances.pop(instance, None) is not None:
            self._send(InstanceGone(instance, oom))

    def _send(self, message: ToRouter) -> None:
        frame = link.encode(message)
        for router in self._links:
            router.write(frame)

    def _owners(self, revision: str) -> set[RouterLink]:
        """One router, or none while it is away."""
        return {router for router in self._links if router.share.owns_revision(revision)}

    async def inspect(self, patience: float = INSPECTION) -> dict[int, Inspected]:
        """What each router has right now, by pid; without those that do not answer within `patience` seconds."""
        asked = [(router, router.inspect()) for router in self._links]
        if asked:
            await asyncio.wait([answer for _, answer in asked], timeout=patience)
        return {router.pid: answer.result() for router, answer in asked if answer.done() and not answer.cancelled()}

    # What the links tell

    def joined(self, router: RouterLink) -> None:
        snapshot = Snapshot(
            [self._with_domains(route) for route in self._routes.values()],
            list(self._revisions.values()),
            list(self._instances.values()),
            list(self._draining),
            self._keys,
        )
        self._links.add(router)
        for waiting_for in self._draining.values():
            waiting_for.add(router)
        for instance in self._busy:
            if router.share.owns_revision(self._instances[instance].revision):
                self.busy_at(router, instance)
        router.write(link.encode(snapshot))
        self._came.set()

    def left(self, router: RouterLink) -> None:
        if router not in self._links:
            # It never said Hello.
            return
        self._links.discard(router)
        for instance in list(self._draining):
            self.drained_by(router, instance)
        for instance in self._busy:
            self.idle_at(router, instance)
        if self.reports is None or any(other.share == router.share for other in self._links):
            return
        for revision in self._revisions:
            if router.share.owns_revision(revision):
                self.reports.on_router_lost(revision)

    def drained_by(self, router: RouterLink | None, instance: str, turn: int = UNKNOWN) -> None:
        waiting_for = self._draining.get(instance)
        up = self._instances.get(instance)
        if waiting_for is not None and (turn == UNKNOWN or up is None or turn == up.turn):
            waiting_for.discard(router)
            if not waiting_for:
                self._drained_everywhere(instance)

    def busy_at(self, router: RouterLink, instance: str) -> None:
        if (busy := self._busy.get(instance)) is not None:
            if not busy and self.reports is not None:
                self.reports.on_busy(instance)
            busy.add(router)

    def idle_at(self, router: RouterLink, instance: str) -> None:
        """With its owner away there is nobody to say so: it may come back with requests."""
        busy = self._busy.get(instance)
        if busy is not None and router in busy:
            busy.discard(router)
            if not busy and self._owners(self._instances[instance].revision) and self.reports is not None:
                self.reports.on_idle(instance)

    def _drained_everywhere(self, instance: str) -> None:
        if self._draining.pop(instance, None) is not None and self.reports is not None:
            self.reports.on_drained(instance)


class RouterLink(asyncio.Protocol):
    """One router's connection."""

    def __init__(self, plane: Plane) -> None:
        assert plane.reports is not None
        self._plane, self._reports = plane, plane.reports
        self.share = Share()
        """Which of the routers it is; known from its Hello on."""
        self._frames = FrameDecoder()
        self._transport: asyncio.WriteTransport | None = None
        self.pid = 0
        self._inspections: deque[asyncio.Future[Inspected]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._dispatch(link.decode_to_control(body))
        except ValueError:
            # Not our protocol: whoever it is, it cannot be understood any further.
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._inspections:
            answer.cancel()
        self._plane.left(self)

    def inspect(self) -> asyncio.Future[Inspected]:
        """Cancelled if the router leaves instead of answering."""
        answer = asyncio.get_running_loop().create_future()
        self._inspections.append(answer)
        self.write(link.encode(Inspect()))
        return answer

    def write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.close()

    def _dispatch(self, message: link.ToControl) -> None:
        match message:
            case Demand(revision, waiting, in_flight):
                self._reports.on_demand(revision, in_flight, waiting)
            case Usage():
                self._reports.on_usage(message)
            case InstanceDrained(instance, turn):
                self._plane.drained_by(self, instance, turn)
            case InstanceBusy(instance):
                self._plane.busy_at(self, instance)
            case InstanceIdle(instance):
                self._plane.idle_at(self, instance)
            case InstanceFailed(instance, reason):
                self._reports.on_instance_failed(instance, reason)
            case RequestLog():
                self._plane.on_request(message)
            case Inspected():
                # They are answered in their order.
                if self._inspections and not (answer := self._inspections.popleft()).done():
                    answer.set_result(message)
            case Hello(pid, loads, index, count):
                self.pid, self.share = pid, Share(index, count)
                self._plane.joined(self)
                for load in loads:
                    self._reports.on_demand(load.revision, load.in_flight, load.waiting)
