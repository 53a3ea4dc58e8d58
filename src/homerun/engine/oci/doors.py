"""What instances may reach of this host: a few doors, and behind each of them one port of homerun's own.

The address of Google's metadata server is never one of this host's: only packets that come from an instance's bridge
and go there are led to a socket on the bridge's own address. So the host still sees its cloud's metadata server, and
nobody outside the bridge sees ours.

A socket behind a door belongs to somebody who outlives this process (`homerun up`). The first process that opens the
door binds it; after a restart it is found bound, and who connected meanwhile has been waiting in the kernel's queue.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass

METADATA = "169.254.169.254"
"""Where Google Cloud has its metadata server and its resolver (contract §1.14)."""
METADATA_NAMES = ("metadata.google.internal", "metadata")


@dataclass(frozen=True, slots=True)
class Door:
    """What instances send to `port` of `address` (empty: the bridge's own) gets to `target`: a socket that is bound to
    the bridge when the network is opened, or an address of the host on which something listens on the same port."""

    port: int
    target: socket.socket | str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A door as the firewall needs it: from `address`:`port` to `host`:`inner`."""

    protocol: str
    address: str
    port: int
    host: str
    inner: int


def open_doors(doors: Iterable[Door], gateway: str) -> list[Passage]:
    """Binds what is not bound yet. Raises OSError."""
    return [_open(door, gateway) for door in doors]


def _open(door: Door, gateway: str) -> Passage:
    address = door.address or gateway
    if isinstance(door.target, str):
        host = gateway if door.target == "0.0.0.0" else door.target
        return Passage("tcp", address, door.port, host, door.port)
    _bind(door.target, gateway)
    protocol = "udp" if door.target.type == socket.SOCK_DGRAM else "tcp"
    return Passage(protocol, address, door.port, gateway, door.target.getsockname()[1])


def _bind(listener: socket.socket, gateway: str) -> None:
    host, port = listener.getsockname()
    if port and host != gateway:
        # Instances have other addresses now than when it was bound, and no socket is bound twice.
        with socket.socket(listener.family, listener.type) as fresh:
            fresh.setblocking(False)
            os.dup2(fresh.fileno(), listener.fileno(), inheritable=False)
        port = 0
    if not port:
        listener.bind((gateway, 0))
        if listener.type == socket.SOCK_STREAM:
            listener.listen(1024)
