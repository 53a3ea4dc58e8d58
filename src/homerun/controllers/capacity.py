"""Instances of services: carries out what the fleets decide, and tells them what happens.

Nothing durable is written here, on purpose: a request waits for what happens in this file. An instance starts first;
the engine's own records are what survives a crash, and `adopt` brings them back.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from typing import Protocol

from homerun.aio.tasks import Supervisor
from homerun.controllers.allotments import Allotments, allowance
from homerun.controllers.checkpoints import CheckpointKeeper
from homerun.controllers.cpu_samples import CpuSamples
from homerun.controllers.discards import Discards
from homerun.controllers.failure import exit_text, start_failure
from homerun.controllers.group import Group
from homerun.controllers.instance_spec import InstanceSpecs
from homerun.controllers.observer import Observer
from homerun.controllers.orphans import Orphans
from homerun.controllers.plane import Plane
from homerun.controllers.revision import Checked
from homerun.controllers.revision_status import Standing
from homerun.controllers.scaling import prospect, scaling, shares
from homerun.controllers.secrets import Secrets
from homerun.controllers.standbys import StandbyKeeper, can_wait
from homerun.controllers.volumes import NO_FOLDERS, Folders
from homerun.core.billed import Billed
from homerun.core.billing import Life
from homerun.core.fleet import Command, Drain, Fleet, Load, Recall, Resume, Start, Stop, Withhold
from homerun.core.instance import Instance, State
from homerun.engine.base import (
    Engine,
    Event,
    Exited,
    InstanceSpec,
    InstanceState,
    Phase,
    Probed,
    Ready,
)
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError, NotFound
from homerun.model import labels, names
from homerun.model.probe import Check
from homerun.model.revision import RevisionSpec
from homerun.store.base import Document
from homerun.wire.link import InstanceUp, Usage


class Metering(Protocol):
    """Who counts what is billed."""

    def used(self, billed: Billed, usage: Usage) -> None: ...

    def late(self, usage: Usage) -> None:
        """Of a revision that is gone: its last words."""
        ...

    def kept(self, billed: Billed, count: int) -> None:
        """From now on the minimum keeps so many ready instances."""
        ...

    async def ended(self, billed: Billed, instance: str, life: Life) -> None:
        """Returns when that cannot get lost any more; telling it again changes nothing."""
        ...

    def gone(self, billed: Billed) -> None: ...


class Capacity:
    def __init__(
        self,
        engine: Engine,
        plane: Plane,
        supervisor: Supervisor,
        clock: Clock,
        metering: Metering,
        discards: Discards,
        secrets: Secrets,
        *,
        idle_timeout: float,
        queue_wait: float = 10,
        folders: Folders = NO_FOLDERS,
        standby: int = 0,
        checkpoints: bool = False,
    ) -> None:
        self._engine, self._plane, self._supervisor, self._clock = engine, plane, supervisor, clock
        self._metering, self._discards = metering, discards
        self._idle_timeout, self._queue_wait = idle_timeout, queue_wait
        self._specs = InstanceSpecs(secrets, folders, discards.grace)
        self._groups: dict[str, Group] = {}
        self._owners: dict[str, Group] = {}
        self._orphans = Orphans(engine)
        self._allotments = Allotments(engine, clock)
        self._cpu_samples = CpuSamples(engine, supervisor, clock, self.on_cpu)
        self.keeper = StandbyKeeper(engine, supervisor, clock, self._spec_of, standby)
        self.checkpoints = CheckpointKeeper(engine, supervisor, self._spec_of, self.keeper.gone, wanted=checkpoints)
        self._empty: asyncio.Event | None = None
        self.observer = Observer()
        self.on_minimum: Callable[[str], None] = lambda revision: None
        """Called with a revision that has reached its minimum of instances, or has them no longer."""

    def group(self, revision: str) -> Group | None:
        return self._groups.get(revision)

    @property
    def groups(self) -> Collection[Group]:
        return self._groups.values()

    def revisions_of(self, service: str) -> list[str]:
        return [name for name, group in self._groups.items() if group.spec.service == service]

    def standing(self, revision: str) -> Standing:
        group = self._groups.get(revision)
        if group is None:
            return Standing()
        return Standing(group.fleet.minimum, group.fleet.short, group.fleet.failure)

    # What the controllers ask for

    def adopt(self, states: Iterable[InstanceState], revisions: Container[str]) -> None:
        """What the engine found after a restart. Each waits until its revision is configured; `revisions` exist."""
        for state in states:
            revision = state.labels.get(labels.REVISION)
            if revision is None or labels.SERVICE not in state.labels:
                continue
            if revision in revisions:
                self._orphans.add(revision, state.id)
            else:
                self._discard(state)

    def configure(self, revision: Document, images: Sequence[str], owner: Document | None) -> None:
        """The revision exists and may have instances; new limits take effect at once."""
        spec = RevisionSpec.parse(revision.body)
        limits = scaling(spec, owner)
        group = self._groups.get(spec.name)
        if group is None or group.fleet.closed:
            # One of the same name that was deleted may still finish its requests: it has no part in this one.
            new_id = functools.partial(self.keeper.take, spec.name)
            group = Group(spec, images, Fleet(limits, self._idle_timeout, new_id))
            self._groups[spec.name] = group
            self._announce(group)
            self._claim(group, self._orphans.take(spec.name))
        group.prospect = max(prospect(spec, owner), 1)
        routed = owner is not None and names.last(spec.name) in shares(owner.body)
        group.can_wait = routed and can_wait(spec)
        if group.routed and not routed:
            self.checkpoints.gone(spec.name)
        group.routed = routed
        self._share_out([group, *self._siblings(group, owner)], owner)

    def _siblings(self, group: Group, service: Document | None) -> list[Group]:
        """The other revisions that have a share in the service."""
        ids = shares(service.body) if service is not None else ()
        names = (f"{group.spec.service}/revisions/{id}" for id in ids)
        found = (self._groups.get(name) for name in names)
        return [other for other in found if other is not None and other is not group]

    def _share_out(self, groups: list[Group], service: Document | None) -> None:
        """New limits, those that grow first: none gives up what it has before the others have what they should."""
        new = [(group, scaling(group.spec, service)) for group in groups]
        for group, limits in sorted(new, key=lambda one: one[0].fleet.minimum - one[1].minimum):
            self._hold(group, groups)
            before = group.fleet.maximum
            commands = group.fleet.configure(limits, self._clock.mono())
            if group.fleet.maximum != before:
                self._announce(group)
            self._carry_out(group, commands)

    def _hold(self, group: Group, groups: Iterable[Group]) -> None:
        group.fleet.held = any(other.holds_others for other in groups if other is not group)

    def _let_go(self, group: Group) -> None:
        """It has what it should have, or cannot get it: those that waited for it need not wait any more."""
        groups = [g for g in self._groups.values() if g.spec.service == group.spec.service]
        for other in groups:
            if other.fleet.held:
                self._hold(other, groups)
                self._carry_out(other, other.fleet.tick(self._clock.mono()))

    def check(self, revision: str, checked: Checked) -> None:
        """Start one instance whatever the load, or as many as it should have at once when the traffic moves to it;
        `checked` is told how it went."""
        group = self._groups[revision]
        group.checked = checked
        if group.fleet.count(State.READY) >= group.prospect:
            self._report_check(group, "")
        else:
            self._carry_out(group, group.fleet.check(self._clock.mono(), group.prospect))

    def release(self, revision: str) -> None:
        """The revision is gone: what runs finishes its requests and stops."""
        for state in self._orphans.take(revision):
            self._discard(state)
        self.checkpoints.gone(revision)
        self._release(revision)

    def _release(self, revision: str) -> None:
        self.keeper.gone(revision)
        group = self._groups.get(revision)
        if group is not None:
            group.checked = None
            self._carry_out(group, group.fleet.close(self._clock.mono()))
            self._let_go(group)
            self._drop_if_empty(group)

    async def stop_all(self) -> None:
        """Stop every instance, and wait until they are gone; after the grace period they are killed."""
        for group in list(self._groups.values()):
            self._release(group.spec.name)
        for id, group in list(self._owners.items()):
            self._stop(group, id)
        self._empty = asyncio.Event()
        if self._owners:
            await self._empty.wait()

    def close(self) -> None:
        """No more timers: nothing happens from here on."""
        for group in self._groups.values():
            if group.timer is not None:
                group.timer.cancel()
        self._allotments.close()
        self.keeper.close()

    # What the routers report

    def on_demand(self, revision: str, in_flight: int, waiting: int) -> None:
        if (group := self._groups.get(revision)) is not None:
            self._carry_out(group, group.fleet.demand(in_flight, waiting, self._clock.mono()))
            if waiting and group.fleet.hopeless:
                # The last start failed and the next one is not due yet: say why instead of letting them wait.
                self._announce(group)

    def on_usage(self, usage: Usage) -> None:
        group = self._groups.get(usage.revision)
        if group is None:
            self._metering.late(usage)
            return
        self._metering.used(Billed.of(group.spec), usage)
        if usage.requests:
            self.keeper.used(usage.revision)
        loads = {use.instance: Load(use.in_flight, use.idle) for use in usage.instances}
        now = self._clock.mono()
        self._carry_out(
            group, group.fleet.usage(usage.concurrency, usage.in_flight, usage.waiting, loads, now, usage.requests)
        )
        self._cpu_samples.look(usage.revision, list(group.ready))

    def on_cpu(self, revision: str, used_cores: float, span: float) -> None:
        """Cores that its ready instances used together, averaged over the last `span` seconds; told under traffic."""
        if (group := self._groups.get(revision)) is not None:
            self._carry_out(group, group.fleet.cpu(used_cores, self._clock.mono(), span))

    def on_drained(self, instance: str) -> None:
        if (group := self._owners.get(instance)) is not None:
            self._carry_out(group, group.fleet.drained(instance, self._clock.mono()))

    def on_router_lost(self, revision: str) -> None:
        if (group := self._groups.get(revision)) is not None:
            self._carry_out(group, group.fleet.lost_sight(self._clock.mono()))

    def on_instance_failed(self, instance: str, reason: str) -> None:
        if (group := self._owners.get(instance)) is not None:
            self._carry_out(group, group.fleet.failed(instance, self._clock.mono()))

    def on_busy(self, instance: str) -> None:
        self._allotments.busy(instance)

    def on_idle(self, instance: str) -> None:
        self._allotments.idle(instance)

    # What the engine tells

    def on_event(self, event: Event) -> bool:
        """False: not an instance of a service."""
        group = self._owners.get(event.id)
        if group is None:
            return False
        match event:
            case Ready():
                self._on_ready(group, event)
            case Probed():
                self._on_probed(group, event)
            case Exited():
                self._on_exited(group, event)
        return True

    def _on_ready(self, group: Group, event: Ready) -> None:
        now = self._clock.mono()
        instance = group.fleet.instances.get(event.id)
        if instance is None or event.address is None:
            return
        group.ready[event.id] = event
        self.checkpoints.ready(group.spec, event)
        before = group.deadline(self._queue_wait)
        commands = group.fleet.ready(event.id, now)
        if instance.state is State.READY:
            address = event.address
            self._plane.instance_up(InstanceUp(group.spec.name, event.id, address.host, address.port))
            self._allotments.add(event.id, allowance(group.spec.containers))
        self._carry_out(group, commands)
        self.observer.ready(group.spec, event, now - instance.created)
        if before != group.deadline(self._queue_wait):
            self._announce(group)
        if not group.fleet.checking:
            self._report_check(group, "")

    def _on_probed(self, group: Group, event: Probed) -> None:
        self.observer.probed(group.spec, event)
        if event.check is Check.READINESS:
            change = group.fleet.unready if event.unready else group.fleet.ready_again
            self._carry_out(group, change(event.id, self._clock.mono()))
        elif not event.well:
            group.causes[event.id] = event.message or event.wrong
            # Nothing new for it while it is on its way out.
            group.fleet.unwell(event.id)
            self._plane.instance_unready(event.id, True)

    def _on_exited(self, group: Group, event: Exited) -> None:
        instance = group.fleet.instances.get(event.id)
        if instance is None:
            return
        oom = exit_text(event, group.spec.containers) if event.exit.oom else ""
        self._plane.instance_gone(event.id, oom)
        if instance.ready_at is None and instance.state is State.STARTING:
            self._supervisor.spawn(self._explain_failure(group, event), name=f"failed start {event.id[:8]}")
            return
        ill = group.causes.pop(event.id, None) is not None
        if instance.state in (State.READY, State.UNREADY) and not ill:
            self.observer.exited(group.spec, event, exit_text(event, group.spec.containers))
        life = self.life(group, instance)
        if event.exit.seen:
            self._supervisor.spawn(self._settle(group.spec, event.id, life), name=f"settle {event.id[:8]}")
        else:
            self._discards.remove(event.id)
        self._forget(group, event.id, "", ill=ill)

    def life(self, group: Group, instance: Instance) -> Life:
        """Up to now."""
        now = self._clock.mono()
        lived, stopping = now - instance.created, now - group.stopping.get(instance.id, now)
        started = self._clock.now() - lived
        ready = group.ready.get(instance.id)
        startup = max(ready.at - started, 0.0) if ready is not None else lived - stopping
        return Life(started, startup, lived, stopping)

    def _discard(self, state: InstanceState) -> None:
        """One that the engine found, and that is of no use: it is stopped, and what it has cost goes on the bill."""
        self._discards.settle(state, self._metering.ended, self._clock.now())

    async def _settle(self, spec: RevisionSpec, id: str, life: Life) -> None:
        """What the engine knows of it goes only when its life is on the bill."""
        await self._metering.ended(Billed.of(spec), id, life)
        self._discards.remove(id)

    # Carrying out

    def _carry_out(self, group: Group, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Start(id):
                    self._owners[id] = group
                    self.observer.starting(group.spec, id, group.fleet.history[-1].decision)
                    self._supervisor.spawn(self._start(group, id), name=f"start {id[:8]}")
                case Drain(id):
                    self._plane.instance_drain(id)
                case Recall(id):
                    self._plane.instance_recall(id)
                case Stop(id):
                    self._stop(group, id)
                case Withhold(id):
                    self._plane.instance_unready(id, True)
                case Resume(id):
                    self._plane.instance_unready(id, False)
        self._set_timer(group)
        if (kept := group.keeps) != group.kept:
            group.kept = kept
            self._metering.kept(Billed.of(group.spec), kept)
        slow = self.checkpoints.checkpoints.concerns(group.spec.name)
        self.keeper.allow(group.spec.name, group.can_wait and group.expandable and not slow)
        short = (True, group.fleet.failure) if group.fleet.short else (False, "")
        if short != group.short:
            group.short = short
            self.on_minimum(group.spec.name)
            if not group.fleet.short or group.fleet.failure:
                self._let_go(group)

    async def _start(self, group: Group, id: str) -> None:
        try:
            await self._engine.start(await self._spec(group, id))
        except HomerunError as error:
            self.observer.not_started(group.spec, id, error.message)
            self._forget(group, id, error.message, unborn=True)
            self._discards.remove(id)
            self.keeper.dismiss(id)
            return
        instance = group.fleet.instances.get(id)
        if instance is not None and instance.state is State.STOPPING:
            # It was told to stop before there was anything to stop.
            self._stop(group, id)

    async def _spec(self, group: Group, id: str) -> InstanceSpec:
        return await self._specs.make(id, group.spec, group.images, self.checkpoints.name(group.spec))

    async def _spec_of(self, revision: str, id: str) -> InstanceSpec:
        if (group := self._groups.get(revision)) is None:
            raise NotFound(f"revision {revision} is gone")
        return await self._spec(group, id)

    def _stop(self, group: Group, id: str) -> None:
        self._allotments.forget(id)
        group.stopping.setdefault(id, self._clock.mono())
        self._discards.stop(id)

    async def _explain_failure(self, group: Group, event: Exited) -> None:
        """An instance ended before it was ready: find out why, then let the fleet decide what follows."""
        cause, life = group.causes.pop(event.id, ""), self.life(group, group.fleet.instances[event.id])
        if not cause:
            cause = exit_text(event, group.spec.containers)
            self.observer.exited(group.spec, event, cause)
            if (probed := group.cancelled_probe(event, self._clock.mono())) is not None:
                self.observer.probed(group.spec, probed)
        self.observer.not_started(group.spec, event.id, "")
        lines = await self._engine.logs({labels.INSTANCE: event.id}, limit=20)
        self._forget(group, event.id, start_failure(group.spec.ingress.port or 0, cause, lines))
        await self._settle(group.spec, event.id, life)

    def _forget(self, group: Group, id: str, failure: str, *, ill: bool = False, unborn: bool = False) -> None:
        self._owners.pop(id, None)
        self._allotments.forget(id)
        group.ready.pop(id, None)
        group.stopping.pop(id, None)
        commands = group.fleet.exited(id, self._clock.mono(), failure, ill=ill, unborn=unborn)
        if not self._owners and self._empty is not None:
            self._empty.set()
        self.observer.ended(id)
        if failure:
            self._announce(group)
        if not group.fleet.checking:
            self._report_check(group, group.fleet.failure if group.fleet.hopeless else "")
        self._carry_out(group, commands)
        self._drop_if_empty(group)

    def _report_check(self, group: Group, failure: str) -> None:
        if group.checked is not None:
            checked, group.checked = group.checked, None
            checked(group.spec.name, failure)

    def _announce(self, group: Group) -> None:
        if self._groups.get(group.spec.name) is not group:
            return
        self._plane.set_revision(group.announcement(self._queue_wait))

    def _set_timer(self, group: Group) -> None:
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None
        wake = group.fleet.wake
        if wake is not None:
            delay = max(wake - self._clock.mono(), 0.0)
            group.timer = asyncio.get_running_loop().call_later(delay, self._on_timer, group)

    def _on_timer(self, group: Group) -> None:
        group.timer = None
        self._carry_out(group, group.fleet.tick(self._clock.mono()))

    def _drop_if_empty(self, group: Group) -> None:
        if group.fleet.closed and not group.fleet.instances and self._groups.get(group.spec.name) is group:
            del self._groups[group.spec.name]
            self._cpu_samples.forget(group.spec.name)
            self._plane.drop_revision(group.spec.name)
            self._metering.gone(Billed.of(group.spec))
            self.observer.gone(group.spec.name)

    def _claim(self, group: Group, states: Iterable[InstanceState]) -> None:
        """Take over instances that ran before this process did."""
        now = self._clock.mono()
        offset = now - self._clock.now()
        for state in states:
            if state.leaving:  # what was told to end is told again
                self._discard(state)
                continue
            instance = Instance(state.id, state.started + offset)
            self._owners[state.id] = group
            self.keeper.used(group.spec.name)
            if state.phase is Phase.READY and state.address is not None:
                instance.state = State.UNREADY if state.unready else State.READY
                instance.ready_at = instance.idle_since = now
                group.ready[state.id] = Ready(state.id, state.address, state.ready or state.started)
                self.observer.adopted(group.spec, group.ready[state.id])
                address, unready = state.address, bool(state.unready)
                up = InstanceUp(group.spec.name, state.id, address.host, address.port, unready)
                self._plane.instance_up(up)
                self._allotments.add(state.id, allowance(group.spec.containers), adopted=True)
            group.fleet.adopt([instance])
