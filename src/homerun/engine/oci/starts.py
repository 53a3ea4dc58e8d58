"""How an instance comes to be: from a spec to programs that run, or to nothing at all.

What blocks is done in threads, in a mount namespace of the instance's own (sandbox.py, launch.py). Each step that fails
takes back what was there before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from homerun.engine.base import Address, Image, InstanceSpec, Origin
from homerun.engine.oci import launch, probes, procfs, sandbox, syslog, volumes
from homerun.engine.oci.checkpoints import Checkpoint, Checkpoints
from homerun.engine.oci.instance import Instance, Part
from homerun.engine.oci.launch import Host, Item, Order
from homerun.engine.oci.logs import Logs
from homerun.engine.oci.monitor import Monitor, kill_tree, while_it_runs
from homerun.engine.oci.network import NetworkPool
from homerun.engine.oci.records import Pair, Record, Running
from homerun.engine.oci.sandbox import Sandboxes
from homerun.lib import disk
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition, HomerunError, Internal, Invalid, NotFound

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


class Starts:
    """Also knows which instance has which address: from just before its first program runs."""

    def __init__(
        self,
        host: Host,
        images: Images,
        logs: Logs,
        pool: NetworkPool,
        sandboxes: tuple[Sandboxes, Sandboxes],
        checkpoints: Checkpoints | None,
        clock: Clock,
    ) -> None:
        """`sandboxes`: for all, and for those that may have to wait for others."""
        self._host = host
        self._images = images
        self._logs = logs
        self._pool = pool
        self._sandboxes, self._waiters = sandboxes
        self._checkpoints = checkpoints
        self._clock = clock
        self._by_address: dict[str, Instance] = {}
        self._releasers = ThreadPoolExecutor(2, "homerun-release")
        self._hasteners = ThreadPoolExecutor(1, "homerun-hasten")
        self._hastening: Future[None] | None = None

    def close(self) -> None:
        """Waits for what is under way."""
        self._hasteners.shutdown()
        self._releasers.shutdown()

    # Who is where

    def at(self, address: str) -> Instance | None:
        return self._by_address.get(address)

    def adopt(self, instance: Instance) -> None:
        """It runs already, and has its network."""
        if instance.network:
            self._by_address[instance.network.address] = instance

    def free_network(self, instance: Instance) -> None:
        """The next one may have it."""
        if instance.network:
            self._by_address.pop(instance.network.address, None)
            self._pool.give_back(instance.network)
            instance.network = None

    # Beginning

    def admit(self, spec: InstanceSpec) -> tuple[Instance, Sequence[Image]]:
        """A record of it is on disk from here on. Raises NotFound, AlreadyExists, ResourceExhausted."""
        images = []
        for container in spec.containers:
            image = self._images.find(container.image)
            if image is None:
                raise NotFound(f"image {container.image} is not here: pull it first")
            images.append(image)
        self._hasten()
        with self._in_words():
            record = Record.create(self._host.layout.instances, spec)
        return Instance(spec, record, self._clock.now()), images

    async def launch(self, instance: Instance, images: Sequence[Image]) -> None:
        """Its first programs run when this returns."""
        items, asked = self._items(instance, images), self._clock.mono()
        await self._within(instance, functools.partial(self._launch, instance, items, asked))

    async def prepare(self, instance: Instance, images: Sequence[Image]) -> Sequence[Monitor]:
        """Its programs wait when this returns: to be let go by `release`, or taken back."""
        return await self._create_within(instance, images, self._host)

    async def release(self, instance: Instance, created: Sequence[Monitor]) -> None:
        work = functools.partial(self._release_prepared, instance, created, self._clock.mono())
        with self._in_words():
            await asyncio.get_running_loop().run_in_executor(self._releasers, work)

    async def checkpoint(self, instance: Instance, images: Sequence[Image]) -> None:
        """It starts, is written down once it is well, and is gone when this returns."""
        assert self._checkpoints is not None
        created: Sequence[Monitor] = ()
        try:
            host = replace(self._host, runtime=self._checkpoints.runtime)
            created = await self._create_within(instance, images, host)
            await self._write_down(instance, created, host)
        finally:
            await asyncio.to_thread(self.take_back, instance, created)

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

    async def _write_down(self, instance: Instance, created: Sequence[Monitor], host: Host) -> None:
        """Once it is well."""
        assert self._checkpoints is not None and instance.network is not None
        [part], [made] = instance.parts, created
        probe, address = part.spec.startup, instance.network.address
        assert probe is not None
        self._by_address[address] = instance  # it may ask who it is
        # Connected sockets cannot be written down: /dev/log is closed then, as when control is away.
        with syslog.unheard(made.init.pid):
            await asyncio.to_thread(host.runtime.start, part.key, made.init)
            try:
                async with while_it_runs(made.process):
                    verdict, wrong = await probes.wait(address, probe, self._clock.mono(), self._clock)
            except TimeoutError:
                raise FailedPrecondition("it did not become well: it has ended") from None
        if not verdict.well:
            raise FailedPrecondition(f"it did not become well: {wrong}")
        upper = sandbox.upper(host.layout.sandbox, host.disk)
        work = functools.partial(self._checkpoints.dump, instance.spec, part.key, made, upper)
        for attempt in range(1, _DUMPS + 1):
            await asyncio.sleep(_SETTLE * attempt)
            try:
                await self._within(instance, work)
                return
            except FailedPrecondition:
                if attempt == _DUMPS:
                    raise

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """What the kernel refuses at a start."""
        try:
            yield
        except OSError as error:
            if disk.is_full(error):
                raise disk.explain(error, self._host.layout.state) from error
            raise Internal(f"the instance cannot be started: {error}") from error

    # In a thread

    def _launch(self, instance: Instance, items: Sequence[Item], asked: float) -> None:
        """In a sandbox thread. Either its first programs run afterwards, or nothing of it is left."""
        found = self._checkpoints.find(instance.spec) if self._checkpoints else None
        if found is None or not self._restore(instance, items, asked, found):
            self._release(instance, self._create(instance, items, asked, self._host))

    def _create(self, instance: Instance, items: Sequence[Item], asked: float, host: Host) -> Sequence[Monitor]:
        """Likewise, but its programs wait to be let go."""
        try:
            return self._make(instance, items, asked, host)
        except BaseException:
            self.take_back(instance, ())
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
            self.take_back(instance, created)
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

    def take_back(self, instance: Instance, created: Sequence[Monitor]) -> None:
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
        self.free_network(instance)


def check(spec: InstanceSpec) -> None:
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
