"""Instances of worker pools: carries out what the crews decide, and tells them what happens.

As with services, nothing durable is written here: the engine's own records are what survives a crash, and `adopt`
brings the instances back before any pool is looked at, so that none is started twice. Only the back-off is forgotten:
after a restart of control the next start is at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from homerun.aio.tasks import Supervisor
from homerun.controllers.container_spec import container_specs
from homerun.controllers.discards import Discards
from homerun.controllers.failure import exit_text, log_tail
from homerun.controllers.revision import Checked
from homerun.controllers.secrets import Opened, Secrets
from homerun.controllers.volumes import NO_FOLDERS, Folders, volume_specs
from homerun.core import crew as decisions
from homerun.core.admission import Size
from homerun.core.billed import LABEL, Billed
from homerun.core.billing import Life
from homerun.core.crew import Command, Crew, Start, Stop
from homerun.core.instance import Instance, State
from homerun.engine.base import Engine, Event, Exited, InstanceSpec, InstanceState, Phase, Probed, Ready
from homerun.lib import ids
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.model import labels, names, probe_words
from homerun.model.probe import Check
from homerun.model.worker_pool import WorkerSpec
from homerun.store.base import Document

SETTLES_AFTER = 2.0
"""Without a probe, a first instance that is still there after so many seconds has shown that it starts."""


class Metering(Protocol):
    """Who counts what is billed."""

    async def ended(self, billed: Billed, instance: str, life: Life) -> None:
        """Returns when that cannot get lost any more; telling it again changes nothing."""
        ...

    def gone(self, billed: Billed) -> None: ...


@dataclass(slots=True)
class Group:
    """One pool's crew and what is needed to start an instance of each of its revisions."""

    pool: str
    crew: Crew
    specs: dict[str, tuple[WorkerSpec, Sequence[str]]] = field(default_factory=dict)
    """By revision: what to start, and the pinned images."""
    checks: dict[str, Checked] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    ready: dict[str, Ready] = field(default_factory=dict)
    """How the start of each ready instance went."""
    causes: dict[str, str] = field(default_factory=dict)
    """Whom the engine kills because a probe failed, and how it did, until their exit."""


