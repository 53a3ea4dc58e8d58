"""The startup probe: an instance is ready within a millisecond of its listen.

A connect to a local veth is answered at once, so an attempt is two system calls and no waiting (30 µs). We try every
millisecond, later every 1/500 of the time that has passed: a start of 10 s is seen 20 ms late at most, and a slow one
costs nothing. An HTTP probe asks as soon as the port listens, then at most ten times a second.
"""

from __future__ import annotations

import asyncio
import select
import socket

from homerun.engine.base import Probe
from homerun.lib.clock import Clock

_SHARE = 500
_FASTEST, _SLOWEST = 0.001, 0.25
_HTTP_PAUSE = 0.1
_LONGEST_HEAD = 65536


def listens(host: str, port: int) -> bool:
    """Is a connection accepted right now? Never waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as attempt:
        if attempt.connect_ex((host, port)) == 0:
            return True
        poll = select.poll()
        poll.register(attempt, select.POLLOUT)
        return bool(poll.poll(0)) and attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


async def wait(host: str, probe: Probe, started: float, clock: Clock) -> bool:
    """True once the probe passes; False when its limit (counted from `started`, on the monotonic clock) is over."""
    deadline = started + probe.limit
    await _pause(started + probe.initial_delay, deadline, clock)
    while clock.mono() < deadline:
        if listens(host, probe.port):
            if probe.http_path is None:
                return True
            if await _answers(host, probe, min(probe.timeout, deadline - clock.mono())):
                return True
            await _pause(clock.mono() + min(probe.period, _HTTP_PAUSE), deadline, clock)
        else:
            passed = clock.mono() - started
            await _pause(clock.mono() + min(_SLOWEST, max(_FASTEST, passed / _SHARE)), deadline, clock)
    return False


async def _pause(until: float, deadline: float, clock: Clock) -> None:
    await asyncio.sleep(max(0.0, min(until, deadline) - clock.mono()))


async def _answers(host: str, probe: Probe, timeout: float) -> bool:
    """GET, and the answer's status is 2xx or 3xx."""
    request = f"GET {probe.http_path} HTTP/1.1\r\nHost: {host}:{probe.port}\r\n"
    request += "User-Agent: GoogleHC/1.0\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, probe.port, limit=_LONGEST_HEAD)
            try:
                writer.write(request.encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return len(status) > 1 and status[0].startswith(b"HTTP/1.") and status[1][:1] in (b"2", b"3")
