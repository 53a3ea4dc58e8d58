"""After a restart: which instances are there, and what is left of starts that were cut short.

Records are the truth about what was started, monitors and cgroups about what exists. Whatever exists without a record
of a process never ran a program of the user: it is swept away, and so is everything that the record of no instance
mentions.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from homerun.engine.base import Address, Phase
from homerun.engine.oci import launch, monitor, procfs
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.launch import Host
from homerun.engine.oci.network import Network
from homerun.engine.oci.records import Record, Running

_PATIENCE = 5


@dataclass
class Found:
    unborn: list[str] = field(default_factory=list)
    """Ids of starts that were cut short before any program ran: as if they had never been."""
    running: list[Instance] = field(default_factory=list)
    ended: list[Instance] = field(default_factory=list)
    """While nobody watched: their Exited is still due."""
    exited: list[Instance] = field(default_factory=list)


def adopt(host: Host) -> Found:
    """Everything that an earlier process left, sorted out. Blocks."""
    found = Found()
    boot = procfs.boot_id()
    for record in list(Record.scan(host.layout.instances)):
        spec, running = record.spec(), record.running()
        if spec is None or running is None:
            found.unborn.append(record.id)
            continue
        _sort(found, host, Instance(spec, record, running.started), running, boot)
    _sweep(host, {instance.id for instance in found.running + found.ended})
    for id in found.unborn:
        Record(host.layout.instances / id).delete()
    return found


def _sort(found: Found, host: Host, instance: Instance, running: Running, boot: str) -> None:
    spec, record = instance.spec, instance.record
    if running.address and spec.port:
        instance.address = Address(running.address, spec.port)
    instance.ready = record.ready()
    instance.phase = Phase.STARTING if instance.ready is None else Phase.READY
    if ended := record.ended():
        instance.exited, instance.exit, instance.ended_first = ended.at, ended.exit, ended.container
        instance.phase = Phase.EXITED
        found.exited.append(instance)
        return
    instance.monitor, instance.init = running.monitor, running.init
    if running.boot != boot or not running.monitor.alive:
        found.ended.append(instance)
        return
    host.runtime.resume(instance.id, running.init)  # it may have been cut short just before its program
    instance.network = _network(running)
    found.running.append(instance)


def _network(running: Running) -> Network | None:
    """Take hold of the namespace, so that it can be used again. None: its first process just ended."""
    if running.address is None:
        return None
    try:
        fd = os.open(f"/proc/{running.init.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    if running.init.alive:
        return Network(fd, running.address)
    os.close(fd)
    return None


def _sweep(host: Host, known: set[str]) -> None:
    """Kill and remove what belongs to no instance."""
    for id, pid in monitor.find(host.layout.instances).items():
        if id not in known:
            _kill_monitor(pid)
    for id in host.cgroups.names() | host.runtime.known():
        if id not in known:
            launch.discard(host, id)


def _kill_monitor(pid: int) -> None:
    """With the runtime that may be at work under it, and wait until it is gone: it must not make anything more."""
    waited = 0.0
    while (process := procfs.Process.of(pid)) and process.alive and waited < _PATIENCE:
        monitor.kill_tree(pid)
        time.sleep(0.005)
        waited += 0.005
