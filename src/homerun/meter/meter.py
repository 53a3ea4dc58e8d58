"""What each service and worker pool has used, by the rules of Cloud Run's bill (contract §6).

By request (`cpuIdle`): the time that an instance takes to start, the time in which it has at least one request, and
the time that it takes to end, each in steps of 100 ms. By instance, and for worker pools: its whole life, booked when
it ends. Totals are kept per owner and written at most every few seconds while they change, so a killed control loses a
few seconds of a counter at most; a service's whole life is written before the engine forgets it, and counted once. What
was deleted stays on the bill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from homerun.aio.tasks import Supervisor
from homerun.core.billing import BY_INSTANCE, BY_REQUEST, BY_WORKER, Bill, bill, billable
from homerun.core.task import Task
from homerun.model.container import Containers
from homerun.model.revision import RevisionSpec
from homerun.model.worker_pool import WorkerSpec
from homerun.store.base import Put, Store
from homerun.wire.link import Usage

FLUSH_EVERY = 5.0
_REMEMBERED = 200


@dataclass(slots=True)
class Totals:
    """Raw sums; rounding happens when a bill is made."""

    seconds: float = 0.0
    vcpu_seconds: float = 0.0
    gib_seconds: float = 0.0
    requests: int = 0
    usd: float = 0.0
    lives: list[str] = field(default_factory=list)
    """The last instances whose whole lives are in the sums: if the engine tells of one again, it was killed between."""

    def add(self, more: Bill) -> None:
        self.seconds += more.billable_seconds
        self.vcpu_seconds += more.vcpu_seconds
        self.gib_seconds += more.gib_seconds
        self.requests += more.requests
        self.usd += more.usd


class Meter:
    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store, self._supervisor = store, supervisor
        self._totals: dict[str, Totals] = {}
        self._dirty: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        for document in await self._store.list("Usage"):
            self._totals[document.name] = Totals(**document.body)

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()

    async def close(self) -> None:
        self.stop()
        await self._flush()

    def totals(self, owner: str) -> Totals:
        """Of a service or worker pool."""
        return self._totals.get(owner) or Totals()

    # What the data plane's capacity reports (controllers.capacity.Metering)

    def started(self, spec: RevisionSpec, startup: float) -> None:
        if spec.ingress.cpu_idle:
            self._add(spec, billable(startup), 0)

    def used(self, spec: RevisionSpec, usage: Usage) -> None:
        busy = sum(use.busy for use in usage.instances) if spec.ingress.cpu_idle else 0.0
        if busy or usage.requests:
            self._add(spec, busy, usage.requests)

    async def ended(self, spec: RevisionSpec, instance: str, lived: float, stopping: float) -> None:
        if spec.ingress.cpu_idle:
            if stopping:
                self._add(spec, billable(stopping), 0)
            return
        totals = self._totals.setdefault(spec.service, Totals())
        if instance not in totals.lives:
            totals.lives = [*totals.lives[-_REMEMBERED:], instance]
            self._add(spec, billable(lived), 0)
            await self._flush()

    def worked(self, spec: WorkerSpec, seconds: float) -> None:
        """An instance of a worker pool has ended (controllers.crews.Metering)."""
        self._book(spec.pool, worker_bill(spec, [seconds]))

    def running(self, spec: RevisionSpec, lives: Iterable[float]) -> Bill:
        """What those add to the bill that have not ended yet."""
        seconds = 0.0 if spec.ingress.cpu_idle else sum(billable(life) for life in lives)
        return _bill(spec, seconds, 0)

    def _add(self, spec: RevisionSpec, seconds: float, requests: int) -> None:
        self._book(spec.service, _bill(spec, seconds, requests))

    def _book(self, owner: str, more: Bill) -> None:
        self._totals.setdefault(owner, Totals()).add(more)
        self._dirty.add(owner)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_EVERY, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._supervisor.spawn(self._flush(), name="flush usage")

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        writes = [Put("Usage", name, asdict(self._totals[name])) for name in sorted(dirty) if name in self._totals]
        if writes:
            await self._store.apply(*writes)


def _bill(spec: RevisionSpec, seconds: float, requests: int) -> Bill:
    prices = BY_REQUEST if spec.ingress.cpu_idle else BY_INSTANCE
    return bill(seconds, spec.containers.cpu, spec.containers.memory, requests, prices)


def worker_bill(spec: WorkerSpec, lives: Iterable[float]) -> Bill:
    """Instances of a worker pool that lived for so many seconds each."""
    seconds = sum(billable(life) for life in lives)
    return bill(seconds, spec.containers.cpu, spec.containers.memory, 0, BY_WORKER)


def execution_bill(containers: Containers, tasks: Iterable[Task], now: float) -> Bill:
    """Every attempt from its start to its end, each rounded up; those that run are billed up to `now`."""
    seconds = sum(
        billable((attempt.ended if attempt.ended is not None else now) - attempt.started)
        for task in tasks
        for attempt in task.attempts
    )
    return bill(seconds, containers.cpu, containers.memory, 0, BY_INSTANCE)
