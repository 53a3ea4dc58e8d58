"""The router process: carries requests until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

from homerun.daemon.keys import certificate_folder, open_authority
from homerun.lib.clock import SystemClock
from homerun.router.certificates import Certificates
from homerun.router.options import Options
from homerun.router.server import serve
from homerun.settings import Settings


async def run(settings: Settings, listener: socket.socket, secure: socket.socket | None = None) -> None:
    """`secure`: the listening socket for TLS."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    certificates = None
    if secure is not None:
        certificates = await asyncio.get_running_loop().run_in_executor(None, open_certificates, settings)
    await serve(
        [listener],
        settings.state / "run" / "control.sock",
        secure=[secure] if secure is not None else [],
        certificates=certificates,
        options=Options(grace=settings.grace),
        stop=stop,
    )


def open_certificates(settings: Settings) -> Certificates:
    """Those of the state folder, and of the command line. Blocks. Raises FailedPrecondition."""
    given = (Path(settings.certificate), Path(settings.key)) if settings.certificate else None
    return Certificates(certificate_folder(settings.state), open_authority(settings.state), SystemClock(), given)
