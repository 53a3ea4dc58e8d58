"""Holds the requests of one revision until an instance has a slot for them, and says so to control at once.

The decisions are the dispatcher's (core); here they are carried out, and timed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from homerun.core.dispatcher import Assign, Dispatcher, Drained, QueueFull, State
from homerun.lib import ids
from homerun.router import errors
from homerun.wire.link import Demand, InstanceDrained, InstanceFailed, InstanceIdle, RevisionSet

if TYPE_CHECKING:
    from homerun.router.errors import Refusal
    from homerun.router.exchange import Exchange
    from homerun.router.instance import RemoteInstance
    from homerun.router.server import Router


class Activator:
    sticky = False
    """Clients come back to the instance that they were with (affinity.py)."""

    __slots__ = (
        "_expiry",
        "answered",
        "billed",
        "counter",
        "disabled",
        "dispatcher",
        "h2c",
        "metered",
        "name",
        "router",
        "throttled",
        "timeout",
    )

    def __init__(self, router: Router, message: RevisionSet) -> None:
        self.router = router
        self.name = message.revision
        self.timeout = message.timeout
        self.throttled = message.throttled
        self.h2c = message.h2c
        """Its instances are spoken to in HTTP/2."""
        self.disabled = not message.max_instances
        """It never has an instance: its service is scaled by hand, to none."""
        self.dispatcher: Dispatcher[Exchange, RemoteInstance] = Dispatcher(
            message.concurrency, message.queue_deadline, router.options.queue_limit, router.mono()
        )
        self.metered = False
        """There is traffic, or was just now, and usage is reported each second."""
        self.counter = ids.uid()
        """Names what follows: all that was reported of this revision since we know it (wire.link.Usage)."""
        self.billed = self.answered = 0
        self._expiry: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Activator {self.name} {self.dispatcher}>"

    # Requests

    def submit(self, exchange: Exchange, now: float) -> None:
        if not self.metered:
            self.wake(now)
        try:
            instance = self.dispatcher.acquire(exchange, now)
        except QueueFull:
            exchange.client.refuse(exchange, errors.QUEUE_FULL)
            return
        if instance is not None:
            instance.send(exchange, now)
        elif self.disabled:
            self.refuse_waiting(errors.DISABLED)
        else:
            self._must_wait()

    def wake(self, now: float) -> None:
        """There is traffic, or something else to see."""
        if not self.metered:
            self.metered = True
            self.dispatcher.restart_sampling(now)
            self.router.stats.start(self)

    def retry(self, exchange: Exchange, avoid: RemoteInstance | None = None) -> None:
        """Its instance could not be reached, and has seen nothing of it; or it may have: then it is to `avoid`."""
        exchange.instance = None
        now = self.router.mono()
        instance = self.dispatcher.retry(exchange, exchange.started, now, avoid)
        if instance is not None:
            instance.send(exchange, now)
        else:
            self._must_wait()

    def release(self, instance: RemoteInstance, now: float | None = None) -> None:
        """A slot of `instance` is free."""
        now = self.router.mono() if now is None else now
        command = self.dispatcher.release(instance, now)
        if command is None:
            return
        if isinstance(command, Drained):
            self.router.link.send(InstanceDrained(instance.id, instance.turn))
        else:
            self._serve([command], now)

    def cancel(self, exchange: Exchange) -> None:
        """Its client is gone while it waited."""
        self.dispatcher.cancel(exchange, self.router.mono())

    # Instances

    def up(self, instance: RemoteInstance) -> None:
        now = self.router.mono()
        if self.throttled:
            self.wake(now)  # so that it is seen to be idle if nothing comes
        recalled = instance.state is State.DRAINING
        self._serve(self.dispatcher.up(instance, now), now)
        if recalled and self.dispatcher.waiting:
            # It was taken for one with all its slots free.
            self.router.demand(self)

    def withhold(self, instance: RemoteInstance) -> None:
        """It is not ready: nothing new for it until it is up again; what is in flight goes on."""
        now = self.router.mono()
        if self.throttled:
            self.wake(now)  # as in `up`
        self.dispatcher.withhold(instance, now)

    def inherit(self, instance: RemoteInstance, requests: int) -> None:
        """Before its first `up`: a router before us has given it requests."""
        now = self.router.mono()
        self.wake(now)
        self.dispatcher.inherit(instance, requests, now)

    def rest(self, instance: str) -> None:
        """It had no requests for a while: control may take its CPU, and is told when it needs it again."""
        remote = self.dispatcher.instances.get(instance)
        if remote is not None and not remote.resting:
            remote.resting = True
            self.router.link.send(InstanceIdle(instance))

    def rouse(self) -> None:
        """Control knows nothing of who rests, and takes all for busy; nor has it written down all that was counted."""
        if self.billed or self.answered:
            self.wake(self.router.mono())
        if self.throttled and self.dispatcher.instances:
            for instance in self.dispatcher.instances.values():
                instance.resting = False
            self.wake(self.router.mono())

    def failed(self, instance: RemoteInstance, reason: str) -> None:
        self.dispatcher.fail(instance)
        self.router.link.send(InstanceFailed(instance.id, reason))

    def drain(self, instance: RemoteInstance) -> None:
        command = self.dispatcher.drain(instance)
        for connection in list(instance.idle):
            connection.close()
        if command is not None:
            self.router.link.send(InstanceDrained(instance.id, instance.turn))

    def gone(self, instance: RemoteInstance) -> None:
        self.dispatcher.gone(instance, self.router.mono())
        instance.close()

    # The revision

    def configure(self, message: RevisionSet) -> None:
        self.timeout = message.timeout
        self.disabled = not message.max_instances
        now = self.router.mono()
        self._serve(self.dispatcher.configure(message.concurrency, message.queue_deadline, now), now)
        self._rearm()
        if self.disabled:
            self.refuse_waiting(errors.DISABLED)

    def refuse_waiting(self, refusal: Refusal) -> None:
        """No instance will come."""
        for exchange in self.dispatcher.flush(self.router.mono()):
            exchange.client.refuse(exchange, refusal)

    def load(self) -> Demand:
        return Demand(self.name, self.dispatcher.waiting, self.dispatcher.in_flight)

    def demand(self) -> Demand:
        """What needs instances: whoever is answered by one that leaves does not."""
        dispatcher = self.dispatcher
        return Demand(self.name, dispatcher.waiting, dispatcher.in_flight - dispatcher.leaving)

    # Inside

    def _must_wait(self) -> None:
        self.router.demand(self)
        if self._expiry is None:
            self._rearm()

    def _serve(self, assigned: list[Assign[Exchange, RemoteInstance]], now: float) -> None:
        for command in assigned:
            command.ticket.waited = now - command.ticket.started
            command.instance.send(command.ticket, now)

    def _rearm(self) -> None:
        """One timer, for the request that waits longest; none when nobody waits."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        expires = self.dispatcher.expires
        if expires is not None:
            self._expiry = self.router.loop.call_later(max(0.0, expires - self.router.mono()), self._expire)

    def _expire(self) -> None:
        self._expiry = None
        for exchange in self.dispatcher.expire(self.router.mono()):
            exchange.client.refuse(exchange, errors.NO_INSTANCE)
        self._rearm()
