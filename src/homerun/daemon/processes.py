"""`homerun up`: owns the listening sockets, starts control and the routers, and starts again whichever of them dies.

The sockets are never closed while it lives, so a restart of either process refuses nobody: connections wait in the
kernel's queue. Only when control does not start at all is the API told so (stand_in.py). All routers accept from one
and the same socket, so while one is away the others take what comes. If this process itself is killed, its children are
killed by the kernel with it (crash-only: the next `homerun up` adopts the instances, which are children of nobody).
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from homerun.core.backoff import delay
from homerun.daemon import starts
from homerun.daemon.options import split_address, unparse
from homerun.daemon.stand_in import StandIn
from homerun.lib.errors import FailedPrecondition, Invalid, PermissionDenied
from homerun.lib.lock import take
from homerun.model.urls import is_loopback
from homerun.settings import Settings

_log = logging.getLogger("homerun.up")

STABLE_AFTER = 10.0
"""A process that dies sooner after its start is started again only after a delay, which grows with each time."""
LONGEST_STATE_PATH = 107 - len("/run/control.sock")
"""Linux takes at most 107 bytes for the path of a Unix socket."""
GIVE_UP_AFTER = 3
"""Starts of control in a row that failed: the next one will, too."""
GIVE_UP_AFTER_KILLS = 10
"""Likewise, if somebody killed it, who may not do so again; but the kernel does, if it has no memory for it."""
STOP_MARGIN = 15.0
"""Seconds beyond the grace period after which a process that does not end is killed."""
ROUTER_URGENCY = 5
"""How much less niceness a router has than control: three times the CPU where both want it, and sooner."""
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    role: str
    listeners: list[socket.socket]
    index: int = 0
    """Which of the routers."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    early_deaths: int = 0
    failed_starts: int = 0
    """In a row, before it was up."""
    due: float | None = None
    """When to start it again; None while it runs."""
    proved: bool = False
    """It has run for a while once, so nothing is wrong with how it is started."""

    def __str__(self) -> str:
        return f"{self.role} {self.index}" if self.index else self.role

    def died(self, now: float) -> None:
        """Each has a back-off of its own."""
        early = now - self.started < STABLE_AFTER
        self.proved |= not early
        self.early_deaths = self.early_deaths + 1 if early else 0
        self.due = now + delay(self.early_deaths - 1, first=0.25, most=10)


