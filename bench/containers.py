"""Container tools that benchmarks compare with, and the program without any: from the command to the first answer."""

from __future__ import annotations

import http.client
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.ports import free_port

_PODMAN = ["podman", "--runtime", "crun", "--cgroup-manager", "cgroupfs"]
_RUN = ["run", "-d", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
_ASK_EVERY = 0.0005
_PATIENCE = 120


@dataclass(frozen=True)
class App:
    """A program that listens on $PORT. `archive`: its image. `root`: the same files as a folder, empty: the host's."""

    archive: Path
    command: Sequence[str]
    root: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Peer(Protocol):
    def start(self) -> float:
        """Milliseconds until the first answer; what was started is gone when it returns."""
        ...


def first_answer(port: int) -> None:
    """Returns as soon as somebody answers there. Raises TimeoutError."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(_ASK_EVERY)
        finally:
            connection.close()
    raise TimeoutError(f"nobody answered on port {port} within {_PATIENCE} s")


class Bare:
    """The program alone, in a root of its files: what is left when there is no platform."""

    def __init__(self, app: App) -> None:
        self._app = app

    def start(self) -> float:
        port = free_port()
        command = [*([] if self._app.root is None else ["/usr/sbin/chroot", str(self._app.root)]), *self._app.command]
        folder = None if self._app.root is None else self._app.root / "srv"
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={"PATH": f"/usr/sbin:{os.defpath}", **self._app.env, "PORT": str(port), "PYTHONPATH": "/srv"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        first_answer(port)
        took = (time.perf_counter() - began) * 1000
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return took


class Podman:
    """podman in one mount namespace, which `enter` joins."""

    def __init__(self, enter: list[str], archive: Path, command: Sequence[str] = ()) -> None:
        self._enter = [*enter, *_PODMAN]
        self._command = command
        self.image = self._call("pull", "-q", f"oci-archive:{archive}")

    def start(self, answered: Callable[[], object] = lambda: None) -> float:
        """`answered` is called when it has."""
        port = free_port()
        began = time.perf_counter()
        published = ["-p", f"127.0.0.1:{port}:8080", "-e", "PORT=8080"]
        id = self._call(*_RUN, *published, self.image, *self._command)
        first_answer(port)
        took = (time.perf_counter() - began) * 1000
        answered()
        self._call("rm", "-f", "-t", "0", id)
        return took

    def run(self, *command: str) -> None:
        """One container from its start to its end, and nothing of it left."""
        self._call("run", "--rm", *_RUN[2:], self.image, *command)

    def remove(self) -> None:
        self._call("rmi", "-f", self.image)

    def _call(self, *arguments: str) -> str:
        return _call([*self._enter, *arguments])


@contextmanager
def podman(archive: Path, command: Sequence[str] = ()) -> Iterator[Podman | None]:
    """In a mount namespace without the second cgroup hierarchy, which crun refuses, and with ulimits that a restricted
    root may set; else with its defaults."""
    if not shutil.which("podman"):
        print("podman is not installed: measured without it")
        yield None
        return
    waits = "umount -l /sys/fs/cgroup/unified 2>/dev/null; echo ready; exec sleep infinity"
    holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", waits], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        made = Podman(["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"], archive, command)
        yield made
        made.remove()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


class Containerd:
    """`ctr run` with the network of the host: containerd has none of its own, and whoever adds one adds to its time."""

    def __init__(self, socket: Path, app: App) -> None:
        self._ctr = ["ctr", "--address", str(socket)]
        self._app = app
        # runc's own state is the host's, also that of a daemon with folders of its own.
        self._ids = (f"bench-{os.getpid()}-{number}" for number in itertools.count())
        name = "localhost/homerun/bench:it"
        index = _call([*self._ctr, "image", "import", "--index-name", name, str(app.archive)])
        assert index
        self._image = name

    def start(self) -> float:
        id, port = next(self._ids), free_port()
        try:
            return self._start(id, port)
        finally:
            subprocess.run([*self._ctr, "task", "delete", "--force", id], capture_output=True)
            subprocess.run([*self._ctr, "container", "delete", id], capture_output=True)

    def _start(self, id: str, port: int) -> float:
        env = {**self._app.env, "PORT": str(port)}
        flags = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        began = time.perf_counter()
        _call([*self._ctr, "run", "--detach", "--net-host", *flags, self._image, id, *self._app.command])
        first_answer(port)
        return (time.perf_counter() - began) * 1000


@contextmanager
def containerd(app: App) -> Iterator[Containerd | None]:
    """A daemon of its own on folders of its own, with runc, as Debian has it."""
    if not shutil.which("containerd") or not shutil.which("ctr"):
        print("containerd is not installed: measured without it")
        yield None
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        config = place / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{place}/root"\nstate = "{place}/run"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{place}/sock"\n'
        )
        daemon = subprocess.Popen(["containerd", "--config", config], stderr=(place / "log").open("wb"))
        try:
            while not (place / "sock").exists():
                if daemon.poll() is not None:
                    raise SystemExit(f"containerd did not start: {(place / 'log').read_text()[-1000:]}")
                time.sleep(0.05)
            yield Containerd(place / "sock", app)
        finally:
            daemon.terminate()
            daemon.wait()


def _call(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:12])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
