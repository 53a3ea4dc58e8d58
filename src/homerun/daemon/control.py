"""The control process: API -> store -> controllers -> engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp

from homerun.aio.tasks import Supervisor
from homerun.apis.identity.issuer import Issuer
from homerun.apis.metadata.server import MetadataServer
from homerun.apis.protocol import ApiProtocol, Take
from homerun.apis.rpc import RpcApp
from homerun.apis.rpc_server import RpcServer
from homerun.apis.server import create_app, create_rpc
from homerun.controllers import domain, execution, janitor, job, schedules, secret_files, service, worker_pool
from homerun.controllers.capacity import Capacity
from homerun.controllers.certificate import CertificateController
from homerun.controllers.crews import Crews
from homerun.controllers.discards import Discards
from homerun.controllers.domain import DomainController
from homerun.controllers.execution import ExecutionController
from homerun.controllers.expiry import Expiry
from homerun.controllers.http_targets import Doors, HttpTargets
from homerun.controllers.janitor import Janitor
from homerun.controllers.job import JobController
from homerun.controllers.loop import Loop
from homerun.controllers.plane import Plane
from homerun.controllers.revision import RevisionController
from homerun.controllers.revision_status import ready_state
from homerun.controllers.rollout import RolloutController
from homerun.controllers.schedules import Schedules
from homerun.controllers.secret_files import SecretFilesController
from homerun.controllers.secrets import Secrets
from homerun.controllers.service import ServiceRoutes
from homerun.controllers.volumes import Folders
from homerun.controllers.worker_pool import PoolSize
from homerun.core.admission import Size
from homerun.core.destination import Destinations
from homerun.daemon import starts
from homerun.daemon.inside import HttpServer, Sockets, doors
from homerun.daemon.insight import DaemonInsight
from homerun.daemon.keys import certificate_folder, issuer_url, open_certificate, open_keys, open_vault
from homerun.daemon.observatory import Observatory
from homerun.daemon.options import split_address
from homerun.daemon.own_api import OwnApi
from homerun.daemon.resolver import Resolver, names_of_ours
from homerun.engine.base import Engine, Event, Exited
from homerun.engine.images.store import ImageStore
from homerun.engine.oci.engine import OciEngine
from homerun.lib.clock import Clock, SystemClock
from homerun.meter.log_book import LogBook, in_thread
from homerun.meter.meter import Meter
from homerun.model.conditions import SUCCEEDED
from homerun.model.project import Projects
from homerun.model.urls import Addresses
from homerun.settings import Settings
from homerun.store.base import Store
from homerun.store.certificate_files import CertificateFiles
from homerun.store.erasing import payloads
from homerun.store.log_base import LogStore
from homerun.store.log_files import SqliteLogStore
from homerun.store.log_memory import MemoryLogStore
from homerun.store.memory_vault import MemoryVault
from homerun.store.sqlite import SqliteStore
from homerun.store.vault import Vault
from homerun.wire.keys import KeyRing
from homerun.wire.link import KeySet

_log = logging.getLogger("homerun.control")


class Control:
    """Everything of the control process but its sockets: tests run it in their own loop on fakes."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        engine: Engine,
        clock: Clock,
        keys: KeyRing | None = None,
        certificates: CertificateController | None = None,
        logs: LogStore | None = None,
        vault: Vault | None = None,
    ) -> None:
        """Without `keys` no token is good, without `certificates` no domain has one; memory does for the others."""
        self.settings, self.store, self.engine, self.clock = settings, store, engine, clock
        self.certificates, self.vault = certificates, vault or MemoryVault()
        self.issuer = Issuer(keys or KeyRing(), issuer_url(settings))
        self.supervisor = Supervisor()
        self.plane = Plane()
        self.plane.set_keys(KeySet(self.issuer.keys.pems()))
        self.meter = Meter(store, self.supervisor, clock)
        self.discards = Discards(engine, self.supervisor, settings.grace)
        folders = Folders(settings.buckets, settings.allow_host_path)
        self.secrets = Secrets(store, self.vault, Projects(settings.project, settings.project_number), clock)
        self.expiry = Expiry(store, self.vault, clock)
        self.capacity = Capacity(
            engine,
            self.plane,
            self.supervisor,
            clock,
            self.meter,
            self.discards,
            self.secrets,
            idle_timeout=settings.idle_timeout,
            queue_wait=settings.queue_wait,
            folders=folders,
            standby=settings.standby,
            checkpoints=bool(settings.criu),
        )
        self.crews = Crews(engine, self.supervisor, clock, self.meter, self.discards, self.secrets, folders=folders)
        self.logs = _log_book(logs, engine, self.supervisor, clock)
        self.observatory = Observatory(self._has, clock, self.logs.write)
        self.capacity.observer = self.observatory
        self.plane.reports, self.plane.on_request = self.capacity, self.observatory.answered
        self.executions = ExecutionController(
            store,
            engine,
            self.supervisor,
            self.discards,
            self.secrets,
            clock,
            room=Size(settings.max_tasks, settings.task_memory << 20),
            others=self._held,
            folders=folders,
        )
        self.targets = self._targets()
        self.schedules = Schedules(store, self.supervisor, clock, self.targets.attempt, self.observatory.attempts)
        self.loops = [*self._main_loops(), *self._bystanders()]

    def _main_loops(self) -> list[Loop]:
        """What `open` brings up to date before anybody is let in."""
        store, engine, clock = self.store, self.engine, self.clock
        self._routes = routes = ServiceRoutes(store, self.plane, _addresses(self.settings))
        services = RolloutController(service.SHAPE, store, clock, routes)
        revisions = RevisionController(
            "Service", store, engine, self.capacity, self.supervisor, clock, self.secrets, self.capacity.standing
        )
        pools = RolloutController(worker_pool.SHAPE, store, clock, PoolSize(self.crews))
        workers = RevisionController("WorkerPool", store, engine, self.crews, self.supervisor, clock, self.secrets)
        self._policies = Loop("policies", store, {"Policy"}, routes.keys, routes.reconcile_policy)
        self._services = Loop("services", store, service.SHAPE.kinds, services.keys, services.reconcile)
        self._revisions = Loop("revisions", store, service.SHAPE.kinds, revisions.keys, revisions.reconcile)
        self._pools = Loop("worker pools", store, worker_pool.SHAPE.kinds, pools.keys, pools.reconcile)
        self._workers = Loop("workers", store, worker_pool.SHAPE.kinds, workers.keys, workers.reconcile)
        domains = DomainController(store, self.plane)
        self._domains = Loop("domains", store, domain.KINDS, lambda d: [d.name], domains.reconcile)
        self.capacity.on_minimum = self._revisions.look_at
        return [self._policies, self._services, self._revisions, self._pools, self._workers, self._domains]

    def _bystanders(self) -> Iterator[Loop]:
        """Those that nobody waits for at the start."""
        store, metrics = self.store, self.observatory.metrics
        jobs, cleaner = JobController(store, self.engine, self.secrets, self.clock), Janitor(store, self.clock)
        jobs.on_gone, self.executions.on_end = metrics.job_gone, metrics.completed
        yield Loop("janitor", store, janitor.KINDS, cleaner.keys, cleaner.reconcile)
        yield Loop("jobs", store, job.KINDS, lambda d: [jobs.key(d)], jobs.reconcile)
        yield Loop("charges", store, {"Charge"}, lambda d: [d.name], self.meter.fold)
        yield Loop("executions", store, execution.KINDS, lambda d: [d.name], self.executions.reconcile)
        ends = Loop("secrets", store, {"Secret"}, lambda d: [d.name], self.expiry.reconcile)
        self.expiry.again = ends.look_at
        yield ends
        files = SecretFilesController(store, self.engine, self.secrets)
        yield Loop("secret files", store, secret_files.KINDS, lambda d: [files.key(d)], files.reconcile)
        times = Loop("schedules", store, schedules.KINDS, self.schedules.keys, self.schedules.reconcile)
        self.schedules.again = times.look_at
        yield times
        if (certificates := self.certificates) is not None:
            yield Loop("certificates", store, domain.KINDS, lambda d: [d.name], certificates.reconcile)

    def _targets(self) -> HttpTargets:
        own_api = OwnApi(lambda: api(self, lambda: None, token_needed=True))
        port = split_address(self.settings.api)[1]
        destinations = Destinations(self.settings.domain, port, self.plane.has_domain)
        return HttpTargets(self.issuer, self.clock, destinations, _doors(self.settings), own_api)

    async def open(self) -> None:
        """Adopt what runs, then reconcile everything that is stored, each once."""
        version = await self.store.version()
        await self.vault.open(payloads(await self.store.list("SecretVersion")))
        if self.certificates is not None:
            await self.certificates.open()
        stored = await self.store.list("Revision")
        revisions = {d.name for d in stored}
        await self.meter.open(revisions)
        unfinished = {d.name for d in await self.store.list("Execution") if "completionTime" not in d.body}
        await self.logs.open()
        await self.engine.open(self._on_event)
        self.logs.start()
        # Nothing is awaited from here until each instance has somebody who hears what becomes of it.
        found = self.engine.instances()
        if found:
            _log.info("found %d instances of an earlier run", len(found))
        self.capacity.adopt(found, revisions)
        self.crews.adopt(found, revisions)
        self.executions.adopt(found, unfinished)
        # What was ready is ready again before the first router hears of anything: nobody sees half of it.
        started = [d for d in stored if ready_state(d) == SUCCEEDED]
        services, pools = await self.store.list("Service"), await self.store.list("WorkerPool")
        if await self._routes.move(services):
            services = await self.store.list("Service")
        await self._revisions.sync([*services, *started])
        await self._domains.sync(await self.store.list("Domain"))
        await self._policies.sync(await self.store.list("Policy"))
        await self._services.sync(services)
        # And what a worker pool has is counted before it is given more.
        await self._workers.sync([*pools, *started])
        await self._pools.sync(pools)
        # Nobody waits for those that are not ready: their images may take minutes.
        for loop in (self._revisions, self._workers):
            loop.look(d for d in stored if ready_state(d) != SUCCEEDED)
        synced = (self._policies, self._services, self._revisions, self._pools, self._workers, self._domains)
        for loop in self.loops:
            loop.start(self.supervisor, since=version if loop in synced else 0)

    async def close(self) -> None:
        """Clean end: all instances stopped, everything recorded. Whoever opened the store closes it."""
        for loop in self.loops:
            await loop.close()
        if self.certificates is not None:
            await self.certificates.close()
        await asyncio.gather(self.capacity.stop_all(), self.crews.stop_all(), self.executions.stop_all())
        self.capacity.close()
        self.crews.close()
        self.executions.close()
        self.expiry.close()
        self.schedules.close()
        await self.plane.close()
        await self.meter.close()
        await self.logs.close()
        await self.supervisor.close()
        await self.engine.close()

    def _has(self, revision: str) -> bool:
        return self.capacity.group(revision) is not None

    def _held(self) -> Size:
        """What the instances of services and worker pools may use, of what tasks may use as well."""
        held = self.crews.held()
        for group in self.capacity.groups:
            containers = group.spec.containers
            held += Size(containers.cpu, containers.memory).times(len(group.fleet.instances))
        return held

    def _on_event(self, event: Event) -> None:
        if self.capacity.on_event(event) or self.crews.on_event(event):
            if isinstance(event, Exited):
                self.executions.look()
        elif not (self.executions.on_event(event) or self.discards.on_event(event)):
            _log.debug("an event of an instance that nobody owns: %s", event)


