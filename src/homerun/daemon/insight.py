"""What the extension API shows, from the memory of the control process."""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import homerun
from homerun.aio.pieces import in_pieces
from homerun.apis.homerun.insight import (
    AttemptView,
    BillView,
    BuildEvent,
    CheckpointView,
    ColdStartView,
    DecisionView,
    ExecutionView,
    Info,
    InstanceView,
    Moment,
    ProgressView,
    ServiceView,
    Span,
    StandbyView,
    TaskView,
)
from homerun.controllers import crews
from homerun.controllers.capacity import Capacity
from homerun.controllers.group import Group
from homerun.controllers.task_document import failure_text, task_from, timeline
from homerun.core.billing import day_of
from homerun.core.crew import Crew
from homerun.core.fleet import Explained
from homerun.core.instance import Instance
from homerun.core.invoice import span_of
from homerun.core.task import Attempt, Outcome, Task
from homerun.daemon.bills import bill, cost, pool_used, service_used, tasks_used
from homerun.daemon.execution_progress import execution_progress, stored_progress, troubled_first
from homerun.daemon.metrics import page
from homerun.engine.base import Origin, Ready
from homerun.engine.images.build import build
from homerun.engine.images.sources import unpack
from homerun.lib.errors import NotFound
from homerun.lib.timestamps import to_rfc3339
from homerun.meter.cold_starts import ColdStart
from homerun.model import names
from homerun.model.environment import gcloud_environment
from homerun.model.execution import ExecutionSpec
from homerun.model.urls import is_loopback
from homerun.store.base import Document
from homerun.store.walk import walk

if TYPE_CHECKING:
    from homerun.daemon.control import Control

PIECE = 500
"""Tasks that are made into JSON in one turn of the loop."""


