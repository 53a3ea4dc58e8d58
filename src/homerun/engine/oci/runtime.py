"""OCI runtimes: which one works on this host, and how to let a created container go.

Whether a runtime works is tried, not guessed: it runs a container whose only program is a few bytes that exit with 0.
The answer holds until the next boot, or until another version is installed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci.procfs import Process, boot_id
from homerun.engine.oci.sealed import SealedProgram
from homerun.lib.errors import Internal

CANDIDATES = ("crun", "runc")
_PATIENCE = 10
_SOON = 1
"""Seconds in which a container that was created a while ago waits for its start, if it does."""
_EXIT_ZERO = {
    "x86_64": (62, bytes.fromhex("31ff b83c000000 0f05")),  # xor edi,edi; mov eax,60; syscall
    "aarch64": (183, bytes.fromhex("000080d2 a80b80d2 010000d4")),  # mov x0,0; mov x8,93; svc 0
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """`root`: where it keeps its state. `path`: of its program."""

    path: str
    root: Path
    criu: str = ""
    """Of the program that writes containers down; empty: none."""
    sealed: SealedProgram | None = None

    @property
    def program(self) -> str:
        """What to run to create a container."""
        return self.path if self.sealed is None else self.sealed.path

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def arguments(self) -> list[str]:
        """Before the verb."""
        manager = ["--cgroup-manager=cgroupfs"] if self.name == "crun" else []
        return [f"--root={self.root}", *manager, *([f"--criu={self.criu}"] if self.criu else [])]

    def erase_copy(self, id: str) -> None:
        """crun keeps a copy of its config, with variables that may be secret. It is for its `start` only, which is
        never called; a container may wait for long until it is let go."""
        _erase_copy(self.root / id)

    def filter(self, id: str) -> bytes:
        """The seccomp filter as crun has compiled it for a container that waits; empty: it is not known."""
        try:
            return (self.root / id / "seccomp.bpf").read_bytes()
        except FileNotFoundError:
            return b""

    def start(self, id: str, init: Process) -> None:
        """Let the created container run its program.

        `crun start` does no more than write a byte to the pipe on which the container waits; writing it here saves a
        process (4 ms). Where there is no such pipe, the runtime is asked.
        """
        pipe = self.root / id / "exec.fifo"
        if self.name == "crun" and pipe.exists():
            _let_go(pipe, init)
            return
        done = subprocess.run([self.path, *self.arguments, "start", id], capture_output=True, text=True)
        if done.returncode:
            raise Internal(f"{self.name} could not start the container: {done.stderr.strip()}")

    def resume(self, id: str, init: Process) -> None:
        """Finish a start that was cut short: a container that still waits is let go, one that runs is not touched."""
        for folder in self._folders(id):
            pipe = folder / "exec.fifo"
            if not pipe.exists():
                continue
            if folder.parent.name == "crun":
                if _waits(pipe, init, _SOON):
                    with _stopped(init), contextlib.suppress(Internal, OSError):
                        _let_go(pipe, init, _SOON)
                pipe.unlink(missing_ok=True)  # where nobody waits, all that was missing is this
                _erase_copy(folder)
            else:
                path = self.path if self.root == folder.parent else folder.parent.name
                subprocess.run([path, f"--root={folder.parent}", "start", id], capture_output=True)

    def forget(self, id: str) -> None:
        """Remove the runtime's own state of a container that is gone (there are no hooks to run)."""
        for folder in self._folders(id):
            shutil.rmtree(folder, ignore_errors=True)

    def known(self) -> set[str]:
        """Containers of which there is any state."""
        return {folder.name for folder in self._folders("*") if not folder.name.startswith(".")}

    def _folders(self, id: str) -> list[Path]:
        """In the root of every runtime: another one may have been chosen when it was started."""
        return list(self.root.parent.glob(f"*/{id}"))


def _let_go(pipe: Path, init: Process, patience: float = _PATIENCE) -> None:
    waited = 0.0
    while True:
        try:
            fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if waited > patience or not init.alive:
            raise Internal("the created container does not wait to be started")
        time.sleep(0.0005)
        waited += 0.0005
    os.write(fd, b"x")
    os.close(fd)
    pipe.unlink()


def _waits(pipe: Path, init: Process, patience: float) -> bool:
    """Whether it has the pipe open, which its program will not."""
    wanted, waited = os.stat(pipe), 0.0
    while init.alive and waited <= patience:
        if any(os.path.samestat(wanted, found) for found in init.files()):
            return True
        time.sleep(0.0005)
        waited += 0.0005
    return False


@contextlib.contextmanager
def _stopped(init: Process) -> Iterator[None]:
    """While it reads the pipe of somebody who died between opening it and writing to it, it is at no moment to find the
    pipe open for writing and empty: crun takes that for an error, and ends with exit code 1."""
    init.send(signal.SIGSTOP)
    try:
        while init.alive and not init.stopped:
            time.sleep(0.0005)
        yield
    finally:
        init.send(signal.SIGCONT)


def _erase_copy(folder: Path) -> None:
    """Written over first: its blocks may be on a disk."""
    copy = folder / "config.json"
    with contextlib.suppress(OSError):
        with copy.open("r+b", buffering=0) as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
        copy.unlink()


def exit_zero() -> bytes:
    """The smallest program there is, for this machine: a 64-bit ELF header, one segment, exit(0)."""
    machine, code = _EXIT_ZERO[platform.machine()]
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


class _Answer(msgspec.Struct, frozen=True):
    boot: str
    wanted: str
    path: str
    changed: float


def choose(wanted: str, run: Path, memory: Path, attempt: Callable[[Runtime], str | None]) -> Runtime:
    """The first of `wanted` (or crun, runc) for which `attempt` finds no fault. `memory`: where the answer is kept."""
    if kept := _recall(memory, wanted):
        return _runtime(kept, run)
    faults = []
    for candidate in [wanted] if wanted else CANDIDATES:
        path = shutil.which(candidate)
        if path is None:
            faults.append(f"{candidate} is not installed")
            continue
        runtime = _runtime(path, run)
        fault = attempt(runtime)
        if fault is None:
            answer = _Answer(boot_id(), wanted, path, os.stat(path).st_mtime)
            with contextlib.suppress(OSError):  # on a full disk it is tried anew the next time
                memory.write_bytes(msgspec.json.encode(answer))
            return runtime
        faults.append(f"{candidate}: {fault}")
    remedy = (
        f"apt-get install {wanted or 'crun'}" if all("not installed" in fault for fault in faults) else "homerun doctor"
    )
    raise EngineUnavailable(f"no OCI runtime works here ({'; '.join(faults)}): {remedy}")


def _recall(memory: Path, wanted: str) -> str | None:
    try:
        answer = msgspec.json.decode(memory.read_bytes(), type=_Answer)
        fresh = os.stat(answer.path).st_mtime == answer.changed
    except (OSError, msgspec.DecodeError):
        return None
    return answer.path if fresh and (answer.boot, answer.wanted) == (boot_id(), wanted) else None


def _runtime(path: str, run: Path) -> Runtime:
    root = run / os.path.basename(path)
    root.mkdir(mode=0o700, exist_ok=True)
    return Runtime(path, root)
