"""The Engine on this machine's kernel: an OCI runtime for each instance, and no daemon in between.

Starts run in threads (sandbox.py, launch.py) and return when the program runs. From then on the event loop watches
three things: the pidfd of the instance's monitor (its end), the startup probe, and the timer of the grace period. What
is on disk (records.py) suffices to find everything again in another process (adopt.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from homerun.aio.tasks import Supervisor
from homerun.engine.base import (
    Address,
    Event,
    Exited,
    Image,
    InstanceSpec,
    InstanceState,
    Listener,
    LogLine,
    Phase,
    Probed,
    Ready,
)
from homerun.engine.oci import adopt, finish, firewall, host, launch, listening, probes, procfs
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.launch import Host, Order
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.monitor import Monitor, kill_tree
from homerun.engine.oci.network import NetworkPool
from homerun.engine.oci.records import Record, Running
from homerun.engine.oci.sandbox import Sandboxes
from homerun.engine.oci.spool import Spool
from homerun.engine.oci.subnet import Subnet
from homerun.lib.clock import Clock
from homerun.lib.errors import AlreadyExists, FailedPrecondition, Invalid, NotFound
from homerun.model.probe import Check, Probe

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")


class Images(Protocol):
    """Where images come from: homerun.engine.images.store.ImageStore."""

    async def pull(self, reference: str) -> Image: ...
    def find(self, pinned: str) -> Image | None: ...
    def lowerdirs(self, image: Image) -> tuple[Path, ...]: ...


class OciEngine:
    """`runtime`: crun, runc or a path; empty: the first that works. `tasks`: processes and threads per instance."""

    def __init__(
        self, state: Path, images: Images, *, clock: Clock, runtime: str = "", tasks: int = 4096, threads: int = 4
    ) -> None:
        self._layout = Layout(state.absolute())
        self._images = images
        self._clock = clock
        self._wanted = runtime
        self._task_limit = tasks
        self._threads = threads
        self._logs = Logs(self._layout.logs)
        self.output = Spool(self._logs, self._is_over, lambda id: id not in self._instances)
        self._instances: dict[str, Instance] = {}
        self._listener: Listener = lambda event: None
        self._tasks = Supervisor()
        self._starts = Supervisor(on_error=lambda name, error: None)  # whoever called start hears of it
        self._busy: set[asyncio.Task[None]] = set()
        self._finishers = ThreadPoolExecutor(2, "homerun-finish")
        self._hasteners = ThreadPoolExecutor(1, "homerun-hasten")
        self._hastening: Future[None] | None = None
        self._lock: int | None = None

    # Opening and closing

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self._lock, conmon, cgroups = host.require(self._layout)
        self._sandboxes = Sandboxes(host.detached(cgroups), self._threads)
        try:
            cgroups.prepare()
            runtime = await host.choose_runtime(self._wanted, self._layout, cgroups, conmon, self._sandboxes)
            self._host = Host(self._layout, cgroups, runtime, conmon, self._task_limit)
            await asyncio.to_thread(self._logs.open)
            found = await asyncio.to_thread(adopt.adopt, self._host)
            for id in found.unborn:
                self._logs.drop(id)
            await asyncio.to_thread(self._open_network, found)
            self.output.open()
        except BaseException:
            self._sandboxes.close()
            os.close(self._lock)
            self._lock = None
            raise
        self._adopt(found)

    def _open_network(self, found: adopt.Found) -> None:
        tag = self._layout.tag
        reserved = frozenset(each.network.address for each in found.running if each.network)
        subnet = Subnet.kept(self._layout.network, tag, f"hr-{tag}")
        self._pool = NetworkPool(tag, subnet, reserved)
        self._pool.open()
        firewall.install(f"homerun_{tag}", self._pool.bridge, str(subnet.network))

    def _adopt(self, found: adopt.Found) -> None:
        loop = asyncio.get_running_loop()
        for instance in found.running + found.ended + found.exited:
            self._instances[instance.id] = instance
        for instance in found.running:
            self.allot(instance.id, None)
            self._watch(instance)
            if instance.phase is Phase.STARTING:
                self._await_ready(instance, self._clock.mono() - (self._clock.now() - instance.started))
        for instance in found.ended:
            loop.call_soon(self._ended, instance)

    async def close(self) -> None:
        """What has begun to start or to end is brought to that end first."""
        if self._lock is None:
            return
        while self._busy:
            await asyncio.wait(self._busy)
        await self._tasks.close()
        await asyncio.to_thread(self._finishers.shutdown)
        await asyncio.to_thread(self._hasteners.shutdown)
        left = [each for each in self._instances.values() if each.phase is not Phase.EXITED]
        for instance in left:
            self._let_go(instance)
        self.output.close()
        await asyncio.to_thread(self._close_host, remove=not left)
        os.close(self._lock)
        self._lock = None

    def _let_go(self, instance: Instance) -> None:
        self._unwatch(instance)
        if instance.kill:
            instance.kill.cancel()
        if instance.network:
            instance.network.close()
            instance.network = None

    def _close_host(self, *, remove: bool) -> None:
        """With `remove`, no instance is left: the host gets back the state in which we found it."""
        self._sandboxes.close()
        self._pool.close(remove=remove)
        if remove:
            firewall.remove(f"homerun_{self._layout.tag}")
            self._host.cgroups.remove_parent()

    # Starting

    async def pull(self, reference: str) -> Image:
        return await self._images.pull(reference)

    async def start(self, spec: InstanceSpec) -> None:
        if not _ID.fullmatch(spec.id):
            raise Invalid(f"instance id {spec.id!r}: want up to 128 letters, digits, '-', '_' and '.'")
        if len(spec.containers) != 1:
            raise Invalid(f"instance {spec.id} has {len(spec.containers)} containers: this engine runs exactly one")
        [container] = spec.containers
        image = self._images.find(container.image)
        if image is None:
            raise NotFound(f"image {container.image} is not here: pull it first")
        if spec.id in self._instances or spec.id in self._logs:
            raise AlreadyExists(f"instance {spec.id} exists already")
        self._hasten()
        record = Record.create(self._layout.instances, spec)
        instance = Instance(spec, record, self._clock.now())
        self._instances[spec.id] = instance
        starting = self._starts.spawn(self._start(instance, image), name=f"start {spec.id}")
        self._track(starting)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            instance.abandoned = True
            if starting.done() and instance.phase is not Phase.EXITED:
                self._kill(instance)
            raise

    def _hasten(self) -> None:
        """Once for all starts at the same time."""
        if self._hastening is None or self._hastening.done():
            self._hastening = self._hasteners.submit(self._host.cgroups.hasten)

    async def _start(self, instance: Instance, image: Image) -> None:
        layers = self._images.lowerdirs(image)
        work = functools.partial(self._launch, instance, image, layers, self._clock.mono())
        try:
            await self._sandboxes.run(work)
        except BaseException:
            self._instances.pop(instance.id, None)
            raise
        self._watch(instance)
        if instance.abandoned:
            self._kill(instance)
        elif instance.grace is not None:
            self._terminate(instance, instance.grace)
        elif instance.phase is Phase.STARTING:
            self._await_ready(instance, self._clock.mono())

    def _launch(self, instance: Instance, image: Image, layers: Sequence[Path], asked: float) -> None:
        """In a sandbox thread. Either the program runs afterwards, or nothing of it is left."""
        began = self._clock.mono()
        instance.phases["queue"] = began - asked
        created: Monitor | None = None
        try:
            network = instance.network = self._pool.take()
            instance.phases["network"] = self._clock.mono() - began
            log = self._logs.file(instance.id)
            order = Order(instance.spec, image, layers, instance.record.folder, log, network.fd)
            created = launch.create(self._host, order, instance.phases)
            self._record_running(instance, created)
            released = self._clock.mono()
            self._host.runtime.start(instance.id, created.init)
            instance.phases["start"] = self._clock.mono() - released
        except BaseException:
            self._take_back(instance, created)
            raise

    def _record_running(self, instance: Instance, created: Monitor) -> None:
        """Just before the program is let go: from here on it counts as started, whatever happens to us."""
        network, port = instance.network, instance.spec.port
        instance.monitor, instance.init, instance.ours = created.process, created.init, True
        instance.started = self._clock.now()
        if network and port:
            instance.address = Address(network.address, port)
        address = network.address if network else None
        boot = procfs.boot_id()
        self._logs.add(instance.id, instance.spec.labels, instance.name)
        instance.record.write_running(Running(boot, created.process, created.init, instance.started, address))

    def _take_back(self, instance: Instance, created: Monitor | None) -> None:
        if created:
            kill_tree(created.process.pid)
            os.waitpid(created.process.pid, 0)
        launch.discard(self._host, instance.id)
        self._logs.drop(instance.id)
        if instance.network:
            self._pool.give_back(instance.network)
        instance.record.delete()

    # Becoming ready

    def _await_ready(self, instance: Instance, started: float) -> None:
        [container] = instance.spec.containers
        if container.startup is None:
            asyncio.get_running_loop().call_soon(self._become_ready, instance)
        else:
            work = self._probe(instance, container.startup, started)
            instance.probe = self._tasks.spawn(work, name=f"probe {instance.id}")

    async def _probe(self, instance: Instance, probe: Probe, started: float) -> None:
        if instance.network is None or instance.init is None:
            return
        verdict, wrong = await probes.wait(instance.network.address, probe, started, self._clock)
        message = ""
        if not verdict.well:
            found = await asyncio.to_thread(listening.of_process, instance.init.pid)
            message = listening.explain(probe, found, wrong)
        now, (well, times) = self._clock.now(), (verdict.well, verdict.times)
        self._tell(instance, Probed(instance.id, now, instance.name, Check.STARTUP, well, times, wrong, message))
        if well:
            instance.phases["listen"] = self._clock.mono() - started
            self._become_ready(instance)
        else:
            self._kill(instance)

    def _become_ready(self, instance: Instance) -> None:
        if instance.phase is not Phase.STARTING:
            return
        instance.phase, instance.ready = Phase.READY, self._clock.now()
        instance.record.write_ready(instance.ready)
        self._tell(instance, Ready(instance.id, instance.address, instance.ready, dict(instance.phases)))

    # Ending

    async def stop(self, id: str, grace: float = 10) -> None:
        instance = self._instances.get(id)
        if instance is None or instance.phase is Phase.EXITED:
            return
        if instance.watch is None:
            instance.grace = grace  # its program does not run yet
        else:
            self._terminate(instance, grace)

    def _terminate(self, instance: Instance, grace: float) -> None:
        """Asked twice, the earlier SIGKILL holds."""
        if instance.probe:
            instance.probe.cancel()
        self.allot(instance.id, None)
        if instance.init and instance.phase is not Phase.STOPPING:
            instance.init.send(signal.SIGTERM)
        instance.phase = Phase.STOPPING
        loop = asyncio.get_running_loop()
        if instance.kill is None or instance.kill.when() > loop.time() + grace:
            if instance.kill:
                instance.kill.cancel()
            instance.kill = loop.call_later(grace, self._kill, instance)

    def _kill(self, instance: Instance) -> None:
        """The first process takes all others of its pid namespace with it."""
        instance.phase = Phase.STOPPING
        if instance.init:
            instance.init.send(signal.SIGKILL)

    def _watch(self, instance: Instance) -> None:
        instance.watch = instance.monitor.open() if instance.monitor else None
        loop = asyncio.get_running_loop()
        if instance.watch is None:
            loop.call_soon(self._ended, instance)
        else:
            loop.add_reader(instance.watch, self._ended, instance)

    def _unwatch(self, instance: Instance) -> None:
        if instance.watch is not None:
            asyncio.get_running_loop().remove_reader(instance.watch)
            os.close(instance.watch)
            instance.watch = None

    def _ended(self, instance: Instance) -> None:
        self._unwatch(instance)
        for pending in (instance.probe, instance.kill):
            if pending:
                pending.cancel()
        self._track(self._tasks.spawn(self._finish(instance), name=f"finish {instance.id}"))

    def _track(self, task: asyncio.Task[None]) -> None:
        """`close` waits for it."""
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _finish(self, instance: Instance) -> None:
        loop = asyncio.get_running_loop()
        work = functools.partial(finish.finish, self._host, instance, self._clock.now())
        ended = await loop.run_in_executor(self._finishers, work)
        if instance.network:
            self._pool.give_back(instance.network)
            instance.network = None
        instance.exited, instance.exit, instance.ended_first = ended.at, ended.exit, ended.container
        instance.phase = Phase.EXITED
        self.output.touch(instance.id)
        if instance.abandoned:
            await self.remove(instance.id)
        self._tell(instance, Exited(instance.id, ended.at, ended.exit, ended.container))

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
        with contextlib.suppress(OSError):  # it is ending, and Exited on its way
            self._host.cgroups.allot(id, instance.spec.cpu if cores is None else cores)

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
