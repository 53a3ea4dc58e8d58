"""The Engine on this machine's kernel: an OCI runtime for each instance, and no daemon in between.

Starts run in threads (sandbox.py, launch.py) and return when the first programs run. From then on the event loop
watches (lives.py), until nothing is left (finish.py). What is on disk (records.py) suffices to find everything again in
another process (adopt.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from homerun.aio.tasks import Supervisor
from homerun.engine.base import (
    Address,
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
from homerun.engine.oci import adopt, firewall, host, launch, probes, procfs, sandbox, syslog, volumes
from homerun.engine.oci.checkpoints import Checkpoint, Checkpoints
from homerun.engine.oci.doors import Door, open_doors
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.instance import Instance, Part
from homerun.engine.oci.launch import Host, Item, Order
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.lives import Lives
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.monitor import Monitor, kill_tree
from homerun.engine.oci.network import NetworkPool
from homerun.engine.oci.records import Pair, Record, Running
from homerun.engine.oci.sandbox import Disk, Sandboxes
from homerun.engine.oci.spool import Spool
from homerun.engine.oci.standbys import Standby, Standbys
from homerun.lib import disk
from homerun.lib.clock import Clock
from homerun.lib.errors import AlreadyExists, FailedPrecondition, HomerunError, Internal, Invalid, NotFound

T = TypeVar("T")
_log = logging.getLogger("homerun.engine")
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_SETTLE, _DUMPS = 0.3, 4
"""Seconds until it has got over its probes, and how often it is tried: connections may come and go."""
_MOST = 10
"""Containers of an instance (contract §13.3)."""


class Images(Protocol):
    """Where images come from: homerun.engine.images.store.ImageStore."""

    async def pull(self, reference: str) -> Image: ...
    def find(self, pinned: str) -> Image | None: ...
    def lowerdirs(self, image: Image) -> tuple[Path, ...]: ...


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
        self._by_address: dict[str, Instance] = {}
        self._listener: Listener = lambda event: None
        self._starts = Supervisor(on_error=lambda name, error: None)  # whoever called start hears of it
        self._starting: set[asyncio.Task[None]] = set()
        self._standbys = Standbys(self._starts, self._take_back)
        self._releasers = ThreadPoolExecutor(2, "homerun-release")
        self._hasteners = ThreadPoolExecutor(1, "homerun-hasten")
        self._hastening: Future[None] | None = None
        self._lock: int | None = None

    # Opening and closing

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self._lock, conmon, cgroups = host.require(self._layout)
        self._ids = None
        self._sandboxes = Sandboxes(host.detached(cgroups), self._threads)
        self._waiters = Sandboxes(host.detached(cgroups), self._threads)
        try:
            cgroups.prepare()
            if self._layout.mapped:
                self._ids = await asyncio.to_thread(IdMap.open)
            runtime = await host.choose_runtime(self._wanted, self._layout, cgroups, conmon, self._sandboxes, self._ids)
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

    def _adopt(self, found: adopt.Found) -> None:
        for instance in found.running + found.ended + found.exited:
            self._instances[instance.id] = instance
        for instance in found.running:
            if instance.network:
                self._by_address[instance.network.address] = instance
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
        await asyncio.to_thread(self._hasteners.shutdown)
        await asyncio.to_thread(self._releasers.shutdown)
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
            self._host.cgroups.remove_parent()
            self._layout.clear()

    def _close_sandboxes(self) -> None:
        self._sandboxes.close()
        self._waiters.close()
        if self._ids:
            self._ids.close()

    # Starting

    async def pull(self, reference: str) -> Image:
        return await self._images.pull(reference)

    async def prepare(self, spec: InstanceSpec) -> None:
        if self._checkpoints and self._checkpoints.find(spec):
            raise FailedPrecondition("it goes on from a checkpoint: there is nothing to be made ahead")
        instance, images = self._admit(spec)
        await self._standbys.add(instance, self._create_within(instance, images, self._host))

    async def dismiss(self, id: str) -> None:
        await self._standbys.dismiss(id)

    async def checkpoint(self, spec: InstanceSpec) -> None:
        if self._checkpoints is None:
            raise EngineUnavailable("there are no checkpoints without --criu: docs/starts.md")
        [container] = spec.containers
        if container.startup is None:
            raise FailedPrecondition("without a startup probe nobody knows when it is well")
        instance, images = self._admit(spec)
        created: Sequence[Monitor] = ()
        try:
            host = replace(self._host, runtime=self._checkpoints.runtime)
            created = await self._create_within(instance, images, host)
            await self._write_down(instance, created, host)
        finally:
            await asyncio.to_thread(self._take_back, instance, created)

    async def _write_down(self, instance: Instance, created: Sequence[Monitor], host: Host) -> None:
        """Once it is well."""
        assert self._checkpoints is not None and instance.network is not None
        [part], [made] = instance.parts, created
        probe, address = part.spec.startup, instance.network.address
        assert probe is not None
        self._by_address[address] = instance  # it may ask who it is
        await asyncio.to_thread(host.runtime.start, part.key, made.init)
        verdict, wrong = await probes.wait(address, probe, self._clock.mono(), self._clock)
        if not verdict.well:
            raise FailedPrecondition(f"it did not become well: {wrong}")
        upper = sandbox.upper(self._layout.sandbox, host.disk)
        work = functools.partial(self._checkpoints.dump, instance.spec, part.key, made, upper)
        for attempt in range(1, _DUMPS + 1):
            await asyncio.sleep(_SETTLE * attempt)
            try:
                await self._within(instance, work)
                return
            except FailedPrecondition:
                if attempt == _DUMPS:
                    raise

    async def drop_checkpoint(self, name: str) -> None:
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.drop, name)

    async def start(self, spec: InstanceSpec) -> None:
        standby = await self._standbys.take(spec)
        if standby is None:
            instance, images = self._admit(spec)
            work = self._start(instance, images)
        else:
            instance, work = standby.instance, self._start_prepared(standby)
        self._instances[spec.id] = instance
        starting = instance.starting = self._starts.spawn(work, name=f"start {spec.id}")
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            instance.abandoned = True
            if starting.done() and instance.phase is not Phase.EXITED:
                self._lives.kill(instance)
            raise

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """What the kernel refuses at a start."""
        try:
            yield
        except OSError as error:
            if disk.is_full(error):
                raise disk.explain(error, self._layout.state) from error
            raise Internal(f"the instance cannot be started: {error}") from error

    def _admit(self, spec: InstanceSpec) -> tuple[Instance, Sequence[Image]]:
        """A record of it is on disk from here on. Raises Invalid, NotFound, AlreadyExists, ResourceExhausted."""
        _check(spec)
        images = []
        for container in spec.containers:
            image = self._images.find(container.image)
            if image is None:
                raise NotFound(f"image {container.image} is not here: pull it first")
            images.append(image)
        if spec.id in self._instances or spec.id in self._standbys or spec.id in self._logs:
            raise AlreadyExists(f"instance {spec.id} exists already")
        self._hasten()
        with self._in_words():
            record = Record.create(self._layout.instances, spec)
        return Instance(spec, record, self._clock.now()), images

    def _hasten(self) -> None:
        """Once for all starts at the same time."""
        if self._hastening is None or self._hastening.done():
            self._hastening = self._hasteners.submit(self._host.cgroups.hasten)

    def _items(self, instance: Instance, images: Sequence[Image]) -> list[Item]:
        return [
            Item(part.spec, part.key, part.group, image, self._images.lowerdirs(image), self._logs.file(part.key))
            for part, image in zip(instance.parts, images, strict=True)
        ]

    async def _within(self, instance: Instance, work: Callable[[], T]) -> T:
        """`work` in a mount namespace that is the instance's."""
        # What waits for a server that may be gone must not keep the others waiting.
        sandboxes = self._waiters if volumes.waits_for_others(instance.spec.volumes) else self._sandboxes
        with self._in_words():
            return await sandboxes.run(work)

    async def _create_within(self, instance: Instance, images: Sequence[Image], host: Host) -> Sequence[Monitor]:
        items, asked = self._items(instance, images), self._clock.mono()
        return await self._within(instance, functools.partial(self._create, instance, items, asked, host))

    async def _start(self, instance: Instance, images: Sequence[Image]) -> None:
        items, asked = self._items(instance, images), self._clock.mono()
        try:
            await self._within(instance, functools.partial(self._launch, instance, items, asked))
        except BaseException:
            self._instances.pop(instance.id, None)
            raise
        self._run(instance)

    async def _start_prepared(self, standby: Standby) -> None:
        instance = standby.instance
        work = functools.partial(self._release_prepared, instance, standby.created, self._clock.mono())
        try:
            with self._in_words():
                await asyncio.get_running_loop().run_in_executor(self._releasers, work)
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

    def _launch(self, instance: Instance, items: Sequence[Item], asked: float) -> None:
        """In a sandbox thread. Either its first programs run afterwards, or nothing of it is left."""
        found = self._checkpoints.find(instance.spec) if self._checkpoints else None
        if found is None or not self._restore(instance, items, asked, found):
            self._release(instance, self._create(instance, items, asked, self._host))

    def _create(self, instance: Instance, items: Sequence[Item], asked: float, host: Host) -> Sequence[Monitor]:
        """Likewise: its programs wait to be let go."""
        try:
            return self._make(instance, items, asked, host)
        except BaseException:
            self._take_back(instance, ())
            raise

    def _make(self, instance: Instance, items: Sequence[Item], asked: float, host: Host) -> Sequence[Monitor]:
        began = self._clock.mono()
        instance.phases["queue"] = began - asked
        network = instance.network = self._pool.take()
        instance.phases["network"] = self._clock.mono() - began
        spec, folder = instance.spec, instance.record.folder
        order = Order(instance.id, items, folder, network.fd, spec.volumes, spec.background)
        return launch.create(host, order, instance.phases)

    def _restore(self, instance: Instance, items: Sequence[Item], asked: float, found: Checkpoint) -> bool:
        """Its program goes on; or, if it cannot, it is as before, the checkpoint is gone, and the answer is False."""
        assert self._checkpoints is not None
        host = replace(self._host, runtime=self._checkpoints.runtime)
        created: Sequence[Monitor] = ()
        try:
            created = self._make(instance, [replace(item, checkpoint=found) for item in items], asked, host)
            instance.phases["restore"] = instance.phases.pop("create")
            instance.origin = Origin.CHECKPOINT
            self._record_running(instance, created)
        except (HomerunError, OSError) as error:
            _log.warning("instance %s begins anew, its checkpoint is of no use: %s", instance.id, error)
            self._undo(instance, created)
            self._checkpoints.drop(instance.spec.checkpoint)
            instance.phases.clear()
            return False
        return True

    def _release_prepared(self, instance: Instance, created: Sequence[Monitor], asked: float) -> None:
        """What it took to make it nobody has waited for."""
        instance.phases = {"queue": self._clock.mono() - asked}
        instance.origin = Origin.STANDBY
        self._release(instance, created)

    def _release(self, instance: Instance, created: Sequence[Monitor]) -> None:
        released = self._clock.mono()
        try:
            self._record_running(instance, created)
            if instance.spec.background:
                for made in created:
                    launch.unhurried(made.init)
            for part in instance.roots:
                self._let_go(part)
        except BaseException:
            self._take_back(instance, created)
            raise
        instance.phases["start"] = self._clock.mono() - released

    def _let_go(self, part: Part) -> None:
        assert part.init is not None
        self._host.runtime.start(part.key, part.init)

    def _record_running(self, instance: Instance, created: Sequence[Monitor]) -> None:
        """Just before any program is let go: from here on it counts as started, whatever happens to us."""
        network, port = instance.network, instance.spec.port
        instance.ours = instance.launched = True
        instance.started = self._clock.now()
        for part, made in zip(instance.parts, created, strict=True):
            part.monitor, part.init, part.syslog = made.process, made.init, syslog.bind(made.init.pid)
        for part in instance.roots:
            part.begun = instance.started
        if network and port:
            instance.address = Address(network.address, port)
        address = network.address if network else None
        if address:
            self._by_address[address] = instance
        self._logs.add(instance.id, instance.spec.labels, {part.key: part.spec.name for part in instance.parts})
        pairs = tuple(Pair(made.process, made.init) for made in created)
        mono = self._clock.mono()
        instance.record.write_running(Running(procfs.boot_id(), pairs, instance.started, address, mono))

    def _take_back(self, instance: Instance, created: Sequence[Monitor]) -> None:
        self._undo(instance, created)
        self._logs.drop(instance.id, [part.key for part in instance.parts])
        instance.record.delete()

    def _undo(self, instance: Instance, created: Sequence[Monitor]) -> None:
        """Nothing of it is left but its record."""
        for made in created:
            kill_tree(made.process.pid)
            os.waitpid(made.process.pid, 0)
        for part in instance.parts:
            if part.syslog is not None:
                part.syslog.close()
                part.syslog = None
        launch.discard(self._host, instance.id, [part.key for part in instance.parts])
        if instance.network:
            self._by_address.pop(instance.network.address, None)
            self._pool.give_back(instance.network)
            instance.network = None

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
        if instance.network:
            self._by_address.pop(instance.network.address, None)
            self._pool.give_back(instance.network)
            instance.network = None
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
        instance = self._by_address.get(host)
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


