"""What a router that was killed has left: requests that instances may still be working on.

With a killed router its connections are closed, but an application that is deaf works on, and the next router knows
nothing of it. The kernel does: a connection whose other end is still open is half closed, until the application closes
it as well. So each half-closed connection to an instance counts as a request in flight there, and its slot is free
when it is gone. An instance of concurrency 1 is never given a second request, whoever gave it the first one.

The kernel forgets half-closed connections after a while (tcp_fin_timeout). Those that were there until then hold their
slots until the request's time is over: as long as one that a client has left (router.upstream).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homerun.router.instance import RemoteInstance
    from homerun.router.server import Router

TABLE = Path("/proc/net/tcp")
_FIN_TIMEOUT = Path("/proc/sys/net/ipv4/tcp_fin_timeout")
_HALF_CLOSED = ("04", "05")
"""FIN_WAIT1 and FIN_WAIT2."""
_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0
"""Seconds between two looks at the table: each time twice as long."""
_RESTART = 15.0
"""Seconds that may have passed between the end of the one router and the first look of the next."""


def half_closed(table: Iterable[str]) -> dict[tuple[str, int], list[str]]:
    """By IPv4 address and port of the other end, from lines of /proc/net/tcp: what identifies each connection."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in table:
        fields = line.split(maxsplit=4)
        if len(fields) < 5 or fields[3] not in _HALF_CLOSED:
            continue
        address, _, port = fields[2].partition(":")
        # The address is one number in the machine's order of bytes, which is the little one everywhere we run.
        host = ".".join(map(str, reversed(bytes.fromhex(address))))
        found[host, int(port, 16)].append(f"{fields[1]} {fields[2]}")
    return found


def read_table() -> dict[tuple[str, int], list[str]]:
    with TABLE.open() as table:
        return half_closed(table)


class Remains:
    """Looks at the table once when the router starts, and then only as long as there is something to wait for."""

    def __init__(self, router: Router, read: Callable[[], dict[tuple[str, int], list[str]]] = read_table) -> None:
        self._router, self._read = router, read
        self._found = read()
        self._held: dict[str, RemoteInstance] = {}
        self._began = router.mono()
        self._delay = _FIRST_LOOK
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Remains {len(self._held)} requests>"

    def claim(self, instance: RemoteInstance) -> int:
        """Requests that it may be working on. Each ends with a `release` by its activator. One that comes up later than
        control's first words has none: whatever the table had at its address was of another one."""
        if self._router.informed.is_set():
            return 0
        connections = self._found.pop((instance.host, instance.port), [])
        self._held.update(dict.fromkeys(connections, instance))
        if connections and self._timer is None:
            self._timer = self._router.loop.call_later(self._delay, self._look)
        return len(connections)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        waited = self._router.mono() - self._began
        if waited < _forgets() - _RESTART:
            there = {connection for connections in self._read().values() for connection in connections}
            over = [connection for connection in self._held if connection not in there]
        else:
            over = [key for key, instance in self._held.items() if waited >= instance.activator.timeout]
        for connection in over:
            instance = self._held.pop(connection)
            instance.activator.release(instance)
        if self._held:
            self._delay = min(2 * self._delay, _LAST_LOOK)
            self._timer = self._router.loop.call_later(self._delay, self._look)


def _forgets() -> float:
    """Seconds after which the kernel forgets a half-closed connection."""
    return float(_FIN_TIMEOUT.read_text())
