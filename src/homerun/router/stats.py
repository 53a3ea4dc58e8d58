"""What is told to control about the traffic: usage of each revision and a log of its requests, once a second.

A revision is reported from its first request until one second without any has passed; in silence there is no timer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from homerun.wire.link import InstanceUse, RequestLog, Usage

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.exchange import Exchange
    from homerun.router.server import Router

PERIOD = 1.0
REST_AFTER = 0.5
"""An instance without requests for so long is reported idle: one that has some each second never is."""
_BATCH = 512
"""Logs of requests that are sent at once, before the second is over: so that no turn of the loop takes long."""


class Stats:
    def __init__(self, router: Router) -> None:
        self._router = router
        self.metered: list[Activator] = []
        """Revisions with traffic, or that had some a second ago."""
        self._requests: list[RequestLog] = []
        self._timer: asyncio.TimerHandle | None = None
        self._epoch = 0.0
        """Wall clock at zero of the monotonic clock."""

    def start(self, activator: Activator) -> None:
        """Traffic, after silence."""
        self.metered.append(activator)
        self._start_timer()

    def record(self, exchange: Exchange, now: float) -> None:
        """A request has been answered, or given up. One for nobody's revision is not reported."""
        activator = exchange.activator
        if activator is None:
            if not exchange.refused_by:
                return
            self._start_timer()
        head, client = exchange.head, exchange.client
        instance, refusal = exchange.instance, exchange.refusal
        origin = client.origin
        requests = self._requests
        requests.append(
            RequestLog(
                activator.name if activator is not None else exchange.refused_by,
                instance.id if instance is not None else "",
                self._epoch + exchange.started,
                now - exchange.started,
                exchange.method,
                origin.scheme + head.host + exchange.target,
                exchange.status,
                len(exchange.encoded) + exchange.received,
                exchange.sent,
                head.user_agent,
                origin.ip,
                exchange.trace,
                refusal.logged if refusal is not None else "",
                exchange.waited,
                "HTTP/1.0" if exchange.http10 else client.protocol,
            )
        )
        if len(requests) >= _BATCH:
            self._send_requests()

    def flush(self) -> None:
        """Report now."""
        self._set_epoch()
        wall = self._epoch + self._router.mono()
        # While control is away, what would be lost is kept: it is on somebody's bill.
        for activator in self.metered if self._router.link.up else ():
            usage = self._usage(activator, wall)
            activator.metered = bool(usage.concurrency or usage.requests or usage.in_flight or usage.waiting)
            self._router.link.send(usage)
            if activator.throttled:
                self._rest(activator, usage)
        self.metered = [activator for activator in self.metered if activator.metered]
        self._send_requests()

    @staticmethod
    def _rest(activator: Activator, usage: Usage) -> None:
        for use in usage.instances:
            if use.in_flight:
                continue
            if use.idle >= REST_AFTER:
                activator.rest(use.instance)
            else:
                activator.metered = True  # too early to say: look again

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self, activator: Activator) -> None:
        """Its revision is gone: its last words."""
        if activator in self.metered:
            self.metered.remove(activator)
            usage = self._usage(activator, self._epoch + self._router.mono())
            if usage.billed or usage.answered:
                self._router.link.send(usage)

    def _send_requests(self) -> None:
        requests, self._requests = self._requests, []
        self._router.link.send_logs(requests)

    def _turn(self) -> None:
        self._timer = None
        self.flush()
        if self.metered:
            self._timer = self._router.loop.call_later(PERIOD, self._turn)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._set_epoch()
            self._timer = self._router.loop.call_later(PERIOD, self._turn)

    def _set_epoch(self) -> None:
        clock = self._router.clock
        self._epoch = clock.now() - clock.mono()

    def _usage(self, activator: Activator, wall: float) -> Usage:
        sample = activator.dispatcher.sample(self._router.mono())
        activator.billed += round(sum(use.busy for use in sample.instances) * 1000)
        activator.answered += sample.requests
        return Usage(
            activator.name,
            wall,
            sample.concurrency,
            sample.in_flight,
            sample.waiting,
            sample.requests,
            [InstanceUse(i.instance, i.in_flight, i.busy, i.requests, i.idle) for i in sample.instances],
            activator.counter,
            activator.billed,
            activator.answered,
        )