def _check(spec: InstanceSpec) -> None:
    """What no caller may get wrong. Raises Invalid."""
    if not _ID.fullmatch(spec.id):
        raise Invalid(f"instance id {spec.id!r}: want up to 128 letters, digits, '-', '_' and '.'")
    names = [container.name for container in spec.containers]
    if not 1 <= len(names) <= _MOST:
        raise Invalid(f"instance {spec.id} has {len(names)} containers: want 1 to {_MOST}")
    if len(names) > 1 and (len(set(names)) < len(names) or not all(map(_ID.fullmatch, names))):
        raise Invalid(
            f"containers {names}: of several, each needs a name of its own, of letters, digits, '-', '_', '.'"
        )
    for container in spec.containers:
        if unknown := set(container.depends_on) - set(names):
            raise Invalid(f"container {container.name} waits for {', '.join(sorted(unknown))}, which does not exist")
    if circle := _circle(spec):
        raise Invalid(f"containers {', '.join(circle)} wait for each other: none of them could begin")
    if spec.main and spec.main not in names:
        raise Invalid(f"the main container {spec.main} does not exist")


def _circle(spec: InstanceSpec) -> list[str]:
    """Containers that could never begin."""
    left = list(spec.containers)
    while able := [each for each in left if not set(each.depends_on) & {other.name for other in left}]:
        left = [each for each in left if each not in able]
    return [each.name for each in left]
