"""The page that Prometheus reads, from the memory of the control process; routers are asked what they have."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

import homerun
from homerun.core.instance import Instance, State
from homerun.core.task import TaskState
from homerun.engine.oci import procfs
from homerun.meter import exposition as shown
from homerun.meter.metrics import FINISHED, Metrics
from homerun.model.names import Name
from homerun.wire.link import Inspected

if TYPE_CHECKING:
    from homerun.daemon.control import Control

PIECE = 500
"""Lines that are made before others get their turn: with 10,000 services there are very many."""
STATES = ("starting", "active", "idle", "draining", "stopping")
"""Of instances: ready ones are active or idle, as on Cloud Run's own charts."""


async def page(control: Control) -> AsyncIterator[str]:
    """In pieces."""
    routers = await control.plane.inspect()
    metrics = control.observatory.metrics
    lines = chain(
        _info(),
        _requests(metrics),
        _loads(routers.values()),
        _waits(metrics),
        _instances(control),
        _starts(metrics),
        _billable(control),
        _pools(control),
        _tasks(control),
        _routers(routers),
        _processes(routers),
    )
    while piece := "".join(islice(lines, PIECE)):
        yield piece
        await asyncio.sleep(0)


def _info() -> Iterator[str]:
    yield shown.INFO.head()
    yield shown.INFO.line((homerun.__version__,), 1)


def _requests(metrics: Metrics) -> Iterator[str]:
    yield shown.REQUESTS.head()
    for name, revision in list(metrics.revisions.items()):
        labels = _revision(name)
        for digit, histogram in sorted(revision.latencies.items()):
            yield shown.REQUESTS.line((*labels, f"{digit}xx"), histogram.count)
    yield shown.LATENCY.head()
    for name, revision in list(metrics.revisions.items()):
        labels = _revision(name)
        for digit, histogram in sorted(revision.latencies.items()):
            yield "".join(shown.LATENCY.histogram((*labels, f"{digit}xx"), histogram))


def _loads(routers: Iterable[Inspected]) -> Iterator[str]:
    in_flight: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for router in routers:
        for load in router.loads:
            in_flight[load.revision] += load.in_flight
            waiting[load.revision] += load.waiting
    for family, numbers in ((shown.IN_FLIGHT, in_flight), (shown.WAITING, waiting)):
        yield family.head()
        for name, number in numbers.items():
            yield family.line(_revision(name), number)


def _waits(metrics: Metrics) -> Iterator[str]:
    yield shown.WAIT.head()
    for name, revision in list(metrics.revisions.items()):
        if revision.waits.count:
            yield "".join(shown.WAIT.histogram(_revision(name), revision.waits))


def _instances(control: Control) -> Iterator[str]:
    """Of revisions that have any, or had some while this process runs."""
    yield shown.INSTANCES.head()
    for group in list(control.capacity.groups):
        if group.fleet.instances or group.spec.name in control.observatory.metrics.revisions:
            yield from _by_state(shown.INSTANCES, _revision(group.spec.name), group.fleet.instances.values())


def _by_state(family: shown.Family, labels: tuple[str, ...], instances: Iterable[Instance]) -> Iterator[str]:
    counts = Counter(map(_state, instances))
    for state in STATES:
        yield family.line((*labels, state), counts[state])


def _state(instance: Instance) -> str:
    if instance.state is State.READY:
        return "idle" if instance.idle_since is not None else "active"
    return str(instance.state)


def _starts(metrics: Metrics) -> Iterator[str]:
    revisions = [(_revision(name), revision) for name, revision in metrics.revisions.items()]
    yield shown.STARTS.head()
    for labels, revision in revisions:
        yield shown.STARTS.line((*labels, "ready"), revision.startups.count)
        yield shown.STARTS.line((*labels, "failed"), revision.failed_starts)
    yield shown.COLD.head()
    for labels, revision in revisions:
        yield shown.COLD.line(labels, revision.cold_starts)
    yield shown.STARTUP.head()
    for labels, revision in revisions:
        yield "".join(shown.STARTUP.histogram(labels, revision.startups))
    yield shown.PHASES.head()
    for labels, revision in revisions:
        for phase, part in list(revision.phases.items()):
            yield shown.PHASES.line((*labels, phase), part.seconds, "_sum")
            yield shown.PHASES.line((*labels, phase), part.count, "_count")


def _billable(control: Control) -> Iterator[str]:
    yield shown.BILLABLE.head()
    for service in dict.fromkeys(group.spec.service for group in list(control.capacity.groups)):
        if seconds := control.meter.totals(service).seconds:
            yield shown.BILLABLE.line(_parts(service), seconds)


def _pools(control: Control) -> Iterator[str]:
    yield shown.POOL_INSTANCES.head()
    for group in list(control.crews.groups):
        yield from _by_state(shown.POOL_INSTANCES, _parts(group.pool), group.crew.instances.values())


def _tasks(control: Control) -> Iterator[str]:
    """Those of executions that have ended are added up; those of the others are where their machine is."""
    finished = {job: Counter(counts) for job, counts in control.observatory.metrics.tasks.items()}
    running: Counter[str] = Counter()
    for name, machine in control.executions.unfinished():
        job = str(Name.parse(name).parent)
        running[job] += machine.count(TaskState.RUNNING)
        finished.setdefault(job, Counter()).update({state: machine.count(state) for state in FINISHED})
    yield shown.TASKS_RUNNING.head()
    for job in finished:
        yield shown.TASKS_RUNNING.line(_parts(job), running[job])
    yield shown.TASKS.head()
    for job, counts in finished.items():
        for state in FINISHED:
            yield shown.TASKS.line((*_parts(job), state.lower()), counts[state])


def _routers(routers: Mapping[int, Inspected]) -> Iterator[str]:
    yield shown.CONNECTIONS.head()
    yield from (shown.CONNECTIONS.line((str(pid),), router.connections) for pid, router in routers.items())
    yield shown.HANDED_OVER.head()
    yield from (shown.HANDED_OVER.line((str(pid),), router.handed_over) for pid, router in routers.items())
    yield shown.DROPPED.head()
    yield from (shown.DROPPED.line((str(pid),), router.dropped) for pid, router in routers.items())


def _processes(routers: Iterable[int]) -> Iterator[str]:
    found = [("up", os.getppid()), ("control", os.getpid()), *(("router", pid) for pid in routers)]
    used = [((process, str(pid)), usage) for process, pid in found if (usage := procfs.usage(pid)) is not None]
    yield shown.CPU.head()
    yield from (shown.CPU.line(labels, cpu) for labels, (cpu, _) in used)
    yield shown.MEMORY.head()
    yield from (shown.MEMORY.line(labels, memory) for labels, (_, memory) in used)


def _revision(name: str) -> tuple[str, str, str, str]:
    parsed = Name.parse(name)
    return parsed.project, parsed.location, parsed.path[1], parsed.id


def _parts(name: str) -> tuple[str, str, str]:
    """Of a service, job or worker pool."""
    parsed = Name.parse(name)
    return parsed.project, parsed.location, parsed.id
