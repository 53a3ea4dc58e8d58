"""The router process: carries requests until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket

from homerun.router.options import Options
from homerun.router.server import serve
from homerun.settings import Settings


async def run(settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve([listener], settings.state / "run" / "control.sock", options=Options(grace=settings.grace), stop=stop)