def _addresses(settings: Settings) -> Addresses:
    return Addresses.of_listeners(settings.domain, settings.http, settings.https)


def _doors(settings: Settings) -> Doors:
    """Where this machine reaches the router."""
    host, plain = split_address(settings.http)
    secure = split_address(settings.https)[1] if settings.https else None
    return Doors({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), plain, secure)


def _log_book(store: LogStore | None, engine: Engine, supervisor: Supervisor, clock: Clock) -> LogBook:
    if store is None:
        return LogBook(MemoryLogStore(), engine.output, supervisor, clock)
    return LogBook(store, engine.output, supervisor, clock, in_thread, in_thread)


@dataclass(slots=True)
class Stopping:
    """Somebody asked for the end: by signal, or over the API."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)

    def watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.requested.set)


class ApiServer(uvicorn.Server):
    """uvicorn without its own signal handlers: when to stop is the control's decision."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_config(app: ASGIApp, http2: Take) -> uvicorn.Config:
    """HTTP/1.1 goes to `app`, connections that speak HTTP/2 to `http2`."""
    return uvicorn.Config(
        app,
        http=functools.partial(ApiProtocol, http2=http2),  # type: ignore[arg-type]  # uvicorn only calls it
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
    )


def api(
    control: Control, shutdown: Callable[[], None], certificate: str = "", *, token_needed: bool = False
) -> ASGIApp:
    """The API port's application. `certificate`: what it shows to those who speak TLS. `token_needed`: as instances
    find it, whose programs are not the owner's."""
    return create_app(
        store=control.store,
        vault=control.vault,
        logs=control.logs,
        insight=DaemonInsight(control, shutdown, certificate),
        issuer=control.issuer,
        clock=control.clock,
        settings=control.settings,
        token_needed=token_needed,
    )


