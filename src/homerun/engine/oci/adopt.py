"""After a restart: which instances are there, and what is left of starts that were cut short.

Records are the truth about what was started, monitors and cgroups about what exists. Whatever exists without a record
of a process never ran a program of the user: it is swept away, and so is everything that the record of no instance
mentions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from homerun.engine.base import Address, Phase
from homerun.engine.oci import launch, monitor, procfs
from homerun.engine.oci.instance import Instance, owner
from homerun.engine.oci.launch import Host
from homerun.engine.oci.network import Network
from homerun.engine.oci.records import Record, Running
from homerun.lib.clock import Clock

_PATIENCE = 5
_CLOCK_SET = 1.0
"""Seconds: by less than this a wall clock is not set, but adjusted."""


@dataclass
class Found:
    unborn: list[str] = field(default_factory=list)
    """Ids of starts that were cut short before any program ran: as if they had never been."""
    running: list[Instance] = field(default_factory=list)
    ended: list[Instance] = field(default_factory=list)
    """While nobody watched: their Exited is still due."""
    exited: list[Instance] = field(default_factory=list)


def adopt(host: Host, clock: Clock) -> Found:
    """Everything that an earlier process left, sorted out. Blocks."""
    found = Found()
    boot = procfs.boot_id()
    for record in list(Record.scan(host.layout.instances)):
        spec, running = record.spec(), record.running()
        if spec is None or running is None:
            found.unborn.append(record.id)
            continue
        _sort(found, host, Instance(spec, record, running.started), running, boot)
    for instance in found.running:
        _tell_by(clock, instance, instance.record.running())
    _sweep(host, {instance.id for instance in found.running + found.ended})
    return found


def forget(host: Host, unborn: Iterable[str]) -> None:
    """The last of them, after their logs: killed before, we would find an id that is used and nothing that used it."""
    for id in unborn:
        Record(host.layout.instances / id).delete()


def _sort(found: Found, host: Host, instance: Instance, running: Running, boot: str) -> None:
    spec, record = instance.spec, instance.record
    if running.address and spec.port:
        instance.address = Address(running.address, spec.port)
    instance.launched = True
    if first := record.first():
        instance.first = instance.named(first)
    instance.ready, instance.unready, instance.told = record.ready(), record.unready(), record.told()
    instance.phase = Phase.STARTING if instance.ready is None else Phase.READY
    if ended := record.ended():
        instance.exited, instance.exit, instance.ended_first = ended.at, ended.exit, ended.container
        instance.phase = Phase.EXITED
        found.exited.append(instance)
        return
    if running.boot != boot:
        found.ended.append(instance)
        return
    for part, pair in zip(instance.parts, running.pairs, strict=True):
        part.monitor, part.init = pair.monitor, pair.init
        part.begun = record.begun(part.key) if part.spec.depends_on else running.started
        if pair.monitor.alive and part.begun is not None:
            host.runtime.resume(part.key, pair.init)  # it may have been cut short just before its program
    instance.network = _network(running)
    alive = any(pair.monitor.alive for pair in running.pairs)
    (found.running if alive else found.ended).append(instance)


def _tell_by(clock: Clock, instance: Instance, running: Running | None) -> None:
    """If the wall clock was set since it started, its times are told by the clock of now: that long ago."""
    if running is None or running.mono is None:
        return
    by = clock.now() - clock.mono() + running.mono - running.started
    if abs(by) < _CLOCK_SET:
        return
    instance.started += by
    if instance.ready is not None:
        instance.ready += by
    if instance.told is not None:
        instance.told += by
    for part in instance.parts:
        if part.begun is not None:
            part.begun += by


def _network(running: Running) -> Network | None:
    """Take hold of the namespace, so that it can be used again. None: its first processes just ended."""
    if running.address is None:
        return None
    for pair in running.pairs:
        try:
            fd = os.open(f"/proc/{pair.init.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        if pair.init.alive:
            return Network(fd, running.address)
        os.close(fd)
    return None


def _sweep(host: Host, known: set[str]) -> None:
    """Kill and remove what belongs to no instance."""
    for id, pids in monitor.find(host.layout.instances).items():
        if id not in known:
            for pid in pids:
                _kill_monitor(pid)
    keys: dict[str, list[str]] = {id: [] for id in host.cgroups.names()}
    for key in host.runtime.known():
        keys.setdefault(owner(key), []).append(key)
    for id in keys.keys() - known:
        launch.discard(host, id, keys[id])


def _kill_monitor(pid: int) -> None:
    """With the runtime that may be at work under it, and wait until it is gone: it must not make anything more."""
    waited = 0.0
    while (process := procfs.Process.of(pid)) and process.alive and waited < _PATIENCE:
        monitor.kill_tree(pid)
        time.sleep(0.005)
        waited += 0.005