class DaemonInsight:
    """Implements apis.homerun.insight.Insight. `certificate`: of the API port, as PEM."""

    def __init__(self, control: Control, shutdown: Callable[[], None], certificate: str = "") -> None:
        self._control, self._shutdown, self._certificate = control, shutdown, certificate

    def info(self) -> Info:
        settings = self._control.settings
        host, _, port = settings.api.rpartition(":")
        info: Info = {
            "version": homerun.__version__,
            "project": settings.project,
            "projectNumber": settings.project_number,
            "region": settings.region,
            "api": settings.api,
            "http": settings.http,
            "https": settings.https,
            "domain": settings.domain,
            "environment": gcloud_environment(
                host, int(port), settings.project, settings.region, token_needed=not is_loopback(host)
            ),
        }
        return info | {"certificate": self._certificate} if self._certificate else info

    def shutdown(self) -> None:
        self._shutdown()

    def metrics(self) -> AsyncIterator[str]:
        return page(self._control)

    async def explain_service(self, name: str) -> ServiceView:
        control = self._control
        service = await control.store.get("Service", name)
        if service is None:
            raise NotFound(f"Service {name} does not exist: `homerun services list` shows those that do")
        revisions = control.capacity.revisions_of(name)
        groups = [g for r in revisions if (g := control.capacity.group(r)) is not None]
        # Fleets count monotonic seconds; people read wall clocks.
        offset = control.clock.now() - control.clock.mono()
        decisions = sorted((view for g in groups for view in _decisions(g, offset)), key=lambda d: d["time"])
        starts = [_cold_start(start) for start in control.observatory.starts.of(revisions)]
        moments: list[Moment] = [{"time": d["time"], "what": _sentence(d)} for d in decisions]
        moments += [{"time": start["time"], "what": _start_sentence(start)} for start in starts]
        return {
            "instances": [view for g in groups for view in _instances(g, offset)],
            "decisions": decisions,
            "coldStarts": starts,
            "standbys": list(_standbys(control.capacity, revisions, offset)),
            "checkpoints": list(_checkpoints(control.capacity, revisions)),
            "timeline": sorted(moments, key=lambda moment: moment["time"]),
            "cost": cost(name, service_used(control, name, groups)),
        }

    async def explain_worker_pool(self, name: str) -> ServiceView:
        control = self._control
        if await control.store.get("WorkerPool", name) is None:
            raise NotFound(f"Worker pool {name} does not exist: `homerun worker-pools list` shows those that do")
        group, offset = control.crews.group(name), control.clock.now() - control.clock.mono()
        decisions = _crew_decisions(group.crew, offset) if group is not None else []
        return {
            "instances": _workers(group, offset) if group is not None else [],
            "decisions": decisions,
            "timeline": [{"time": d["time"], "what": _sentence(d)} for d in decisions],
            "cost": cost(name, pool_used(control, name)),
        }

    async def explain_execution(
        self, name: str, tasks: int = 0, moments: int = 0, one: int | None = None
    ) -> ExecutionView:
        document = await self._execution(name)
        spec = ExecutionSpec.parse(document.body)
        found = [task for task in await self._tasks(name) if one is None or task.index == one]
        told = timeline(found)
        shown = sorted(found, key=troubled_first)[:tasks] if tasks else found
        used = tasks_used(spec.containers, found, self._control.clock.now())
        return {
            "tasks": await in_pieces(functools.partial(_task, spec.timeout), shown, PIECE),
            "moreTasks": len(found) - len(shown),
            "timeline": await in_pieces(_moment, told[-moments:], PIECE),
            "moreMoments": max(len(told) - moments, 0) if moments else 0,
            "cost": cost(name, used),
        }

    async def _execution(self, name: str) -> Document:
        document = await self._control.store.get("Execution", name)
        if document is None:
            raise NotFound(f"Execution {name} does not exist: `homerun jobs executions list` shows those that do")
        return document

    async def _tasks(self, name: str) -> Sequence[Task]:
        """By index: from memory while it runs, then from the store."""
        if (machine := self._control.executions.machine(name)) is not None:
            return machine.tasks
        stored = walk(self._control.store, "Task", prefix=f"{name}/tasks/")
        return sorted([task_from(document) async for document in stored], key=lambda task: task.index)

    async def execution_progress(self, name: str) -> ProgressView:
        machine = self._control.executions.machine(name)
        if machine is not None:
            now, waiting = self._control.clock.now(), self._control.executions.waiting(name)
            return execution_progress(machine, waiting, now)
        return stored_progress((await self._execution(name)).body)

    async def bill(self, span: Span) -> BillView:
        today = day_of(self._control.clock.now())
        since, until = span_of(span.since, span.until, today)
        return await bill(self._control, since, until, span.by, minimum=span.minimum)

    async def build(self, name: str, archive: BinaryIO) -> AsyncIterator[BuildEvent]:
        """Unpack beside the state, build with buildah, tell each line as it comes."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        scratch = self._control.settings.state / "build"
        scratch.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            await asyncio.get_running_loop().run_in_executor(None, unpack, archive, Path(folder))
            tag = f"localhost/{name}:{os.urandom(4).hex()}"
            task = self._control.supervisor.spawn(build(Path(folder), tag, lines.put_nowait), name=f"build {tag}")
            task.add_done_callback(lambda _: lines.put_nowait(None))
            try:
                while (line := await lines.get()) is not None:
                    yield {"log": line}
                yield {"image": await task}
            finally:
                task.cancel()


def _instances(group: Group, offset: float) -> list[InstanceView]:
    return [
        {**_instance(instance, group.spec.name, group.ready.get(instance.id), offset), "inFlight": instance.in_flight}
        for instance in group.fleet.instances.values()
    ]


def _workers(group: crews.Group, offset: float) -> list[InstanceView]:
    return [
        _instance(instance, group.crew.revision_of[instance.id], group.ready.get(instance.id), offset)
        for instance in group.crew.instances.values()
    ]


def _instance(instance: Instance, revision: str, ready: Ready | None, offset: float) -> InstanceView:
    view: InstanceView = {
        "id": instance.id,
        "revision": names.last(revision),
        "phase": instance.state.value,
        "startTime": to_rfc3339(instance.created + offset),
        "phases": dict(ready.phases) if ready is not None else {},
    }
    if instance.ready_at is not None:
        view["readyTime"] = to_rfc3339(instance.ready_at + offset)
    return view


def _crew_decisions(crew: Crew, offset: float) -> list[DecisionView]:
    return [
        {
            "time": to_rfc3339(entry.at + offset),
            "revision": names.last(entry.revision),
            "want": entry.want,
            "ready": entry.ready,
            "reason": entry.reason,
        }
        for entry in crew.history
    ]


def _decisions(group: Group, offset: float) -> list[DecisionView]:
    return [_decision(entry, names.last(group.spec.name), offset) for entry in group.fleet.history]


def _decision(entry: Explained, revision: str, offset: float) -> DecisionView:
    decision = entry.decision
    view: DecisionView = {
        "time": to_rfc3339(entry.at + offset),
        "revision": revision,
        "want": decision.want,
        "ready": entry.ready,
        "reason": "; ".join(filter(None, (decision.reason, entry.note))),
        "starting": entry.starting,
        "driver": decision.driver,
        "asked": decision.asked,
        "limit": decision.limit,
    }
    if (observed := decision.observed) is not None:
        view["observed"] = {
            "inFlight": observed.in_flight,
            "waiting": observed.waiting,
            "concurrency": round(observed.concurrency, 3),
            "cpu": round(observed.cpu, 3),
        }
    return view


def _cold_start(start: ColdStart) -> ColdStartView:
    return {
        "time": to_rfc3339(start.ready),
        "revision": names.last(start.revision),
        "instance": start.instance,
        "seconds": start.took,
        "origin": start.origin.value,
        "phases": dict(start.phases),
        "waited": start.waited,
        "longestWait": start.longest,
    }


def _standbys(capacity: Capacity, revisions: Iterable[str], offset: float) -> Iterator[StandbyView]:
    for revision in revisions:
        standby = capacity.keeper.standbys.of(revision)
        if standby is not None and standby.since is not None:
            yield {"revision": names.last(revision), "since": to_rfc3339(standby.since + offset)}


def _checkpoints(capacity: Capacity, revisions: Iterable[str]) -> Iterator[CheckpointView]:
    known = capacity.checkpoints.checkpoints
    for revision in revisions:
        if known.has(revision):
            yield {"revision": names.last(revision)}
        elif why := known.why_not(revision):
            yield {"revision": names.last(revision), "whyNot": why}


def _start_sentence(start: ColdStartView) -> str:
    """`hello-00001-abc: instance 4f2a… is ready after 0.023 s; 2 requests waited for it, up to 0.025 s`."""
    said = f"{start['revision']}: instance {start['instance'][:12]} is ready"
    if start["phases"]:
        said += f" after {start['seconds']:.3f} s"
    if start["origin"] != Origin.IMAGE:
        said += f" from a {start['origin']}"
    if start["waited"]:
        requests = "1 request" if start["waited"] == 1 else f"{start['waited']} requests"
        said += f"; {requests} waited for it, up to {start['longestWait']:.3f} s"
    return said


def _sentence(decision: DecisionView) -> str:
    return f"{decision['revision']}: {decision['ready']} ready, {decision['want']} wanted: {decision['reason']}"


def _moment(moment: tuple[float, str]) -> Moment:
    return {"time": to_rfc3339(moment[0]), "what": moment[1]}


def _task(timeout: float, task: Task) -> TaskView:
    attempts = [_attempt(timeout, attempt) for attempt in task.attempts]
    return {"index": task.index, "state": task.state.value, "attempts": attempts}


def _attempt(timeout: float, attempt: Attempt) -> AttemptView:
    view: AttemptView = {
        "attempt": attempt.number,
        "started": to_rfc3339(attempt.started),
        "oom": attempt.oom,
        "lost": attempt.outcome is Outcome.LOST,
    }
    if attempt.ended is not None:
        view["ended"] = to_rfc3339(attempt.ended)
    if attempt.code is not None:
        view["code"] = attempt.code
    if attempt.signal is not None:
        view["signal"] = attempt.signal
    if attempt.ended is not None and not attempt.ok:
        view["why"] = failure_text(attempt, timeout, whole=True)
    return view
