"""Cold start: first byte of a request to a service at zero, and `podman run` of the same image to its first answer.

Both alternate, start by start, in the same run. For homerun the clock runs from before the client's connect until its
answer is read; for podman from before `podman run -d` until the published port answers (asked every half millisecond).
podman runs with crun, its own bridge network and its defaults, but for two things that hosts like ours need: in a mount
namespace without the second cgroup hierarchy, which crun refuses, and with ulimits that a restricted root may set.

    python -m bench.cold            root, an OCI runtime and podman needed; writes bench/results/cold.json
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.support import machine, percentile, table, write_results
from tests.support.daemon import Daemon, free_port
from tests.support.images import app_layer, make_image

_PODMAN = ["podman", "--runtime", "crun", "--cgroup-manager", "cgroupfs"]
_RUN = ["run", "-d", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]


def wake(daemon: Daemon) -> float:
    """Milliseconds until the first answer of a service at zero."""
    daemon.until(lambda: not daemon.explain("cold")["instances"], timeout=30)
    began = time.perf_counter()
    status, _ = daemon.get("cold")
    took = (time.perf_counter() - began) * 1000
    assert status == 200
    return took


class Podman:
    """podman in one mount namespace, which `enter` joins."""

    def __init__(self, enter: list[str], archive: Path) -> None:
        self._enter = [*enter, *_PODMAN]
        self.image = self._call("pull", "-q", f"oci-archive:{archive}")

    def start(self, answered: Callable[[], object] = lambda: None) -> float:
        """Milliseconds until the first answer of a container that it starts; `answered` is called right then."""
        port = free_port()
        began = time.perf_counter()
        id = self._call(*_RUN, "-p", f"127.0.0.1:{port}:8080", self.image)
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.0005)
            finally:
                connection.close()
        took = (time.perf_counter() - began) * 1000
        answered()
        self._call("rm", "-f", "-t", "0", id)
        return took

    def remove(self) -> None:
        self._call("rmi", "-f", self.image)

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([*self._enter, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"podman {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()


@contextmanager
def podman(archive: Path) -> Iterator[Podman | None]:
    if not shutil.which("podman"):
        print("podman is not installed: measured without a peer")
        yield None
        return
    command = "umount -l /sys/fs/cgroup/unified 2>/dev/null; echo ready; exec sleep infinity"
    holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", command], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        made = Podman(["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"], archive)
        yield made
        made.remove()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=100)
    options = parser.parse_args()
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state", idle_timeout=0.2) as daemon:
        archive = make_image(Path(folder) / "app.tar", [app_layer()], cmd=["/app", "serve"])
        daemon.deploy("cold", f"oci-archive:{archive}")
        with podman(archive) as peer:
            for _ in range(options.starts):
                ours.append(wake(daemon))
                if peer is not None:
                    theirs.append(peer.start())
        phases = [i["phases"] for i in daemon.explain("cold")["instances"]]
    rows = [["homerun", *(f"{percentile(ours, p):.1f}" for p in (50, 95, 0, 100)), "1.0"]]
    if theirs:
        ratio = percentile(theirs, 50) / percentile(ours, 50)
        cells = (f"{percentile(theirs, p):.1f}" for p in (50, 95, 0, 100))
        rows.append(["podman run", *cells, f"{ratio:.1f}"])
    print(table([f"{options.starts} starts, ms", "p50", "p95", "min", "max", "ratio"], rows))
    print("phases of the last start, ms:", {k: round(v * 1000, 1) for p in phases[-1:] for k, v in p.items()})
    write_results("cold", {"machine": machine(), "homerun_ms": ours, "podman_ms": theirs})


if __name__ == "__main__":
    main()
