"""Asking a container whether it is well: a connect, a GET, or a gRPC health check (contract §1.11).

When to ask and what answers mean is decided in core/health.py. A connect to a local veth is answered at once, so to see
whether somebody listens is two system calls and no waiting (30 µs): that is how a start is seen within a millisecond.

Whoever closes a connection first keeps its port waiting for a while (TIME_WAIT). That must not be the container: its
network namespace could not be used again. So we close first. A server of HTTP does so before us, as it is asked to: a
reset takes the wait away. Otherwise there is none, because servers make a noise about resets.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from typing import Protocol

from homerun.core.health import Starting, Verdict
from homerun.engine.oci.grpc_health import Call
from homerun.engine.oci.http_health import Get
from homerun.lib.clock import Clock
from homerun.model.probe import Probe

USER_AGENT = "GoogleHC/1.0"
_RESET = struct.pack("ii", 1, 0)
_PIECE = 65536
_LATE = "Connection failed with status DEADLINE_EXCEEDED."
_REFUSED = "Connection failed with status ERROR_CONNECTION_FAILED."


def listens(host: str, port: int) -> bool:
    """Is a connection accepted right now? Never waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as attempt:
        if attempt.connect_ex((host, port)) == 0:
            return True
        poll = select.poll()
        poll.register(attempt, select.POLLOUT)
        return bool(poll.poll(0)) and attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


async def wait(host: str, probe: Probe, began: float, clock: Clock) -> tuple[Verdict, str]:
    """Until the container has started, or its time, counted from `began` on the monotonic clock, is over; and why."""
    starting, wrong = Starting(probe, began), ""
    while True:
        await asyncio.sleep(max(0.0, starting.due - clock.mono()))
        listening, patience = listens(host, probe.port), starting.patience(clock.mono())
        if probe.kind == "TCP":
            wrong = "" if listening else _LATE
        elif not listening:
            wrong = _REFUSED
        else:
            answer = await ask(host, probe, patience)
            if not wrong or answer != _LATE or patience == probe.timeout:
                # Otherwise it was cut short by the end of all, and the one before says more.
                wrong = answer
        verdict = starting.answered(listening, not wrong, clock.mono())
        if verdict is not None:
            return verdict, wrong


class Exchange(Protocol):
    """A question as bytes, and what the answer makes of `wrong`: None until it is known, empty if all is well."""

    request: bytes
    wrong: str | None

    @property
    def said(self) -> str | None:
        """As `wrong`, if nothing more should come."""
        ...

    def feed(self, data: bytes) -> bytes:
        """The server said so; answer with what it is to be told."""
        ...


async def ask(host: str, probe: Probe, timeout: float) -> str:
    """Once. Empty: it is well; otherwise what is wrong, in the platform's words where it has any."""
    exchange = _exchange(host, probe, timeout)
    said: str | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, probe.port)
            try:
                said = "" if exchange is None else await _converse(reader, writer, exchange)
            finally:
                if probe.http_path is not None:
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
    except TimeoutError:
        said = exchange.said if exchange is not None else None
        return _LATE if said is None else said
    except OSError:
        return _REFUSED
    return "The connection was closed without an answer." if said is None else said


def _exchange(host: str, probe: Probe, timeout: float) -> Exchange | None:
    """None: to connect is all."""
    authority = f"{host}:{probe.port}"
    if probe.http_path is not None:
        return Get(authority, probe.http_path, USER_AGENT, probe.http_headers)
    if probe.grpc_service is not None:
        return Call(authority, probe.grpc_service, USER_AGENT, timeout)
    return None


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: Exchange) -> str | None:
    writer.write(exchange.request)
    while exchange.wrong is None:
        data = await reader.read(_PIECE)
        if not data:
            return exchange.said
        writer.write(exchange.feed(data))
    return exchange.wrong
