"""The API port: every Google service that homerun speaks, and its own extension API, as one ASGI application."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from homerun.apis.access import Access
from homerun.apis.authentication import Authentication
from homerun.apis.authorization import authorized, owner_only
from homerun.apis.cloudscheduler import handlers as cloudscheduler
from homerun.apis.failure import on_bug, on_homerun_error
from homerun.apis.guard import Guard
from homerun.apis.homerun import buckets
from homerun.apis.homerun import handlers as extension
from homerun.apis.homerun.insight import Insight
from homerun.apis.identity import handlers as identity
from homerun.apis.identity.issuer import Issuer
from homerun.apis.logging import following
from homerun.apis.logging import handlers as logging
from homerun.apis.logging.keeper import LogKeeper
from homerun.apis.resourcemanager import handlers as resourcemanager
from homerun.apis.rest import Handler, RestApp
from homerun.apis.rpc import RpcApp
from homerun.apis.run.backend import Backend
from homerun.apis.run_v1 import handlers as run_v1
from homerun.apis.run_v2 import handlers as run_v2
from homerun.apis.secretmanager import handlers as secretmanager
from homerun.apis.serviceusage import handlers as serviceusage
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.model.project import Projects
from homerun.model.urls import Addresses, is_loopback
from homerun.settings import Settings
from homerun.store.base import Store
from homerun.store.bucket_folders import BucketFolders
from homerun.store.vault import Vault
from homerun.wire.discovery import Method


def create_app(
    *,
    store: Store,
    vault: Vault,
    logs: LogKeeper,
    insight: Insight,
    issuer: Issuer,
    clock: Clock,
    settings: Settings,
    token_needed: bool = False,
) -> ASGIApp:
    """Everything that the API port serves. `token_needed`: wherever the caller is."""
    backend = create_backend(store, clock, settings)
    rest = RestApp()
    rest.mount("run.v2", authorized(backend, run_v2.handlers(backend)))
    rest.mount("run.v1", authorized(backend, run_v1.handlers(backend)))
    rest.mount(secretmanager.API, secretmanager.handlers(backend, vault), but=secretmanager.LOCATIONS)
    rest.mount(cloudscheduler.API, cloudscheduler.handlers(backend), but=cloudscheduler.ELSEWHERE)
    rest.mount("iamcredentials.v1", identity.handlers(issuer, clock))
    for method, handler in _logging(backend, logs):
        rest.add(method, handler)
    for method, handler in serviceusage.methods(backend):
        rest.add(method, owner_only(handler))
    for method, handler in resourcemanager.methods(backend):
        rest.add(method, handler)  # no secret: it is in every URL of a service
    own = [*extension.routes(insight), *buckets.routes(BucketFolders(settings.buckets))]
    app = Starlette(
        routes=[
            *own,
            *following.routes(backend, logs),
            *identity.routes(issuer, clock),
            Mount("/", app=rest),
        ],
        exception_handlers={HomerunError: on_homerun_error, Exception: on_bug},
    )
    access = create_access(issuer, clock, settings, token_needed=token_needed)
    return Guard(Authentication(app, access), names={settings.api.rpartition(":")[0]}, any_name=access.required)


def create_rpc(
    *, store: Store, vault: Vault, logs: LogKeeper, issuer: Issuer, clock: Clock, settings: Settings
) -> RpcApp:
    """What the API port serves to those who speak gRPC: the same handlers."""
    backend = create_backend(store, clock, settings)
    locations = "run.projects.locations.list"  # only the first version has it
    methods = {locations: run_v1.handlers(backend)[locations], **run_v2.handlers(backend)}
    handlers = authorized(backend, methods) | secretmanager.handlers(backend, vault)
    handlers |= cloudscheduler.handlers(backend)
    handlers |= {method.id: handler for method, handler in _logging(backend, logs)}
    tail = following.streams(backend, logs)
    return RpcApp(handlers, create_access(issuer, clock, settings).authenticate, tail)


def _logging(backend: Backend, logs: LogKeeper) -> Iterator[tuple[Method, Handler]]:
    """All may say something, and only the owner may read."""
    for method, handler in logging.methods(backend, logs):
        yield method, handler if method.id == logging.WRITE else owner_only(handler)


def create_access(issuer: Issuer, clock: Clock, settings: Settings, *, token_needed: bool = False) -> Access:
    return Access(issuer, clock, required=token_needed or not is_loopback(settings.api.rpartition(":")[0]))


def create_backend(store: Store, clock: Clock, settings: Settings) -> Backend:
    return Backend(
        store=store,
        clock=clock,
        projects=Projects(settings.project, settings.project_number),
        addresses=Addresses.of_listeners(settings.domain, settings.http, settings.https),
        region=settings.region,
        host=_reachable(settings.http.rpartition(":")[0]),
        acme=bool(settings.acme),
    )


def _reachable(host: str) -> str:
    """An address to listen on, as others can name it."""
    return socket.gethostname() if host in ("", "0.0.0.0", "::", "[::]") else host.strip("[]")
