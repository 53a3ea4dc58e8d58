"""The Engine on this machine's kernel: an OCI runtime for each instance, and no daemon in between.

Starts run in threads (starts.py) and return when the first programs run. From then on the event loop watches
(lives.py), until nothing is left (finish.py). What is on disk (records.py) suffices to find everything again in another
process (adopt.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from homerun.aio.tasks import Supervisor
from homerun.engine.base import (
    EngineUnavailable,
    Event,
    Image,
    InstanceSpec,
    InstanceState,
    Listener,
    LogLine,
    Origin,
    Phase,
)
from homerun.engine.oci import adopt, firewall, host, syslog, volumes
from homerun.engine.oci.checkpoints import Checkpoints
from homerun.engine.oci.doors import Door, open_doors
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.launch import Host
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.lives import Lives
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.network import NetworkPool
from homerun.engine.oci.sandbox import Disk, Sandboxes
from homerun.engine.oci.sealed import SealedProgram
from homerun.engine.oci.spool import Spool
from homerun.engine.oci.standbys import Standbys
from homerun.engine.oci.starts import Images, Starts, check
from homerun.lib.clock import Clock
from homerun.lib.errors import AlreadyExists, FailedPrecondition


class OciEngine:
    """`runtime`: crun, runc or a path; empty: the first that works. `tasks`: processes and threads per container.
    `root_disk`: bytes that a container may write, on disk; 0: in memory, within its limit. `user_namespaces`: root in a
    container is nobody here. `doors`: what instances may reach of this host. `criu`: its path, for checkpoints; empty:
    there are none."""

    def __init__(
        self,
        state: Path,
        images: Images,
        *,
        clock: Clock,
        runtime: str = "",
        tasks: int = 4096,
        threads: int = 4,
        root_disk: int = 0,
        user_namespaces: bool = False,
        doors: Sequence[Door] = (),
        criu: str = "",
    ) -> None:
        self._layout = Layout(state.absolute(), user_namespaces)
        self._images = images
        self._clock = clock
        self._wanted = runtime
        self._task_limit = tasks
        self._threads = threads
        self._disk = Disk(self._layout.state, root_disk) if root_disk else None
        self._doors = doors
        self._criu = criu
        self._checkpoints: Checkpoints | None = None
        self._logs = Logs(self._layout.logs)
        self.output = Spool(self._logs, self._is_over, lambda id: id not in self._instances)
        self._instances: dict[str, Instance] = {}
        self._listener: Listener = lambda event: None
        self._tasks = Supervisor(on_error=lambda name, error: None)  # whoever called start hears of it
        self._starting: set[asyncio.Task[None]] = set()
        self._lock: int | None = None

    # Opening and closing

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self._lock, conmon, cgroups = host.require(self._layout)
        self._ids, self._program = None, None
        self._sandboxes = Sandboxes(host.detached(cgroups), self._threads)
        self._waiters = Sandboxes(host.detached(cgroups), self._threads)
        try:
            cgroups.prepare()
            if self._layout.mapped:
                self._ids = await asyncio.to_thread(IdMap.open)
            runtime = await host.choose_runtime(self._wanted, self._layout, cgroups, conmon, self._sandboxes, self._ids)
            if runtime.name == "crun":  # runc gains nothing by it
                self._program = SealedProgram(runtime.path)
                runtime = replace(runtime, sealed=self._program)
            own = next((door.address for door in self._doors if door.port == 53), "")
            self._host = Host(self._layout, cgroups, runtime, conmon, self._task_limit, self._disk, own, self._ids)
            if self._criu:
                self._checkpoints = await asyncio.to_thread(
                    Checkpoints, self._layout.checkpoints, self._layout.run, self._criu
                )
            inbox = syslog.Syslog(self._logs, self._clock)
            self._lives = Lives(self._host, self._clock, self._tell, self._over, inbox)
            await asyncio.to_thread(self._logs.open)
            found = await asyncio.to_thread(adopt.adopt, self._host, self._clock)
            for id in found.unborn:
                self._logs.drop(id)
            await asyncio.to_thread(adopt.forget, self._host, found.unborn)
            await asyncio.to_thread(self._open_network, found)
            self._open_starts()
            self.output.open()
        except BaseException:
            self._close_sandboxes()
            os.close(self._lock)
            self._lock = None
            raise
        self._adopt(found)

    def _open_network(self, found: adopt.Found) -> None:
        tag = self._layout.tag
        reserved = frozenset(each.network.address for each in found.running if each.network)
        self._pool = NetworkPool.claim(tag, self._layout.network, reserved)
        subnet = self._pool.subnet
        passages = open_doors(self._doors, subnet.gateway)
        firewall.install(f"homerun_{tag}", self._pool.bridge, str(subnet.network), subnet.gateway, passages)

    def _open_starts(self) -> None:
        sandboxes = self._sandboxes, self._waiters
        self._starts = Starts(
            self._host, self._images, self._logs, self._pool, sandboxes, self._checkpoints, self._clock
        )
        self._standbys = Standbys(self._tasks, self._starts.take_back)

    def _adopt(self, found: adopt.Found) -> None:
        for instance in found.running + found.ended + found.exited:
            self._instances[instance.id] = instance
        for instance in found.running:
            self._starts.adopt(instance)
            if instance.phase is Phase.READY:
                self._lives.allot(instance, None)
        for instance in found.running + found.ended:
            self._lives.adopt(instance)

    async def close(self) -> None:
        """What has begun to start or to end is brought to that end first."""
        if self._lock is None:
            return
        await self._standbys.close()
        while self._starting:
            await asyncio.wait(self._starting)
        await self._lives.close()
        await asyncio.to_thread(self._starts.close)
        left = [each for each in self._instances.values() if each.phase is not Phase.EXITED]
        for instance in left:
            self._lives.let_go(instance)
        self.output.close()
        await asyncio.to_thread(self._close_host, remove=not left)
        os.close(self._lock)
        self._lock = None

    def _close_host(self, *, remove: bool) -> None:
        """With `remove`, no instance is left: the host gets back the state in which we found it."""
        self._close_sandboxes()
        self._pool.close(remove=remove)
        if remove:
            firewall.remove(f"homerun_{self._layout.tag}")
            self._host.cgroups.remove_parents()
            self._layout.clear()

    def _close_sandboxes(self) -> None:
        self._sandboxes.close()
        self._waiters.close()
        if self._program:
            self._program.close()
        if self._ids:
            self._ids.close()

    # Starting

    async def pull(self, reference: str) -> Image:
        return await self._images.pull(reference)

    async def prepare(self, spec: InstanceSpec) -> None:
        if self._checkpoints and self._checkpoints.find(spec):
            raise FailedPrecondition("it goes on from a checkpoint: there is nothing to be made ahead")
        instance, images = self._admit(spec)
        await self._standbys.add(instance, self._starts.prepare(instance, images))

    async def dismiss(self, id: str) -> None:
        await self._standbys.dismiss(id)

    async def checkpoint(self, spec: InstanceSpec) -> None:
        if self._checkpoints is None:
            raise EngineUnavailable("there are no checkpoints without --criu: docs/starts.md")
        [container] = spec.containers
        if container.startup is None:
            raise FailedPrecondition("without a startup probe nobody knows when it is well")
        instance, images = self._admit(spec)
        await self._starts.checkpoint(instance, images)

    async def drop_checkpoint(self, name: str) -> None:
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.drop, name)

    async def start(self, spec: InstanceSpec) -> None:
        standby = await self._standbys.take(spec)
        if standby is None:
            instance, images = self._admit(spec)
            work = self._starts.launch(instance, images)
        else:
            instance = standby.instance
            work = self._starts.release(instance, standby.created)
        self._instances[spec.id] = instance
        starting = instance.starting = self._tasks.spawn(self._start(instance, work), name=f"start {spec.id}")
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            instance.abandoned = True
            if starting.done() and instance.phase is not Phase.EXITED:
                self._lives.kill(instance)
            raise

    def _admit(self, spec: InstanceSpec) -> tuple[Instance, Sequence[Image]]:
        """A record of it is on disk from here on. Raises Invalid, NotFound, AlreadyExists, ResourceExhausted."""
        check(spec)
        if spec.id in self._instances or spec.id in self._standbys or spec.id in self._logs:
            raise AlreadyExists(f"instance {spec.id} exists already")
        return self._starts.admit(spec)

    async def _start(self, instance: Instance, work: Coroutine[None, None, None]) -> None:
        """`work` ends when its programs run."""
        try:
            await work
        except BaseException:
            self._instances.pop(instance.id, None)
            raise
        self._run(instance)

    def _run(self, instance: Instance) -> None:
        self._lives.enter(instance)
        if instance.abandoned:
            self._lives.kill(instance)
        elif instance.grace is not None:
            self._lives.terminate(instance, instance.grace)

    # Ending

    async def stop(self, id: str, grace: float = 10) -> None:
        instance = self._instances.get(id)
        if instance is None or instance.phase is Phase.EXITED:
            return
        if instance.watched is None:
            instance.grace = grace  # its programs do not run yet
        else:
            self._lives.terminate(instance, grace)

    async def _over(self, instance: Instance) -> None:
        """Nothing runs of it any more."""
        if instance.origin is Origin.CHECKPOINT and instance.ready is None:
            await self.drop_checkpoint(instance.spec.checkpoint)  # others would fare no better
        self._starts.free_network(instance)
        self.output.touch(instance.id)
        if instance.abandoned:
            await self.remove(instance.id)

    def _tell(self, instance: Instance, event: Event) -> None:
        if not instance.abandoned:
            self._listener(event)

    async def remove(self, id: str) -> None:
        instance = self._instances.get(id)
        if instance is None:
            return
        if instance.phase is not Phase.EXITED:
            raise FailedPrecondition(f"instance {id} is {instance.phase}: stop it first")
        del self._instances[id]
        self.output.touch(id)
        await asyncio.to_thread(instance.record.delete)

    # CPU

    def allot(self, id: str, cores: float | None) -> None:
        """Some 20 µs, so it is done here and now: a request may wait for it."""
        instance = self._instances.get(id)
        if instance is None or instance.phase is not Phase.READY:
            return
        self._lives.allot(instance, cores)

    async def refresh_files(self, id: str, volume: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        instance = self._instances.get(id)
        if instance is None:
            return
        if instance.starting:
            await asyncio.wait([instance.starting])
        monitors = [part.monitor for part in instance.parts if part.monitor]
        async with instance.writing:
            await asyncio.to_thread(volumes.refresh_files, monitors, self._layout.volumes, volume, files)

    async def cpu_used(self, ids: Iterable[str]) -> Mapping[str, float]:
        known = [id for id in ids if id in self._instances]
        return await asyncio.to_thread(self._read_cpu, known)

    def _read_cpu(self, ids: Sequence[str]) -> dict[str, float]:
        found = {}
        for id in ids:
            with contextlib.suppress(OSError):
                found[id] = self._host.cgroups.cpu_used(id)
        return found

    # Reading

    def _is_over(self, id: str) -> bool:
        instance = self._instances.get(id)
        return instance is None or instance.phase is Phase.EXITED

    def instances(self) -> Sequence[InstanceState]:
        """Without those whose start may still fail."""
        return [instance.state() for instance in self._instances.values() if instance.launched]

    def at(self, host: str) -> InstanceState | None:
        instance = self._starts.at(host)
        return None if instance is None else instance.state()

    async def logs(
        self,
        labels: Mapping[str, str],
        *,
        since: float = 0,
        until: float | None = None,
        limit: int | None = None,
    ) -> Sequence[LogLine]:
        running = {each.id for each in self._instances.values() if each.phase is not Phase.EXITED}
        return await asyncio.to_thread(self._logs.read, labels, since, until, limit, running)
