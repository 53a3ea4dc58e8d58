"""The router itself: what control told it, and the listening sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from homerun.aio.tasks import Supervisor
from homerun.core.ownership import Share
from homerun.lib.clock import Clock, SystemClock
from homerun.router import drain, errors
from homerun.router.activator import Activator
from homerun.router.affinity import StickyActivator
from homerun.router.arrivals import Arrivals
from homerun.router.certificates import Certificates
from homerun.router.crowd import TurnedAway
from homerun.router.door import Door, shake_hands
from homerun.router.front import Front, FrontConnection
from homerun.router.handover import Peers, path_of
from homerun.router.headers import RequestHead
from homerun.router.http2.client import ClientConnection as Http2Client
from homerun.router.http2.instance import Http2Instance
from homerun.router.instance import RemoteInstance
from homerun.router.link import ControlLink
from homerun.router.memory import Memory
from homerun.router.options import Options
from homerun.router.origin import Origin
from homerun.router.passports import Passports
from homerun.router.protocol import ClientConnection
from homerun.router.remains import Remains
from homerun.router.routes import Routes
from homerun.router.stats import Stats
from homerun.router.tls import Buffers, TlsTransport
from homerun.router.trace import Trace
from homerun.router.wheel import Wheel
from homerun.wire.link import (
    Demand,
    Hello,
    Inspect,
    Inspected,
    InstanceDrain,
    InstanceDrained,
    InstanceGone,
    InstanceUp,
    KeySet,
    RevisionGone,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    ToRouter,
)


class Router:
    def __init__(
        self,
        control: Path,
        options: Options,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        share: Share = Share(),  # noqa: B008 - frozen
    ) -> None:
        self.options, self.clock, self.loop, self.share = options, clock, loop, share
        self.mono: Callable[[], float] = clock.mono
        self.trace = Trace()
        self.origin = lru_cache(4096)(lambda ip: Origin(ip, "http"))
        self.secure_origin = lru_cache(4096)(lambda ip: Origin(ip, "https"))
        self.routes = Routes(share)
        self.peers = Peers(control.parent, share, options, loop, self.mono) if share.count > 1 else None
        """None: this router is alone."""
        self.passports = Passports()
        self.familiar: Memory[RequestHead] = Memory(most=2048)
        """Heads of requests that need no parser (familiar.py)."""
        self.activators: dict[str, Activator] = {}
        self.instances: dict[str, RemoteInstance] = {}
        self.sessions: dict[bytes, RemoteInstance] = {}
        """The instances of revisions with affinity, by what cookies say."""
        self.clients: set[ClientConnection | Http2Client] = set()
        self.turned_away: set[TurnedAway] = set()
        """Those that were one too many, and are still being told."""
        self.shaking: set[TlsTransport] = set()
        """Connections that are to become clients': they agree on how to encrypt."""
        self.wheel = Wheel(loop, self.mono)
        self.stats = Stats(self)
        self.link = ControlLink(control, self.hello, self.apply)
        self.informed = asyncio.Event()
        """Control has told what there is: before that every host name would be unknown."""
        self.remains: Remains | None = None
        """Of a router before us; None: nobody has looked."""
        self.tasks = Supervisor()
        self.stopping = False
        self._empty: asyncio.Future[None] | None = None
        self._in_demand: dict[Activator, None] = {}

    def __repr__(self) -> str:
        return f"<Router {self.routes}, {len(self.instances)} instances, {len(self.clients)} clients>"

    # Clients

    def left(self, client: ClientConnection | Http2Client) -> None:
        self.clients.discard(client)
        if not self.clients and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    async def no_clients(self) -> None:
        """Wait until the last one has left."""
        if self.clients:
            self._empty = self.loop.create_future()
            await self._empty

    # To control

    def hello(self) -> Hello:
        return Hello(os.getpid(), self._loads(), self.share.index, self.share.count)

    def _inspected(self) -> Inspected:
        given = self.peers.given if self.peers is not None else 0
        return Inspected(len(self.clients), given, self.link.dropped, self._loads())

    def _loads(self) -> list[Demand]:
        """Of those that have any: whoever has, is metered."""
        loads = [activator.load() for activator in self.stats.metered]
        return [load for load in loads if load.waiting or load.in_flight]

    def demand(self, activator: Activator) -> None:
        """Requests wait: control hears of it when this turn of the event loop has heard them all."""
        if not self._in_demand:
            self.loop.call_soon(self._send_demand)
        self._in_demand[activator] = None

    def _send_demand(self) -> None:
        in_demand, self._in_demand = self._in_demand, {}
        for activator in in_demand:
            if activator.dispatcher.waiting:
                self.link.send(activator.demand())

    # From control

    def apply(self, message: ToRouter) -> None:
        match message:
            case RouteSet():
                self.routes.set(message)
            case RouteGone(service):
                self.routes.drop(service)
            case RevisionSet():
                self._set_revision(message, refuse=True)
            case RevisionGone(revision):
                self._drop_revision(revision)
            case InstanceUp():
                self._instance_up(message)
            case InstanceDrain(instance):
                self._drain(instance)
            case InstanceGone(instance, oom):
                self._instance_gone(instance, oom)
            case Inspect():
                self.link.send(self._inspected())
            case KeySet():
                self.passports.set_keys(message)
            case Snapshot():
                self._reconcile(message)

    def _set_revision(self, message: RevisionSet, *, refuse: bool) -> None:
        if not self.share.owns_revision(message.revision):
            return
        activator = self.activators.get(message.revision)
        if activator is None:
            kind = StickyActivator if message.affinity else Activator
            self.activators[message.revision] = kind(self, message)
            return
        activator.configure(message)
        if message.failure and refuse:
            activator.refuse_waiting(errors.not_started(message.failure))

    def _drop_revision(self, revision: str) -> None:
        activator = self.activators.pop(revision, None)
        if activator is None:
            return
        for instance in list(activator.dispatcher.instances.values()):
            self._instance_gone(instance.id)
        activator.refuse_waiting(errors.revision_gone(revision.rpartition("/")[2]))
        self.stats.forget(activator)

    def _instance_up(self, message: InstanceUp) -> None:
        activator = self.activators.get(message.revision)
        if activator is None:
            return
        instance = self.instances.get(message.instance)
        if instance is None:
            kind = Http2Instance if activator.h2c else RemoteInstance
            instance = kind(message.instance, message.host, message.port, activator)
            self.instances[message.instance] = instance
            if activator.sticky:
                self.sessions[instance.token] = instance
            if self.remains is not None and (requests := self.remains.claim(instance)):
                activator.inherit(instance, requests)
        instance.turn = message.turn
        if message.unready:
            activator.withhold(instance)
        else:
            activator.up(instance)

    def _drain(self, id: str, turn: int = -1) -> None:
        instance = self.instances.get(id)
        if instance is None:
            # Nothing of ours is in flight on an instance that we do not know.
            self.link.send(InstanceDrained(id, turn))
            return
        instance.activator.drain(instance)

    def _instance_gone(self, id: str, oom: str = "") -> None:
        instance = self.instances.pop(id, None)
        if instance is not None:
            self.sessions.pop(instance.token, None)
            instance.oom = oom
            instance.activator.gone(instance)

    def _reconcile(self, snapshot: Snapshot) -> None:
        """Control starts anew, or we do. Requests in flight on what stays are not touched."""
        self.passports.set_keys(snapshot.keys)
        revisions = {message.revision for message in snapshot.revisions}
        instances = {message.instance for message in snapshot.instances}
        services = {message.service for message in snapshot.routes}
        for id in [id for id in self.instances if id not in instances]:
            self._instance_gone(id)
        for name in [name for name in self.activators if name not in revisions]:
            self._drop_revision(name)
        for service in [service for service in self.routes.services() if service not in services]:
            self.routes.drop(service)
        for revision in snapshot.revisions:
            # A failure told now is an old one: those who wait now may be luckier.
            self._set_revision(revision, refuse=False)
        for route in snapshot.routes:
            self.routes.set(route)
        draining = set(snapshot.draining)
        for up in snapshot.instances:
            if up.instance not in draining:
                self._instance_up(up)
        turns = {up.instance: up.turn for up in snapshot.instances}
        for id in snapshot.draining:
            self._drain(id, turns.get(id, -1))
        for activator in self.activators.values():
            activator.rouse()
        self.informed.set()