class Crews:
    def __init__(
        self,
        engine: Engine,
        supervisor: Supervisor,
        clock: Clock,
        metering: Metering,
        discards: Discards,
        secrets: Secrets,
        *,
        folders: Folders = NO_FOLDERS,
    ) -> None:
        self._engine, self._supervisor, self._clock, self._folders = engine, supervisor, clock, folders
        self._metering, self._discards, self._secrets = metering, discards, secrets
        self._groups: dict[str, Group] = {}
        self._owners: dict[str, Group] = {}
        self._closing = False
        self._empty = asyncio.Event()

    @property
    def groups(self) -> Collection[Group]:
        return self._groups.values()

    def held(self) -> Size:
        """What all instances together may use."""
        total = Size()
        for group in self._groups.values():
            for id in group.crew.instances:
                if (known := group.specs.get(group.crew.revision_of[id])) is not None:
                    total += Size(known[0].containers.cpu, known[0].containers.memory)
        return total

    def group(self, pool: str) -> Group | None:
        return self._groups.get(pool)

    # What the controllers ask for

    def adopt(self, states: Iterable[InstanceState], revisions: Container[str]) -> None:
        """What the engine found after a restart; `revisions` exist."""
        now = self._clock.mono()
        offset = now - self._clock.now()
        for state in states:
            pool, revision = state.labels.get(labels.WORKER_POOL), state.labels.get(labels.REVISION, "")
            if pool is None:
                continue
            if state.leaving or revision not in revisions:
                self._discards.settle(state, self._metering.ended, self._clock.now())
                continue
            group = self._group(pool)
            instance = Instance(state.id, state.started + offset)
            if state.phase is Phase.READY:
                instance.state, instance.ready_at = State.READY, (state.ready or state.started) + offset
                group.ready[state.id] = Ready(state.id, state.address, state.ready or state.started)
            self._owners[state.id] = group
            group.crew.adopt(revision, instance)

    def configure(self, revision: Document, images: Sequence[str], owner: Document | None) -> None:
        spec = WorkerSpec.parse(revision.body)
        group = self._group(spec.pool)
        group.specs[spec.name] = (spec, images)
        self._carry_out(group, group.crew.admit(spec.name, self._clock.mono()))

    def check(self, revision: str, checked: Checked) -> None:
        group = self._groups[names.parent(revision)]
        group.checks[revision] = checked
        settle = SETTLES_AFTER if not group.specs[revision][0].probed else 0.0
        self._carry_out(group, group.crew.check(revision, settle, self._clock.mono()))

    def release(self, revision: str) -> None:
        group = self._groups.get(names.parent(revision))
        if group is not None:
            group.checks.pop(revision, None)
            self._carry_out(group, group.crew.release(revision, self._clock.mono()))
            self._tidy(group, revision)

    def share_out(self, pool: str, total: int, percents: Mapping[str, int], *, settled: bool) -> None:
        """Implements controllers.worker_pool.Crews."""
        group = self._group(pool)
        self._carry_out(group, group.crew.configure(total, percents, self._clock.mono(), settled=settled))

    def dismiss(self, pool: str) -> None:
        """The pool is gone: so are its instances."""
        group = self._groups.pop(pool, None)
        if group is not None:
            group.checks.clear()
            self._carry_out(group, group.crew.close(self._clock.mono()))

    async def stop_all(self) -> None:
        """Stop every instance, and wait until they are gone; after the grace period they are killed."""
        self._closing = True
        for pool in list(self._groups):
            self.dismiss(pool)
        if self._owners:
            await self._empty.wait()

    def close(self) -> None:
        """No more timers: nothing happens from here on."""
        for group in self._groups.values():
            if group.timer is not None:
                group.timer.cancel()

    # What the engine tells

    def on_event(self, event: Event) -> bool:
        """False: not an instance of a worker pool."""
        group = self._owners.get(event.id)
        if group is None:
            return False
        match event:
            case Ready():
                group.ready[event.id] = event
                self._carry_out(group, group.crew.ready(event.id, self._clock.mono()))
            case Probed():
                self._on_probed(group, event)
            case Exited():
                self._on_exited(group, event)
        return True

    def _on_probed(self, group: Group, event: Probed) -> None:
        """Readiness is of no consequence: there are no requests."""
        if event.well or event.check is Check.READINESS:
            return
        cause = event.message or event.wrong
        if (known := group.specs.get(group.crew.revision_of[event.id])) is not None:
            container = known[0].containers.named(event.container)
            cause = probe_words.failure(
                container, event.check, times=event.times, wrong=event.wrong, found=event.message
            )
        group.causes[event.id] = cause

    def _on_exited(self, group: Group, event: Exited) -> None:
        revision = group.crew.revision_of[event.id]
        known = group.specs.get(revision)
        containers = known[0].containers if known is not None else None
        if known is not None and event.exit.seen:
            settled = self._settle(known[0], event.id, self.life(group.crew.instances[event.id]))
            self._supervisor.spawn(settled, name=f"settle {event.id[:8]}")
        else:
            self._discards.remove(event.id)
        cause = group.causes.pop(event.id, "") or exit_text(event, containers)
        if revision in group.checks and not event.exit.ok:
            self._supervisor.spawn(self._explain(group, event.id, cause), name=f"failed start {event.id[:8]}")
        else:
            self._forget(group, event.id, cause, ok=event.exit.ok)

    def life(self, instance: Instance) -> Life:
        """Up to now."""
        lived = self._clock.mono() - instance.created
        return Life(self._clock.now() - lived, 0.0, lived)

    async def _settle(self, spec: WorkerSpec, id: str, life: Life) -> None:
        """What the engine knows of it goes only when its life is on the bill."""
        await self._metering.ended(Billed.of(spec), id, life)
        self._discards.remove(id)

    async def _explain(self, group: Group, id: str, cause: str) -> None:
        """It ended under check: its last lines are part of the answer."""
        lines = await self._engine.logs({labels.INSTANCE: id}, limit=20)
        self._forget(group, id, cause, more=log_tail(lines))

    # Carrying out

    def _carry_out(self, group: Group, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Start(id, revision):
                    self._owners[id] = group
                    spec, images = group.specs[revision]
                    self._supervisor.spawn(self._start(group, spec, images, id), name=f"start {id[:8]}")
                case Stop(id):
                    self._discards.stop(id)
                case decisions.Checked(revision, failure):
                    if (checked := group.checks.pop(revision, None)) is not None:
                        checked(revision, failure)
        self._set_timer(group)

    async def _start(self, group: Group, spec: WorkerSpec, images: Sequence[str], id: str) -> None:
        try:
            opened = await self._secrets.open(spec.secrets)
            await self._engine.start(_instance_spec(spec, images, id, self._discards.grace, self._folders, opened))
        except HomerunError as error:
            self._discards.remove(id)
            self._forget(group, id, f"It did not start: {error.message}.")
            return
        instance = group.crew.instances.get(id)
        if instance is not None and instance.state is State.STOPPING:
            # It was told to stop before there was anything to stop.
            self._discards.stop(id)

    def _forget(self, group: Group, id: str, cause: str, *, ok: bool = False, more: str = "") -> None:
        self._owners.pop(id, None)
        group.ready.pop(id, None)
        revision = group.crew.revision_of[id]
        self._carry_out(group, group.crew.exited(id, self._clock.mono(), cause, ok=ok, more=more))
        self._tidy(group, revision)
        if self._closing and not self._owners:
            self._empty.set()

    def _set_timer(self, group: Group) -> None:
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None
        if (wake := group.crew.wake) is not None:
            delay = max(wake - self._clock.mono(), 0.0)
            group.timer = asyncio.get_running_loop().call_later(delay, self._on_timer, group)

    def _on_timer(self, group: Group) -> None:
        group.timer = None
        self._carry_out(group, group.crew.tick(self._clock.mono()))

    def _group(self, pool: str) -> Group:
        if pool not in self._groups:
            self._groups[pool] = Group(pool, Crew(ids.instance_id))
        return self._groups[pool]

    def _tidy(self, group: Group, revision: str) -> None:
        """Of a released revision nothing is kept when its last instance is gone."""
        if not group.crew.knows(revision) and revision not in group.crew.revision_of.values():
            if (known := group.specs.pop(revision, None)) is not None:
                self._metering.gone(Billed.of(known[0]))


def _instance_spec(
    spec: WorkerSpec, images: Sequence[str], id: str, grace: float, folders: Folders, opened: Opened
) -> InstanceSpec:
    system = spec.environment()
    return InstanceSpec(
        id=id,
        containers=container_specs(spec.containers, images, opened.beside(lambda container: system)),
        labels={**labels.of_worker(spec, id), LABEL: Billed.of(spec).label},
        grace=grace,
        volumes=volume_specs(spec.volumes, spec.containers.memory, folders, opened.files),
    )
