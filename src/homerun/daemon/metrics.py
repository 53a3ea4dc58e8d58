"""The page that Prometheus reads, from the memory of the control process; routers are asked what they have."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING

import homerun
from homerun.controllers.group import Group
from homerun.core.instance import Instance, State
from homerun.core.task import TaskState
from homerun.daemon.bills import seconds, service_used
from homerun.engine.oci import procfs
from homerun.meter import exposition as shown
from homerun.meter.metrics import FINISHED, Metrics
from homerun.model.names import Name
from homerun.wire.link import Inspected

if TYPE_CHECKING:
    from homerun.daemon.control import Control

PIECE = 100
"""Lines that are made before others get their turn: with 10,000 services there are very many."""
STATES = ("starting", "active", "idle", "unready", "draining", "stopping")
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
        _standbys(control),
        _probes(metrics),
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
    yield shown.INFO.line(shown.INFO.labelled(homerun.__version__), 1)


def _requests(metrics: Metrics) -> Iterator[str]:
    yield shown.REQUESTS.head()
    for name, revision in list(metrics.revisions.items()):
        for digit, histogram in sorted(revision.latencies.items()):
            yield shown.REQUESTS.line(f'{_revision(name)},code_class="{digit}xx"', histogram.count)
    yield shown.LATENCY.head()
    for name, revision in list(metrics.revisions.items()):
        for digit, histogram in sorted(revision.latencies.items()):
            yield shown.LATENCY.histogram(f'{_revision(name)},code_class="{digit}xx"', histogram)


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
            yield shown.WAIT.histogram(_revision(name), revision.waits)


def _instances(control: Control) -> Iterator[str]:
    """Of revisions that have any, or had some while this process runs."""
    yield shown.INSTANCES.head()
    for group in list(control.capacity.groups):
        if group.fleet.instances or group.spec.name in control.observatory.metrics.revisions:
            yield _by_state(shown.INSTANCES, _revision(group.spec.name), group.fleet.instances.values())


def _by_state(family: shown.Family, labels: str, instances: Iterable[Instance]) -> str:
    counts = Counter(map(_state, instances))
    return "".join([family.line(f'{labels},state="{state}"', counts[state]) for state in STATES])


def _state(instance: Instance) -> str:
    if instance.state is State.READY:
        return "idle" if instance.idle_since is not None else "active"
    return str(instance.state)


def _starts(metrics: Metrics) -> Iterator[str]:
    revisions = list(metrics.revisions.items())
    yield shown.STARTS.head()
    for name, revision in revisions:
        yield shown.STARTS.line(f'{_revision(name)},result="ready"', revision.startups.count)
        yield shown.STARTS.line(f'{_revision(name)},result="failed"', revision.failed_starts)
    yield shown.STARTS_FROM.head()
    for name, revision in revisions:
        for origin, number in sorted(revision.origins.items()):
            yield shown.STARTS_FROM.line(f'{_revision(name)},origin="{origin}"', number)
    yield shown.COLD.head()
    for name, revision in revisions:
        yield shown.COLD.line(_revision(name), revision.cold_starts)
    yield shown.STARTUP.head()
    for name, revision in revisions:
        yield shown.STARTUP.histogram(_revision(name), revision.startups)
    yield shown.PHASES.head()
    for name, revision in revisions:
        for phase, part in list(revision.phases.items()):
            labels = f'{_revision(name)},phase="{phase}"'
            yield shown.PHASES.line(labels, part.seconds, "_sum") + shown.PHASES.line(labels, part.count, "_count")


def _standbys(control: Control) -> Iterator[str]:
    """Of revisions that have one, or had one lately."""
    yield shown.STANDBYS.head()
    for standby in control.capacity.keeper.standbys:
        yield shown.STANDBYS.line(_revision(standby.revision), standby.since is not None)


def _probes(metrics: Metrics) -> Iterator[str]:
    yield shown.PROBES.head()
    for name, revision in list(metrics.revisions.items()):
        for check, failures in sorted(revision.failed_probes.items()):
            yield shown.PROBES.line(f'{_revision(name)},probe="{check.lower()}"', failures)


def _billable(control: Control) -> Iterator[str]:
    yield shown.BILLABLE.head()
    services: dict[str, list[Group]] = {}
    for group in control.capacity.groups:
        services.setdefault(group.spec.service, []).append(group)
    for service, groups in services.items():
        if billed := seconds(service_used(control, service, groups)):
            yield shown.BILLABLE.line(_named(shown.BILLABLE, service), billed)


def _pools(control: Control) -> Iterator[str]:
    yield shown.POOL_INSTANCES.head()
    for group in list(control.crews.groups):
        name = Name.parse(group.pool)
        labels = f'project="{name.project}",location="{name.location}",worker_pool="{name.id}"'
        yield _by_state(shown.POOL_INSTANCES, labels, group.crew.instances.values())


def _tasks(control: Control) -> Iterator[str]:
    """Those of executions that have ended are added up; those of the others are where their machine is."""
    finished = {job: Counter(counts) for job, counts in control.observatory.metrics.tasks.items()}
    running: Counter[str] = Counter()
    for spec, machine in control.executions.unfinished():
        job = spec.job
        running[job] += machine.count(TaskState.RUNNING)
        finished.setdefault(job, Counter()).update({state: machine.count(state) for state in FINISHED})
    yield shown.TASKS_RUNNING.head()
    for job in finished:
        yield shown.TASKS_RUNNING.line(_named(shown.TASKS_RUNNING, job), running[job])
    yield shown.TASKS.head()
    for job, counts in finished.items():
        labels = _named(shown.TASKS_RUNNING, job)
        for state in FINISHED:
            yield shown.TASKS.line(f'{labels},result="{state.lower()}"', counts[state])


def _routers(routers: Mapping[int, Inspected]) -> Iterator[str]:
    for family, number in (
        (shown.CONNECTIONS, attrgetter("connections")),
        (shown.HANDED_OVER, attrgetter("handed_over")),
        (shown.DROPPED, attrgetter("dropped")),
    ):
        yield family.head()
        yield from (family.line(family.labelled(str(pid)), number(router)) for pid, router in routers.items())


def _processes(routers: Iterable[int]) -> Iterator[str]:
    found = [("up", os.getppid()), ("control", os.getpid()), *(("router", pid) for pid in routers)]
    used = [
        (shown.CPU.labelled(process, str(pid)), usage)
        for process, pid in found
        if (usage := procfs.usage(pid)) is not None
    ]
    yield shown.CPU.head()
    yield from (shown.CPU.line(labels, cpu) for labels, (cpu, _) in used)
    yield shown.MEMORY.head()
    yield from (shown.MEMORY.line(labels, memory) for labels, (_, memory) in used)


@lru_cache(1 << 14)
def _revision(name: str) -> str:
    """Its labels. They are the same in many lines, and each time somebody looks."""
    parsed = Name.parse(name)
    return shown.IN_FLIGHT.labelled(parsed.project, parsed.location, parsed.path[1], parsed.id)


def _named(family: shown.Family, name: str) -> str:
    """The labels of a service or job."""
    parsed = Name.parse(name)
    return family.labelled(parsed.project, parsed.location, parsed.id)
