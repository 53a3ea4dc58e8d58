"""The end of an instance: how it ended, and nothing of it left.

Its monitors are gone, so its output is on disk and its first processes are dead, unless a monitor itself was killed.
"""

from __future__ import annotations

import logging
import os
import signal

from homerun.engine.base import Exit
from homerun.engine.oci import launch
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.launch import Host
from homerun.engine.oci.records import Ended

_log = logging.getLogger("homerun.engine")
_LAST_SIGNAL = 64
_TICK = 0.01  # file times come from a clock that lags by up to one
_KILLED = 128 + signal.SIGKILL


def finish(host: Host, instance: Instance, now: float) -> Ended:
    """Blocks for a moment. Afterwards the record is final and the instance's network may be used again."""
    _reap(instance)
    ended = _ended(host, instance, now)
    try:
        launch.discard(host, instance.id, [part.key for part in instance.parts])
    except OSError:
        _log.exception("instance %s ended, but something of it is left", instance.id)
    instance.record.write_ended(ended)
    return ended


def _reap(instance: Instance) -> None:
    """Only our own children: the pid of an adopted monitor may be somebody else's by now."""
    for part in instance.parts:
        if part.monitor and instance.ours:
            os.waitpid(part.monitor.pid, 0)


def _ended(host: Host, instance: Instance, now: float) -> Ended:
    """As its deciding container did; the time is that of the last."""
    first = instance.first or instance.named(instance.spec.main)
    ends = [status[1] for part in instance.parts if (status := instance.record.status(part.key))]
    status = instance.record.status(first.key)
    if status is None:
        return Ended(Exit(), now, first.spec.name)
    return Ended(_exit(host, first.group, status[0]), min(now, max(ends) + _TICK), first.spec.name)


def _exit(host: Host, group: str, status: int) -> Exit:
    """conmon reports death by signal n as 128 + n, as a shell does; a program may also exit with such a code itself."""
    oom = status != 0 and host.cgroups.oom_kills(group) > 0 and (status == _KILLED or status < 128)
    if 128 < status <= 128 + _LAST_SIGNAL:
        return Exit(signal=status - 128, oom=oom)
    return Exit(code=status, oom=oom)
