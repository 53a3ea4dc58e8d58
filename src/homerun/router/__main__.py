"""`python -m homerun.router --fd N --control PATH`: a router on a listening socket that it inherits, alone or as one of
several."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from pathlib import Path

import uvloop

from homerun.core.ownership import Share
from homerun.router.server import serve


async def _main(listener: socket.socket, control: Path, share: Share) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve([listener], control, stop=stop, share=share)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m homerun.router")
    parser.add_argument("--fd", type=int, required=True, help="number of the inherited listening socket")
    parser.add_argument("--control", type=Path, required=True, help="path of control's Unix socket")
    parser.add_argument("--index", type=int, default=0, help="which of the routers on this socket")
    parser.add_argument("--count", type=int, default=1, help="how many routers there are on this socket")
    arguments = parser.parse_args()
    share = Share(arguments.index, arguments.count)
    uvloop.run(_main(socket.socket(fileno=arguments.fd), arguments.control, share))
