"""conmon: the small process beside each instance that outlives us. It keeps the output, line by line, and the exit.

We spawn it, it runs the OCI runtime's `create`, and tells us through a pipe the container's pid or why there is none.
It is gone when the container has ended and its output is on disk, so watching it (pidfd) is watching the instance.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.oci import procfs
from homerun.engine.oci.procfs import Process
from homerun.lib.errors import Internal

LEAST_URGENT = 19
_PATIENCE = 60
_LOG_LIMIT = 64 << 20
_TIMESTAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\S+?:|time=\S+|level=\S+)\s*", re.MULTILINE)


class CreateFailed(Exception):
    """The runtime made no container; the argument is its own message, in one line."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A container that is created but not started yet. Its monitor is a child of ours: wait for it in the end."""

    process: Process
    init: Process


@contextlib.asynccontextmanager
async def while_it_runs(monitor: Process) -> AsyncIterator[None]:
    """Raises TimeoutError as soon as it is gone."""
    watch = monitor.open()
    if watch is None:
        raise TimeoutError
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:

            def gone() -> None:
                loop.remove_reader(watch)
                limit.reschedule(loop.time())

            loop.add_reader(watch, gone)
            yield
    finally:
        loop.remove_reader(watch)
        os.close(watch)


class Creation:
    """One that is under way: conmon runs, and waits for its bundle to be complete."""

    def __init__(self, pid: int, reader: int, starter: int) -> None:
        self._pid = pid
        self._reader = reader
        self._starter = starter

    def go(self) -> None:
        """The bundle is complete: set the runtime to work."""
        with contextlib.suppress(BrokenPipeError):  # why it ended, it says itself
            os.write(self._starter, b"x")

    def done(self) -> Monitor:
        """Wait for it. Raises CreateFailed, Internal; then `abandon` it."""
        init = _container(_read(self._reader))
        self._close()
        process = Process.of(self._pid)
        if process is None or init is None:
            raise Internal("the container's first process vanished before it was started")
        _open_streams(init)
        return Monitor(process, init)

    def abandon(self) -> None:
        """Nothing of it is left afterwards."""
        kill_tree(self._pid)
        os.waitpid(self._pid, 0)
        self._close()

    def _close(self) -> None:
        """Once: a number that is closed may be another file's already."""
        for fd in (self._reader, self._starter):
            if fd >= 0:
                os.close(fd)
        self._reader = self._starter = -1


def create(
    conmon: str,
    runtime: str,
    runtime_args: Sequence[str],
    *,
    id: str,
    bundle: Path,
    record: Path,
    log: Path,
    restore: Path | None = None,
    niceness: int = 0,
) -> Creation:
    """Spawn conmon in the calling thread's namespaces, which will have the runtime create the container, or go on with
    one from its checkpoint in `restore`. That it comes up takes a few milliseconds, in which the bundle can be made.

    `niceness`: how much more of it than this thread has conmon, the runtime, and the container's first process while it
    waits.
    """
    command = [conmon, "--cid", id, "--cuuid", id, "--name", id, "--runtime", runtime, "--bundle", str(bundle)]
    command += ["--sync", "--full-attach", "--no-sync-log", "--log-path", f"k8s-file:{log}"]
    command += ["--log-size-max", str(_LOG_LIMIT), "--exit-dir", str(record)]
    command += ["--container-pidfile", str(bundle / "pid")]
    if restore is not None:
        command += ["--restore", str(restore)]
    for argument in runtime_args:
        command += ["--runtime-arg", argument]
    reader, writer = os.pipe()
    gate, starter = os.pipe()
    try:
        pid = _spawn(command, writer, gate, session=bool(niceness))
        if niceness:
            _give_way(pid, niceness)
        return Creation(pid, reader, starter)
    except BaseException:
        os.close(reader)
        os.close(starter)
        raise
    finally:
        os.close(writer)
        os.close(gate)


def _spawn(command: list[str], writer: int, gate: int, *, session: bool) -> int:
    """posix_spawn: no Python object that wants to be waited for, and descriptors of ours do not pass. `session`: in one
    of its own from the start, as conmon would make itself a moment later."""
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)
    ]
    # A descriptor that becomes itself is passed on under its own number.
    actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in (writer, gate)]
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    environment |= {"_OCI_SYNCPIPE": str(writer), "_OCI_STARTPIPE": str(gate)}
    reset = [signal.SIGPIPE, signal.SIGXFSZ]
    return os.posix_spawn(command[0], command, environment, file_actions=actions, setsigdef=reset, setsid=session)


def _give_way(pid: int, niceness: int) -> None:
    """After it was spawned, not this thread before: what that does in Python, all of control may have to wait for.

    Where the kernel groups processes by session (CONFIG_SCHED_AUTOGROUP), it weighs sessions against each other, and
    niceness only within one. Then each monitor would have as much of the CPU as all of control and the routers.
    """
    os.setpriority(os.PRIO_PROCESS, pid, min(os.getpriority(os.PRIO_PROCESS, 0) + niceness, LEAST_URGENT))
    with contextlib.suppress(OSError):  # it does not
        Path(f"/proc/{pid}/autogroup").write_text(str(min(niceness, LEAST_URGENT)))


def _open_streams(init: Process) -> None:
    """Let every user of the container open its output by path. The pipes belong to the one that it starts as, and
    programs that log to /dev/stdout do so after they have become another one (gosu, su, php-fpm, supervisord)."""
    for stream in (1, 2):
        with contextlib.suppress(OSError):  # its end is seen elsewhere
            os.chmod(f"/proc/{init.pid}/fd/{stream}", 0o622)


def _read(reader: int) -> bytes:
    """conmon's first line, or what it said until it closed the pipe."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    said = b""
    while b"\n" not in said:
        if not poll.poll(_PATIENCE * 1000):
            raise Internal(f"the OCI runtime did not create the container within {_PATIENCE} s")
        more = os.read(reader, 65536)
        if not more:
            break
        said += more
    return said


def _container(said: bytes) -> Process | None:
    """`{"pid": 12}` or `{"pid": -1, "message": "…"}`."""
    try:
        answer = json.loads(said)
        pid = int(answer.get("pid", answer.get("data", -1)))
    except (ValueError, AttributeError):
        raise Internal(f"conmon said {said[:200]!r} where the container's pid was due") from None
    if pid > 0:
        return Process.of(pid)
    raise CreateFailed(" ".join(_TIMESTAMP.sub("", str(answer.get("message", ""))).split()) or "no message")


def kill_tree(pid: int) -> None:
    """A monitor and whatever the runtime has made of the container so far."""
    below = procfs.descendants(pid)
    if process := Process.of(pid):
        process.send(signal.SIGKILL)
    for each in below:
        each.send(signal.SIGKILL)


def find(instances: Path) -> dict[str, list[int]]:
    """Monitors of this state folder that run: instance -> pids."""
    found: dict[str, list[int]] = {}
    for pid in procfs.pids():
        words = procfs.command_line(pid)
        if not words or os.path.basename(words[0]) != "conmon" or "--exit-dir" not in words:
            continue
        folder = Path(words[words.index("--exit-dir") + 1])
        if folder.parent == instances:
            found.setdefault(folder.name, []).append(pid)
    return found
