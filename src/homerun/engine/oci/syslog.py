"""/dev/log of each container: a datagram socket that the kernel keeps in the container's own /dev, and we hold.

It is bound from outside, through the container's root in /proc: no mount, nothing in its config. What comes is appended
to a file beside that of its output, in the same form, so that it takes the same way into the log (spool.py). While no
control is there a message is refused at once and its sender goes on; the next control binds a new socket in the place
of the old one. A sender waits only while the socket's queue is full: it has its turn a hundred times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime

from homerun.engine.oci.instance import Instance, Part
from homerun.engine.oci.kernel import acting_as
from homerun.engine.oci.logs import Logs
from homerun.lib.clock import Clock

STREAM = "syslog"
SUFFIX = "~"
"""Behind the key of a container: that of what it sent to syslog. In no id and no name."""
_LONGEST = 256 << 10
AT_ONCE = 64
PAUSE = 0.01
"""Seconds between two turns of a container that sends without end."""
_LAST_WORDS = 4096
_MOST_UNREAD = 64 << 20
"""Bytes on disk beyond which messages are dropped: nobody takes them."""
_log = logging.getLogger("homerun.engine")


def bind(init: int) -> socket.socket | None:
    """A socket at /dev/log of the container whose first process is `init`; None: it has no /dev of which we know."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # /dev is a mount point, so nobody can have put a link in its place; /dev/log is the container's to replace.
        folder = os.open(f"/proc/{init}/root/dev", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            owner = os.fstat(folder)
            with acting_as(owner.st_uid, owner.st_gid):  # in a user namespace root of ours makes no files
                with contextlib.suppress(FileNotFoundError):
                    os.unlink("log", dir_fd=folder)
                made.bind(f"/proc/self/fd/{folder}/log")
                _let_all_write(folder)
        finally:
            os.close(folder)
    except OSError as error:
        _log.debug("no /dev/log for process %d: %s", init, error)
        made.close()
        return None
    return made


@contextlib.contextmanager
def unheard(init: int) -> Iterator[None]:
    """As `bind`, on the event loop: what comes is thrown away, and at the end the other side of it is gone."""
    made = bind(init)
    try:
        if made is not None:
            _throw_away(made)
        yield
    finally:
        if made is not None:
            asyncio.get_running_loop().remove_reader(made)
            made.close()


def _throw_away(source: socket.socket) -> None:
    """Until it is closed."""
    if source.fileno() >= 0:
        asyncio.get_running_loop().add_reader(source, _throw_some_away, source)


def _throw_some_away(source: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        for _ in range(AT_ONCE):
            source.recv(1)
        loop.remove_reader(source)
        loop.call_later(PAUSE, _throw_away, source)


def _let_all_write(folder: int) -> None:
    fd = os.open("log", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", 0o666)
    finally:
        os.close(fd)


class Syslog:
    """On the event loop."""

    def __init__(self, logs: Logs, clock: Clock) -> None:
        self._logs, self._clock = logs, clock

    def attach(self, instance: Instance, part: Part) -> None:
        """Take what it sends from now on."""
        if part.syslog is None and part.init is not None:
            part.syslog = bind(part.init.pid)
        self._listen(instance, part)

    def detach(self, part: Part) -> None:
        """Without a look at what there is."""
        if part.syslog is not None:
            asyncio.get_running_loop().remove_reader(part.syslog)
            part.syslog.close()
            part.syslog = None

    def ended(self, instance: Instance, part: Part) -> None:
        """With all that it has sent."""
        if part.syslog is not None:
            self._take(instance, part.syslog, part, _LAST_WORDS)
            self.detach(part)

    def _listen(self, instance: Instance, part: Part) -> None:
        if part.syslog is not None:
            asyncio.get_running_loop().add_reader(part.syslog, self._turn, instance, part)

    def _turn(self, instance: Instance, part: Part) -> None:
        if part.syslog is not None and self._take(instance, part.syslog, part, AT_ONCE) == AT_ONCE:
            loop = asyncio.get_running_loop()
            loop.remove_reader(part.syslog)
            loop.call_later(PAUSE, self._listen, instance, part)

    def _take(self, instance: Instance, source: socket.socket, part: Part, most: int) -> int:
        records: list[bytes] = []
        while len(records) < most:
            try:
                records.append(source.recv(_LONGEST))
            except OSError:
                break
        if records:
            self._append(instance, part, records)
        return len(records)

    def _append(self, instance: Instance, part: Part, messages: list[bytes]) -> None:
        head = b"%s %s F " % (_stamp(self._clock.now()).encode(), STREAM.encode())
        key = part.key + SUFFIX
        if self._logs.entry(key) is None:
            self._logs.add(instance.id, instance.spec.labels, {key: part.spec.name})
        try:
            fd = os.open(self._logs.file(key), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_blocks * 512 < _MOST_UNREAD:
                    os.write(fd, b"".join(head + _line(message) + b"\n" for message in messages))
            finally:
                os.close(fd)
        except OSError as error:
            _log.debug("%d messages to syslog of %s are lost: %s", len(messages), part.key, error)


def _line(message: bytes) -> bytes:
    """One, whatever is in it, written as syslog daemons do."""
    return message.rstrip(b"\0\n").replace(b"\n", b"#012").replace(b"\0", b"#000")


def _stamp(now: float) -> str:
    """As conmon writes it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000+00:00")
