"""The router process: carries requests until it is told to stop."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
from pathlib import Path

from homerun.core.ownership import Share
from homerun.daemon.keys import certificate_folder, open_authority
from homerun.daemon.options import split_address
from homerun.lib.clock import SystemClock
from homerun.router.certificates import Certificates, without_bad_names
from homerun.router.front import Front
from homerun.router.options import UNLIMITED, Options, connections_for
from homerun.router.server import serve
from homerun.settings import Settings
from homerun.store.certificate_files import CertificateFiles

_MIB = 1 << 20


async def run(settings: Settings, index: int, listener: socket.socket, secure: socket.socket | None = None) -> None:
    """As the router `index` of `settings.routers`. `secure`: the listening socket for TLS."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    certificates = None
    if secure is not None:
        sys.unraisablehook = without_bad_names
        certificates = await asyncio.get_running_loop().run_in_executor(None, open_certificates, settings)
    await serve(
        [listener],
        settings.state / "run" / "control.sock",
        secure=[secure] if secure is not None else [],
        certificates=certificates,
        options=options(settings, raise_open_files()),
        front=front(settings),
        stop=stop,
        share=Share(index, settings.routers),
    )


def front(settings: Settings) -> Front | None:
    """What is answered on the plain port before any service is asked."""
    port = split_address(settings.https)[1] if settings.redirect_https else None
    challenges = CertificateFiles(certificate_folder(settings.state)).challenges if settings.acme else None
    return Front(port, challenges) if port is not None or challenges is not None else None


def open_certificates(settings: Settings) -> Certificates:
    """Those of the state folder, and of the command line. Blocks. Raises FailedPrecondition."""
    given = (Path(settings.certificate), Path(settings.key)) if settings.certificate else None
    folder, authority = certificate_folder(settings.state), open_authority(settings.state)
    return Certificates(folder, authority, SystemClock(), given, ("h2", "http/1.1"))


def raise_open_files() -> int:
    """As many as this process may ever open. Returns how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def options(settings: Settings, open_files: int) -> Options:
    return Options(
        grace=settings.grace,
        request_limit=settings.request_limit * _MIB or UNLIMITED,
        response_limit=settings.response_limit * _MIB or UNLIMITED,
        queue_limit=settings.queue_limit,
        max_connections=settings.max_connections or connections_for(open_files),
        retry_idempotent=settings.retry_idempotent,
    )
