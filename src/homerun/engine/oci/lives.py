"""What becomes of instances from the moment their first programs run: their containers begin one after the other,
become well, and end, and when the last has ended nothing of the instance is left.

The event loop watches three things: the pidfd of each container's monitor (its end), the probes (what becomes of those
of ready instances is in health.py), and the timer of the grace period.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from homerun.aio.tasks import Supervisor
from homerun.engine.base import Event, Exited, Phase, Probed, Ready
from homerun.engine.oci import finish, listening, probes
from homerun.engine.oci.health import Health
from homerun.engine.oci.instance import Instance, Part
from homerun.engine.oci.launch import Host
from homerun.engine.oci.syslog import Syslog
from homerun.lib.clock import Clock
from homerun.lib.errors import HomerunError
from homerun.model.probe import Check, Probe

_log = logging.getLogger("homerun.engine")


class Lives:
    """`tell`: hears what happens. `over`: called before the last of it, when only its record and network are left."""

    def __init__(
        self,
        host: Host,
        clock: Clock,
        tell: Callable[[Instance, Event], None],
        over: Callable[[Instance], Awaitable[None]],
        syslog: Syslog,
    ) -> None:
        self._host = host
        self._clock = clock
        self._tell = tell
        self._over = over
        self._syslog = syslog
        self._tasks = Supervisor()
        self._health = Health(clock, self._tasks, tell, self._kill_for, self._grant)
        self._ending: set[asyncio.Task[None]] = set()
        self._finishers = ThreadPoolExecutor(2, "homerun-finish")

    async def close(self) -> None:
        """Watch no more; what is about to end does so first."""
        while self._ending:
            await asyncio.wait(self._ending)
        await self._tasks.close()
        await asyncio.to_thread(self._finishers.shutdown)

    def let_go(self, instance: Instance) -> None:
        """It runs on without us."""
        for part in instance.parts:
            self._unwatch(part)
            self._syslog.detach(part)
        if instance.kill:
            instance.kill.cancel()
        if instance.network:
            instance.network.close()
            instance.network = None

    # Becoming ready

    def enter(self, instance: Instance) -> None:
        """The programs of its first containers run since just now: from here on it is watched."""
        self._enter(instance, {part: self._clock.mono() for part in instance.roots})

    def adopt(self, instance: Instance) -> None:
        """Likewise, of one that an earlier process has started. Some of its containers may have ended meanwhile."""
        earlier = self._clock.mono() - self._clock.now()
        self._enter(instance, {part: earlier + part.begun for part in instance.parts if part.begun is not None})

    def _enter(self, instance: Instance, begun: Mapping[Part, float]) -> None:
        instance.watched = self._clock.mono()
        dead = [part for part in instance.parts if not self._watch(instance, part)]
        if instance.phase is Phase.STARTING:
            for part, since in begun.items():
                if part.spec.startup is None or part not in dead:
                    self._await_well(instance, part, since)
        elif instance.phase is Phase.READY and not dead:
            self._health.begin(instance, known=True)
        for part in sorted(dead, key=lambda part: self._end_of(instance, part)):
            asyncio.get_running_loop().call_soon(self._ended, instance, part)

    def _end_of(self, instance: Instance, part: Part) -> float:
        """When that was, as far as anybody knows."""
        status = instance.record.status(part.key)
        return self._clock.now() if status is None else status[1]

    def _await_well(self, instance: Instance, part: Part, since: float) -> None:
        """`since`: when it began, on the monotonic clock."""
        if part.spec.startup is None:
            asyncio.get_running_loop().call_soon(self._become_well, instance, part)
        else:
            work = self._probe(instance, part, part.spec.startup, since)
            part.probe = self._tasks.spawn(work, name=f"probe {part.key}")

    async def _probe(self, instance: Instance, part: Part, probe: Probe, since: float) -> None:
        if instance.network is None or part.init is None:
            return
        verdict, wrong = await probes.wait(instance.network.address, probe, since, self._clock)
        message = ""
        if not verdict.well:
            found = await asyncio.to_thread(listening.of_process, part.init.pid)
            message = listening.explain(probe, found, wrong)
        now, (well, times) = self._clock.now(), (verdict.well, verdict.times)
        self._tell(instance, Probed(instance.id, now, part.spec.name, Check.STARTUP, well, times, wrong, message))
        if well:
            self._become_well(instance, part)
        else:
            self._kill_for(instance, part)

    def _become_well(self, instance: Instance, part: Part) -> None:
        part.well = True
        self._go_on(instance)

    def _go_on(self, instance: Instance) -> None:
        """Something is settled: who waited for it begins, or the instance is ready."""
        if instance.phase is not Phase.STARTING:
            return
        for part in instance.may_begin():
            part.begun = self._clock.now()
            self._track(self._tasks.spawn(self._begin(instance, part), name=f"begin {part.key}"))
        if instance.well:
            instance.phase, instance.ready = Phase.READY, self._clock.now()
            if instance.watched and any(part.spec.startup for part in instance.parts):
                instance.phases["listen"] = self._clock.mono() - instance.watched
            instance.record.write_ready(instance.ready)
            phases = dict(instance.phases)
            self._tell(instance, Ready(instance.id, instance.address, instance.ready, phases, instance.origin))
            self._health.begin(instance)

    async def _begin(self, instance: Instance, part: Part) -> None:
        """Let the program of a container run that has waited for others."""
        assert part.init is not None and part.begun is not None
        instance.record.write_begun(part.key, part.begun)
        try:
            await asyncio.to_thread(self._host.runtime.start, part.key, part.init)
        except (HomerunError, OSError):
            _log.exception("container %s cannot begin", part.key)
            self.kill(instance)
            return
        if instance.phase is Phase.STOPPING:
            part.init.send(signal.SIGTERM)  # the first may have come before the program did
        elif not part.ended:
            self._await_well(instance, part, self._clock.mono())

    # CPU

    def allot(self, instance: Instance, cores: float | None) -> None:
        """Each container gets its share of `cores`; None: what its spec says."""
        instance.cores = cores
        instance.granted = self._granted(instance)
        self._write_quotas(instance)

    def _granted(self, instance: Instance) -> float | None:
        """Who is being asked how it is has what its spec says, or more."""
        throttled = instance.cores is not None and instance.cores < instance.spec.cpu
        return None if throttled and instance.asked else instance.cores

    def _grant(self, instance: Instance) -> None:
        if instance.granted != (granted := self._granted(instance)):
            instance.granted = granted
            self._write_quotas(instance)

    def _write_quotas(self, instance: Instance) -> None:
        """Some 20 µs for each container."""
        total, cores = instance.spec.cpu, instance.granted
        for part in instance.parts:
            with contextlib.suppress(OSError):  # it is ending
                mine = part.spec.cpu
                self._host.cgroups.allot(part.group, mine if cores is None else cores * mine / total)

    # Ending

    def terminate(self, instance: Instance, grace: float) -> None:
        """SIGTERM to all, SIGKILL later. Asked twice, the earlier SIGKILL holds. What has not begun ends at once."""
        fresh = instance.phase is not Phase.STOPPING
        self._health.end(instance)
        if instance.phase is Phase.READY:
            self.allot(instance, None)
        if instance.told is None and instance.first is None and instance.running:
            # On disk before it knows: how it ends says nothing then of how it would have ended.
            instance.told = self._clock.now()
            instance.record.write_told(instance.told)
        instance.phase = Phase.STOPPING
        for part in instance.running:
            if part.probe:
                part.probe.cancel()
            if part.init and fresh:
                part.init.send(signal.SIGTERM if part.begun is not None else signal.SIGKILL)
        loop = asyncio.get_running_loop()
        if instance.kill is None or instance.kill.when() > loop.time() + grace:
            if instance.kill:
                instance.kill.cancel()
            instance.kill = loop.call_later(grace, self.kill, instance)

    def kill(self, instance: Instance) -> None:
        """The first process takes all others of its pid namespace with it."""
        self._health.end(instance)
        instance.phase = Phase.STOPPING
        for part in instance.running:
            if part.init:
                part.init.send(signal.SIGKILL)

    def _kill_for(self, instance: Instance, part: Part) -> None:
        """A probe of `part` says so."""
        self._decide(instance, part)
        self.kill(instance)

    def _watch(self, instance: Instance, part: Part) -> bool:
        """False: it has ended already."""
        part.watch = part.monitor.open() if part.monitor else None
        if part.watch is None:
            return False
        asyncio.get_running_loop().add_reader(part.watch, self._ended, instance, part)
        self._syslog.attach(instance, part)
        return True

    def _unwatch(self, part: Part) -> None:
        if part.watch is not None:
            asyncio.get_running_loop().remove_reader(part.watch)
            os.close(part.watch)
            part.watch = None

    def _ended(self, instance: Instance, part: Part) -> None:
        self._unwatch(part)
        self._syslog.ended(instance, part)
        if part.probe:
            part.probe.cancel()
        if part.begun is not None and part.spec.startup is None and not part.well:
            self._become_well(instance, part)  # it was, though its end is heard of before the return from its start
        part.ended = True
        if len(instance.parts) > 1:
            self._look_at_end(instance, part)
        if not instance.running:
            self._health.end(instance)
            if instance.kill:
                instance.kill.cancel()
            self._track(self._tasks.spawn(self._finish(instance), name=f"finish {instance.id}"))
        elif instance.first is not None and instance.phase is not Phase.STOPPING:
            self.terminate(instance, instance.spec.grace)
        else:
            self._go_on(instance)

    def _look_at_end(self, instance: Instance, part: Part) -> None:
        """Of one of several: what follows depends on it."""
        found = instance.record.status(part.key)
        if found is not None:
            part.status = found[0]
        elif part.init:
            part.init.send(signal.SIGKILL)  # only its monitor is gone
        if instance.decides(part):
            self._decide(instance, part)

    def _decide(self, instance: Instance, part: Part) -> None:
        """Its end is that of the instance, unless another one's is. On disk, before the others follow."""
        if instance.first is None:
            instance.first = part
            if len(instance.parts) > 1:
                instance.record.write_first(part.spec.name)

    def _track(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self, instance: Instance) -> None:
        loop = asyncio.get_running_loop()
        work = functools.partial(finish.finish, self._host, instance, self._clock.now())
        ended = await loop.run_in_executor(self._finishers, work)
        instance.exited, instance.exit, instance.ended_first = ended.at, ended.exit, ended.container
        instance.phase = Phase.EXITED
        await self._over(instance)
        self._tell(instance, Exited(instance.id, ended.at, ended.exit, ended.container))
