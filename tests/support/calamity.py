"""What can befall a machine, brought about for one daemon: its disk full, its clock set, its power gone.

All of it is found by the daemon's own state folder, and what is others' on this host is left alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from homerun.engine.oci import monitor, procfs
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.records import Record
from tests.support.daemon import Daemon

SET_CLOCK = Path(__file__).with_name("set_clock")
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Disk:
    """A disk of its own (in memory) at `place`: as a context manager, mounted."""

    def __init__(self, place: Path, size: int = 1200 << 20) -> None:
        self.place, self.size = place, size

    def __enter__(self) -> Disk:
        self.place.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"mode=700,size={self.size}", "tmpfs", str(self.place))
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "-l", str(self.place))

    @property
    def used(self) -> int:
        status = os.statvfs(self.place)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a page is left. What frees some is filled up again."""
        while not self._resize(self.used):
            pass
        try:
            yield
        finally:
            self._resize(self.size)

    def _resize(self, size: int) -> bool:
        """False: meanwhile there is more on it."""
        command = ["mount", "-o", f"remount,size={size}", str(self.place)]
        return subprocess.run(command, capture_output=True).returncode == 0


class WallClock:
    """What the daemon takes for it, if its environment has `environment`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(SET_CLOCK), "CLOCK_OFFSET": str(self._file)}

    def set(self, seconds: float) -> None:
        """So far ahead of what it should be."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self._file)
        time.sleep(0.1)  # until everybody has looked


@contextmanager
def own_boot_id(file: Path) -> Iterator[None]:
    """Whoever reads the id of this boot reads `file`. Only in a mount namespace of one's own."""
    file.write_text(Path(_BOOT_ID).read_text())
    _run("mount", "--bind", str(file), _BOOT_ID)
    try:
        yield
    finally:
        _run("umount", "-l", _BOOT_ID)


def reboot(daemon: Daemon, boot_id: Path | None = None) -> None:
    """As after the power came back: nothing runs, and of cgroups, networks and rules nothing is left. `boot_id`: the
    file of `own_boot_id`."""
    daemon.kill_all()
    layout = Layout(daemon.state.absolute())
    for pids in monitor.find(layout.instances).values():
        for pid in pids:
            monitor.kill_tree(pid)
    cgroups = Cgroups.of_host(layout.cgroup)
    for name in cgroups.names():
        cgroups.remove(name)
    cgroups.remove_parents()
    for link in links(layout.tag):
        subprocess.run(["ip", "link", "delete", link], capture_output=True)
    subprocess.run(["nft", "delete", "table", "inet", f"homerun_{layout.tag}"], capture_output=True)
    if boot_id is not None:
        boot_id.write_text(f"{uuid4()}\n")


def links(tag: str) -> list[str]:
    """Network devices of the homerun with this tag: the bridge, and a port of it for each network namespace."""
    return sorted(name for name in os.listdir("/sys/class/net") if name == f"hr-{tag}" or name.startswith(f"hr{tag}-"))


@dataclass(frozen=True, slots=True)
class Running:
    """An instance that runs: `owner` is the last part of its service's, job's or worker pool's name."""

    id: str
    owner: str
    monitors: list[int]

    @property
    def inits(self) -> list[int]:
        """The first processes of its containers."""
        children = ((pid, Path(f"/proc/{pid}/task/{pid}/children")) for pid in self.monitors)
        return [int(child) for _, file in children if file.exists() for child in file.read_text().split()]


def running(state: Path) -> list[Running]:
    folder = Layout(state.absolute()).instances
    found = []
    for id, pids in monitor.find(folder).items():
        spec = Record(folder / id).spec()
        if spec is not None:
            owner = next(
                (spec.labels[label] for label in ("service", "job", "worker_pool") if label in spec.labels), ""
            )
            found.append(Running(id, owner.rpartition("/")[2], pids))
    return found


def kill_runtime(state: Path, seconds: float) -> bool:
    """SIGKILL for the next OCI runtime that is at work for this homerun. False: there was none for so long."""
    root = f"--root={Layout(state.absolute()).run}/"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in procfs.pids():
            words = procfs.command_line(pid)
            if "create" in words and any(word.startswith(root) for word in words) and "conmon" not in words[0]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return True
    return False


def leftovers(state: Path) -> list[str]:
    """What there is on this host of a homerun that has ended."""
    layout = Layout(state.absolute())
    found = [f"link {name}" for name in links(layout.tag)]
    found += [f"cgroup {root}" for root in Cgroups.of_host(layout.cgroup).roots()]
    found += [f"monitor of {id}" for id in monitor.find(layout.instances)]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    found += [f"nft table {line.split()[-1]}" for line in tables.splitlines() if line.endswith(f"_{layout.tag}")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    below = (line.split()[4] for line in mounts)
    return found + [f"mount {point}" for point in below if point.startswith(f"{layout.state}/")]


def litter(state: Path) -> list[str]:
    """What is in the state folder of a homerun that runs nothing, and should have been thrown away."""
    layout = Layout(state.absolute())
    found = [f"record of {path.name}" for path in layout.instances.iterdir()]
    found += [f"log file {path.name}" for path in layout.logs.iterdir() if path.name != "index.jsonl"]
    found += [f"runtime's state of {path.name}" for path in layout.run.glob("*/*") if path.parent.name in _RUNTIMES]
    found += [f"draft {path}" for path in layout.state.rglob("*.new")]
    return found + [
        f"in {path.name}/: {entry}" for path in (layout.sandbox, layout.volumes) for entry in path.iterdir()
    ]


_RUNTIMES = ("crun", "runc")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