def rpc(control: Control) -> RpcApp:
    """The same over gRPC."""
    return create_rpc(
        store=control.store,
        vault=control.vault,
        logs=control.logs,
        issuer=control.issuer,
        clock=control.clock,
        settings=control.settings,
    )


def create_certificates(settings: Settings, store: Store, clock: Clock) -> CertificateController | None:
    if not settings.acme:
        return None
    from homerun.wire.acme import Acme  # the library is large, and most do without

    files = CertificateFiles(certificate_folder(settings.state))
    server = Acme(settings.acme_directory, settings.acme, functools.partial(files.account_key, settings.acme_directory))
    # One thread: the library's session is not for several, and nobody waits for it.
    return CertificateController(store, files, server, clock, ThreadPoolExecutor(1, thread_name_prefix="acme"))


def open_logs(settings: Settings) -> SqliteLogStore:
    return SqliteLogStore(settings.state / "entries", size=settings.log_size << 20, days=settings.log_days)


def metadata(control: Control) -> ASGIApp:
    """What instances find at 169.254.169.254."""
    projects = Projects(control.settings.project, control.settings.project_number)
    return MetadataServer(control.engine.at, control.issuer, control.clock, projects)


async def run(settings: Settings, listener: socket.socket, *others: socket.socket) -> None:
    """Serve until SIGTERM or a shutdown over the API; then stop all instances and return. `others`: inside.Sockets, not
    bound yet unless by an earlier process."""
    inside = Sockets(*others)
    clock = SystemClock()
    keys = await asyncio.get_running_loop().run_in_executor(None, open_keys, settings.state)
    certificate = await asyncio.get_running_loop().run_in_executor(None, open_certificate, settings.state)
    vault = await asyncio.get_running_loop().run_in_executor(None, open_vault, settings)
    store = await SqliteStore.open(settings.state / "homerun.db")
    engine = OciEngine(
        settings.state,
        ImageStore(settings.state / "images"),
        clock=clock,
        runtime=settings.runtime,
        root_disk=settings.root_disk << 30,
        user_namespaces=settings.user_namespaces,
        criu=settings.criu,
        doors=await asyncio.to_thread(doors, settings, inside),
    )
    logs = await asyncio.to_thread(open_logs, settings)
    control = Control(settings, store, engine, clock, keys, create_certificates(settings, store, clock), logs, vault)
    stopping = Stopping()
    stopping.watch_signals()
    await control.open()
    await control.plane.listen(settings.state / "run" / "control.sock")
    within = HttpServer(metadata(control))
    await within.open(inside.metadata)
    names = Resolver(names_of_ours(inside.gateway))
    await names.open(inside.names, inside.names_tcp)
    # Instances need nobody to route for them; whoever deploys something does.
    await control.plane.expect(settings.routers)
    app = api(control, stopping.requested.set, certificate.public.decode())
    grpc = RpcServer(rpc(control), settings.state / "run" / "grpc.sock", certificate)
    server = ApiServer(server_config(app, grpc.take))
    control.supervisor.spawn(server.serve(sockets=[listener]), name="api server")
    api_within = HttpServer(api(control, stopping.requested.set, token_needed=True))
    await api_within.open(inside.api)
    starts.came_up(settings.state, "control")
    _log.info("ready")
    await stopping.requested.wait()
    await control.close()
    within.close()
    api_within.close()
    names.close()
    await grpc.close()
    await store.close()
    await asyncio.to_thread(logs.close)