async def serve(
    listeners: Sequence[socket.socket],
    control: Path,
    *,
    secure: Sequence[socket.socket] = (),
    certificates: Certificates | None = None,
    front: Front | None = None,
    options: Options | None = None,
    clock: Clock | None = None,
    stop: asyncio.Event | None = None,
    share: Share = Share(),  # noqa: B008 - frozen
) -> None:
    """Carry requests until `stop` is set (or this is cancelled); those in flight then have `options.grace`. With a
    share of several routers, `control` is in the folder where they reach each other.

    `secure`: those of the listening sockets on which TLS is spoken, with `certificates`. `front`: what is answered on
    the others before any service is asked.

    The listening sockets are not closed: they belong to whoever passed them, and outlive a restart of the router.
    """
    loop = asyncio.get_running_loop()
    router = Router(control, options or Options(), clock or SystemClock(), loop, share)
    # What lives now lives for ever: the collector need not look at it again, nor look often for cycles we avoid.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    router.remains = Remains(router)
    router.tasks.spawn(router.link.run(), name="link to control")
    sources: list[drain.Source] = []
    buffers = Buffers()

    def plain() -> ClientConnection:
        return ClientConnection(router) if front is None else FrontConnection(router, front)

    def enter(connection: socket.socket) -> None:
        assert certificates is not None
        router.tasks.spawn(shake_hands(router, connection, buffers, certificates.context), name="handshake")

    async def accept() -> None:
        # Until then connections wait in the kernel's queue.
        await router.informed.wait()
        for own in listeners:
            server = await loop.create_server(plain, sock=own.dup())
            sources.append(server)
        if router.peers is not None:
            into = enter if certificates is not None else None
            sources.append(Arrivals(router, path_of(control.parent, share.index), plain, into))
        for own in secure:
            door = Door(router, own, enter)
            sources.append(door)
            door.open()

    router.tasks.spawn(accept(), name="accept")
    try:
        await (stop or asyncio.Event()).wait()
    finally:
        await drain.stop(router, sources)
