"""An instance as the router knows it: its address, and the connections to it that are not in use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from homerun.core.dispatcher import Instance, State
from homerun.router import errors
from homerun.router.affinity import token
from homerun.router.upstream import InstanceConnection
from homerun.wire.link import InstanceBusy

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.exchange import Exchange
    from homerun.router.http2.instance import InstanceConnection as Http2Connection

_LAST_WORDS = 0.02
"""Seconds that answers already on their way have, after the instance's process has ended."""
_VERDICT = 0.5
"""Seconds that control has to say what became of an instance that broke off a request."""


class RemoteInstance(Instance):
    __slots__ = (
        "_connecting",
        "_let_down",
        "activator",
        "connections",
        "host",
        "idle",
        "oom",
        "port",
        "resting",
        "token",
        "turn",
    )

    def __init__(self, id: str, host: str, port: int, activator: Activator) -> None:
        super().__init__(id)
        self.host, self.port = host, port
        self.activator = activator
        self.idle: list[InstanceConnection] = []
        """The one used last comes last, and is used next."""
        self.connections: set[InstanceConnection | Http2Connection] = set()
        self.resting = False
        """Control was told that it is idle, and must hear of the next request."""
        self._connecting: dict[Exchange, asyncio.Task[None]] = {}
        self._let_down: dict[Exchange, str] = {}
        """Requests that it broke off, and how."""
        self.oom = ""
        """How it ended, if it had used up its memory."""
        self.turn = 0
        """How many times it has been taken back from draining."""
        self.token = token(id) if activator.sticky else b""
        """What the cookies of its clients say."""

    def send(self, exchange: Exchange, now: float) -> None:
        """`exchange` has a slot: send it over an open connection, or a new one."""
        exchange.instance = self
        if self.resting:
            self.wake()
        while self.idle:
            connection = self.idle.pop()
            if connection.usable(exchange, now):
                connection.send(exchange)
                return
            connection.close()
        self.connect(exchange)

    def wake(self) -> None:
        """Control hears of the first request after a rest."""
        if self.resting:
            self.resting = False
            self.activator.router.link.send(InstanceBusy(self.id))

    def connect(self, exchange: Exchange) -> None:
        router = self.activator.router
        self._connecting[exchange] = router.tasks.spawn(self._connect(exchange), name=f"connect to {self.id}")

    def abandon(self, exchange: Exchange) -> None:
        """Nobody waits for its answer, and its connection is not there yet, or no longer."""
        self._let_down.pop(exchange, None)
        task = self._connecting.get(exchange)
        if task is not None:
            task.cancel()

    def let_down(self, exchange: Exchange, cause: str) -> None:
        """A connection broke before the end of an answer. If the instance has died control will know of what."""
        self._let_down[exchange] = cause
        if exchange.answered or self.state is State.GONE:
            self._answer_for(exchange)
        else:
            self.activator.router.loop.call_later(_VERDICT, self._answer_for, exchange)

    def close(self) -> None:
        """The instance is gone. What it said before is still read: its last bytes may be on their way."""
        for connection in list(self.idle):
            connection.close()
        for task in list(self._connecting.values()):
            task.cancel()
        for exchange in list(self._let_down):
            self._answer_for(exchange)
        if self.connections:
            self.activator.router.loop.call_later(_LAST_WORDS, self._abort)

    def _answer_for(self, exchange: Exchange) -> None:
        """In its place, or by another instance."""
        cause = self._let_down.pop(exchange, None)
        if cause is None or exchange.over:
            return
        if self.oom and not exchange.answered:
            exchange.client.fail(exchange, errors.out_of_memory(self.oom))
        elif self.activator.router.options.retry_idempotent and exchange.repeatable and not exchange.retried:
            exchange.retried = True
            self.activator.retry(exchange, self)
        else:
            exchange.client.fail(exchange, errors.instance_error(cause))

    def _abort(self) -> None:
        for connection in list(self.connections):
            connection.abort()

    async def _connect(self, exchange: Exchange) -> None:
        router = self.activator.router
        try:
            async with asyncio.timeout(router.options.connect_timeout):
                _, connection = await router.loop.create_connection(
                    lambda: InstanceConnection(self), self.host, self.port
                )
        except TimeoutError:
            self._failed(exchange, f"no connection to {self.host}:{self.port} in {router.options.connect_timeout} s")
        except OSError as error:
            self._failed(exchange, f"connecting to {self.host}:{self.port} failed: {error.strerror or error}")
        except asyncio.CancelledError:
            del self._connecting[exchange]
            self.activator.release(self)
            if not exchange.over:
                self.activator.retry(exchange)
        else:
            del self._connecting[exchange]
            connection.send(exchange)

    def _failed(self, exchange: Exchange, reason: str) -> None:
        del self._connecting[exchange]
        if self.state is State.ACTIVE:
            self.activator.failed(self, reason)
        self.activator.release(self)
        if not exchange.over:
            self.activator.retry(exchange)