@dataclass(slots=True)
class Processes:
    settings: Settings
    children: list[Child] = field(default_factory=list)
    stopping: bool = False
    control_was_up: bool = False
    """At least once: then there are services to be carried on."""
    stand_in: StandIn | None = None

    def run(self) -> int:
        """Until Ctrl-C, SIGTERM or a shutdown over the API. Returns the exit code."""
        if self.settings.certificate:
            _check_certificate(Path(self.settings.certificate), Path(self.settings.key))
        lock = claim_state(self.settings)
        api, http = listen(self.settings.api, "--api"), listen(self.settings.http, "--http")
        https = [listen(self.settings.https, "--https")] if self.settings.https else []
        routers = [Child("router", [http, *https], index) for index in range(self.settings.routers)]
        inside = [unbound(), unbound(socket.SOCK_DGRAM), unbound(), unbound()]
        self.children = [Child("control", [api, *inside]), *routers]
        self.stand_in = StandIn(api, self._control_is_up)
        # Signals wait in line until `_wait` takes them: nothing is interrupted half-way.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for child in self.children:
                self._start(child)
            print(self._welcome(), flush=True)
            if not is_loopback(split_address(self.settings.api)[0]):
                print(
                    "homerun: the API wants an access token from everybody: "
                    f"sudo homerun auth print-access-token --state {self.settings.state}",
                    flush=True,
                )
            return self._wait()
        finally:
            os.close(lock)

    def _welcome(self) -> str:
        tls = f" and https://{self.settings.https}" if self.settings.https else ""
        return f"homerun: API on http://{self.settings.api}, services on http://{self.settings.http}{tls}"

    def _start(self, child: Child) -> None:
        parent = os.getpid()
        descriptors = [listener.fileno() for listener in child.listeners]
        child.started, child.due = _now(), None
        if child.role == "control":
            starts.begin(self.settings.state, child.role)
        child.process = subprocess.Popen(
            self.command(child),
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            # A group of its own: Ctrl-C in the terminal reaches only us, and we say in which order things end.
            process_group=0,
            preexec_fn=lambda: _die_with(parent),
        )
        if child.role == "router":
            _hurry(child.process.pid)

    def command(self, child: Child) -> list[str]:
        descriptors = ",".join(str(listener.fileno()) for listener in child.listeners)
        # -P: this is root, so no module may come from whatever folder one happens to stand in.
        program = [sys.executable, "-P", "-m", "homerun.daemon"]
        return [*program, child.role, descriptors, str(child.index), *unparse(self.settings)]

    def _wait(self) -> int:
        while True:
            if self._signalled() in (signal.SIGINT, signal.SIGTERM):
                self._stop()
                return 0
            for child in self.children:
                if child.due is not None:
                    if child.due <= _now():
                        self._start(child)
                    continue
                code = child.process.poll() if child.process is not None else None
                if code is None:
                    continue
                if child.role == "control" and code == 0:
                    self._stop()
                    return 0
                if child.role == "control":
                    hopeless = self._control_died(child, code)
                else:
                    # It has said why on stderr, and would say the same again. Of one that was well before, the cause
                    # may pass (a full disk).
                    hopeless = code == EXIT_FATAL and not child.proved
                if hopeless:
                    self._stop()
                    return 1
                _log.error("%s ended with %s: starting it again", child, code)
                child.died(_now())

    def _control_died(self, child: Child, code: int) -> bool:
        """Whether to give up: it never was up, and would never be. If it was, its services are carried on by the
        routers, while it is tried again and again."""
        if self._control_is_up():
            self.control_was_up, child.failed_starts = True, 0
            return False
        child.failed_starts += 1
        enough = GIVE_UP_AFTER_KILLS if code == -signal.SIGKILL else GIVE_UP_AFTER
        if code != EXIT_FATAL and child.failed_starts < enough:
            return False
        reason = starts.reason(self.settings.state, child.role, code)
        if not self.control_was_up:
            if code != EXIT_FATAL:
                print(f"homerun: control does not start: {reason}{self._where()}", file=sys.stderr, flush=True)
            return True
        if self.stand_in is not None and self.stand_in.step_in(reason):
            _log.error(
                "control does not start: %s%s. The API answers 503 until it does; services that run go on", reason,
                self._where(),
            )  # fmt: skip
        return False

    def _control_is_up(self) -> bool:
        process = self.children[0].process
        return process is not None and starts.is_up(self.settings.state, "control", process.pid)

    def _where(self) -> str:
        path = starts.details(self.settings.state, "control")
        return f" ({path} has the details)" if path.exists() else ""

    def _signalled(self) -> int | None:
        """The next signal; None when a child is to be started again before one comes."""
        dues = [child.due for child in self.children if child.due is not None]
        if not dues:
            return signal.sigwait(_SIGNALS)
        info = signal.sigtimedwait(_SIGNALS, max(min(dues) - _now(), 0))
        return info.si_signo if info is not None else None

    def _stop(self) -> None:
        """Control first (it stops the instances, whose last requests the routers still carry), then all routers."""
        self.stopping = True
        self._end([child for child in self.children if child.role == "control"])
        self._end([child for child in self.children if child.role != "control"])

    def _end(self, children: list[Child]) -> None:
        running = [(child, child.process) for child in children if child.process is not None]
        for _, process in running:
            process.terminate()
        deadline = _now() + self.settings.grace + STOP_MARGIN
        for child, process in running:
            try:
                process.wait(max(deadline - _now(), 0))
            except subprocess.TimeoutExpired:
                _log.error("%s did not end in time: killed", child)
                process.kill()
                process.wait()


_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
EXIT_FATAL = 3
"""A child's exit code for "it would fail the same way again"."""


def _now() -> float:
    return time.monotonic()  # noqa: TID251 - the one process without a clock to be given


def _die_with(parent: int) -> None:
    """In the child, before exec: be killed when the parent dies, even if it died already. Take signals again."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if os.getppid() != parent:
        os._exit(1)


def _hurry(pid: int) -> None:
    """It comes before control: what it does for a request is short, and somebody waits for it."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) - ROUTER_URGENCY)


def _check_certificate(certificate: Path, private: Path) -> None:
    """Raises FailedPrecondition."""
    from homerun.router.certificates import check_pair  # what it imports, most starts do not need

    check_pair(certificate, private)


def claim_state(settings: Settings) -> int:
    """Make the state folder and lock it: two homeruns on one folder would tear it apart. Returns the lock's fd."""
    if len(os.fsencode(settings.state)) > LONGEST_STATE_PATH:
        raise Invalid(
            f"the path of the state folder {settings.state} has more than {LONGEST_STATE_PATH} bytes, too many for the "
            "sockets in it: choose a shorter one with --state"
        )
    try:
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.state.chmod(0o700)
        (settings.state / "run").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(settings.state / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PermissionDenied(
            f"cannot use the state folder {settings.state}: {error.strerror}; run as root, or choose another by --state"
        ) from error
    if not take(lock):
        os.close(lock)
        raise FailedPrecondition(
            f"homerun runs already on the state folder {settings.state}: stop it with `homerun down`, or choose "
            "another with --state"
        )
    return lock


def unbound(kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """For what control listens on where instances are: the address is known only when it has opened their network. We
    never use it, but keep it open, so that who connects while control is started again waits and is answered."""
    made = socket.socket(socket.AF_INET, kind)
    made.setblocking(False)
    return made


def listen(address: str, flag: str) -> socket.socket:
    """A listening TCP socket. Raises FailedPrecondition when the port is taken."""
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise FailedPrecondition(f"cannot listen on {address}: {error.strerror}; choose another with {flag}") from error
    listener.listen(4096)
    listener.setblocking(False)
    return listener
