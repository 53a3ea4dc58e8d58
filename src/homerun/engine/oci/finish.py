"""The end of an instance: how it ended, and nothing of it left.

Its monitor is gone, so its output is on disk and its first process is dead, unless the monitor itself was killed.
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
    status = instance.record.status()
    ended = (
        Ended(Exit(), now, instance.name)
        if status is None
        else Ended(_exit(host, instance.id, status[0]), min(now, status[1] + _TICK), instance.name)
    )
    try:
        launch.discard(host, instance.id)
    except OSError:
        _log.exception("instance %s ended, but something of it is left", instance.id)
    instance.record.write_ended(ended)
    return ended


def _reap(instance: Instance) -> None:
    """Only our own child: the pid of an adopted monitor may be somebody else's by now."""
    if instance.monitor and instance.ours:
        os.waitpid(instance.monitor.pid, 0)


def _exit(host: Host, id: str, status: int) -> Exit:
    """conmon reports death by signal n as 128 + n, as a shell does; a program may also exit with such a code itself."""
    oom = status != 0 and host.cgroups.oom_kills(id) > 0 and (status == _KILLED or status < 128)
    if 128 < status <= 128 + _LAST_SIGNAL:
        return Exit(signal=status - 128, oom=oom)
    return Exit(code=status, oom=oom)
