"""`python -m homerun.router --fd N --control PATH`: a router on a listening socket that it inherits, alone or as one of
several. With `--tls-fd` it speaks TLS on another one, with certificates of an authority that nobody knows."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from pathlib import Path

import uvloop

from homerun.core.ownership import Share
from homerun.lib.clock import SystemClock
from homerun.router.certificates import Certificates
from homerun.router.server import serve
from homerun.wire.authority import Authority


async def _main(listener: socket.socket, control: Path, share: Share, secure: list[socket.socket]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    certificates = None
    if secure:
        clock = SystemClock()
        authority = Authority(Authority.generate(clock.now()), "memory")
        certificates = Certificates(control.parent, authority, clock, protocols=("h2", "http/1.1"))
    await serve([listener], control, secure=secure, certificates=certificates, stop=stop, share=share)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m homerun.router")
    parser.add_argument("--fd", type=int, required=True, help="number of the inherited listening socket")
    parser.add_argument("--control", type=Path, required=True, help="path of control's Unix socket")
    parser.add_argument("--index", type=int, default=0, help="which of the routers on this socket")
    parser.add_argument("--count", type=int, default=1, help="how many routers there are on this socket")
    parser.add_argument("--tls-fd", type=int, help="number of another one, on which TLS is spoken")
    arguments = parser.parse_args()
    share = Share(arguments.index, arguments.count)
    secure = [socket.socket(fileno=arguments.tls_fd)] if arguments.tls_fd is not None else []
    for each in secure:
        each.setblocking(False)
    uvloop.run(_main(socket.socket(fileno=arguments.fd), arguments.control, share, secure))
