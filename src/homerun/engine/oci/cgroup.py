"""Control groups in all three layouts: v1, hybrid (v1 plus a cgroup2 mount without controllers) and v2.

The OCI runtime makes an instance's cgroup and puts its limits; we read what became of it, kill what is left in it, and
remove it. All paths are `<mount>/<parent>/<group>`; with v1 there is one per hierarchy. The group of an instance with
one container is its id; of several, each has its own below that.

Instances in the background have a parent of their own, beside that of the others. Below one and the same, a service
would have to wait for as long as tasks have used up more than its parent's share of the CPU.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

_WANTED = ("cpu", "memory", "pids")
PERIOD = 100_000
"""Microseconds in which a group may run for so long as its quota says. Never changed while it runs: the kernel would
let the old period pass first."""
_SMALLEST_QUOTA = 1000
BACKGROUND_WEIGHT = 0.1
"""Of all instances in the background together, where CPU is short: part of the share that the others have together."""


class CgroupLayout(StrEnum):
    V1 = "v1"
    HYBRID = "hybrid"
    V2 = "v2"
    NONE = "none"


def quota(cores: float) -> int:
    """Microseconds in each PERIOD."""
    return max(_SMALLEST_QUOTA, int(cores * PERIOD))


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())


def _mounts(mountinfo: str) -> Iterator[tuple[Path, str, str]]:
    """(mount point, filesystem type, super options) of each mount, from the text of /proc/self/mountinfo."""
    for line in mountinfo.splitlines():
        front, _, back = line.partition(" - ")
        kind, _, options = back.split(" ", 2)
        yield Path(front.split(" ")[4]), kind, options


class Cgroups:
    """The host's hierarchies. `mountinfo`: text of /proc/self/mountinfo."""

    def __init__(self, parent: str, mountinfo: str) -> None:
        self._parent, self._background = parent, f"{parent}-background"
        self.unified: Path | None = None
        self.controllers: dict[str, Path] = {}
        for point, kind, options in _mounts(mountinfo):
            if kind == "cgroup2":
                self.unified = point
            elif kind == "cgroup":
                self.controllers.update(dict.fromkeys(options.split(","), point))
        self._own = self._find_own()
        self._roots = self._find_roots()

    @classmethod
    def of_host(cls, parent: str) -> Cgroups:
        return cls(parent, Path("/proc/self/mountinfo").read_text())

    def _find_own(self) -> Path | None:
        """cgroup.procs of the cgroup in which this process is, in one hierarchy that instances use as well."""
        point = self.controllers.get("pids") or self.unified
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if point and ("pids" in controllers.split(",") if self.controllers else number == "0"):
                return point / path.lstrip("/") / "cgroup.procs"
        return None

    @property
    def layout(self) -> CgroupLayout:
        if self.controllers:
            return CgroupLayout.HYBRID if self.unified else CgroupLayout.V1
        return CgroupLayout.V2 if self.unified else CgroupLayout.NONE

    @property
    def missing(self) -> list[str]:
        """Controllers that the host does not offer."""
        if self.layout is CgroupLayout.V2 and self.unified:
            offered = (self.unified / "cgroup.controllers").read_text().split()
        else:
            offered = list(self.controllers)
        return [name for name in _WANTED if name not in offered]

    @property
    def swap_accounting(self) -> bool:
        if self.layout is CgroupLayout.V2:
            return Path("/proc/swaps").read_text().count("\n") > 1
        memory = self.controllers.get("memory")
        return memory is not None and (memory / "memory.memsw.limit_in_bytes").exists()

    def path(self, group: str, *, background: bool = False) -> str:
        """For `cgroupsPath` of the runtime's config."""
        return f"/{self._parent_of(background)}/{group}"

    def _parent_of(self, background: bool) -> str:
        return self._background if background else self._parent

    def divide(self, instance: str, *, background: bool = False) -> None:
        """It is going to have groups below its own."""
        if self.layout is CgroupLayout.V2 and self.unified is not None:
            folder = self.unified / self._parent_of(background) / instance
            folder.mkdir(exist_ok=True)
            self._hand_down(folder)

    def roots(self) -> list[Path]:
        """The parents of all instances that exist."""
        return [root for root in self._roots if root.is_dir()]

    def _find_roots(self) -> list[Path]:
        """Two folders per hierarchy. In the hybrid layout the runtimes do not see the cgroup2 mount."""
        v2 = self.layout is CgroupLayout.V2 and self.unified
        points = [v2] if v2 else dict.fromkeys(self.controllers.values())
        return [point / parent for point in points for parent in (self._parent, self._background)]

    def _folders(self, group: str) -> list[Path]:
        """Wherever it may be."""
        return [root / group for root in self._roots]

    def prepare(self) -> None:
        """With v2, hand the controllers down to the parents' children; the runtimes do not on every version. Weigh what
        is in the background against the rest."""
        if self.controllers:
            background = self.controllers["cpu"] / self._background
            background.mkdir(exist_ok=True)
            (background / "cpu.shares").write_text(str(int(BACKGROUND_WEIGHT * 1024)))
        elif self.unified is not None:
            background = self.unified / self._background
            self._hand_down(self.unified)
            for parent in (self.unified / self._parent, background):
                parent.mkdir(exist_ok=True)
                self._hand_down(parent)
            (background / "cpu.weight").write_text(str(int(BACKGROUND_WEIGHT * 100)))

    @staticmethod
    def _hand_down(folder: Path) -> None:
        enabled = (folder / "cgroup.subtree_control").read_text().split()
        for name in _WANTED:
            if name not in enabled:
                (folder / "cgroup.subtree_control").write_text(f"+{name}")

    def hasten(self) -> None:
        """Prepare the kernel for a process that will change its cgroup in some milliseconds. Blocks meanwhile.

        The first move after a pause waits for an RCU grace period (5 to 15 ms) under a lock that all moves share, and
        the OCI runtime's is the longest step of a start. A move that changes nothing, of ourselves into the cgroup in
        which we are, begins that wait while the rest of the start is still being prepared.
        """
        if self._own is not None:
            try:
                self._own.write_text(str(os.getpid()))
            except OSError:
                self._own = None  # not ours to write: then every start waits for itself

    def names(self) -> set[str]:
        """Instances that have a cgroup, ours or left by a crash."""
        found: set[str] = set()
        for root in self.roots():
            found.update(entry.name for entry in os.scandir(root) if entry.is_dir())
        return found

    def oom_kills(self, group: str) -> int:
        """How many of its processes the kernel killed for want of memory."""
        file = self._file(group, "memory", "memory.oom_control", "memory.events")
        try:
            return int(_fields(file.read_text()).get("oom_kill", 0))
        except OSError:
            return 0

    def allot(self, group: str, cores: float) -> None:
        """How much CPU it may use; holds at once, also for what waits for its next period. Raises OSError."""
        file = self._file(group, "cpu", "cpu.cfs_quota_us", "cpu.max")
        file.write_text(str(quota(cores)) if self.controllers else f"{quota(cores)} {PERIOD}")

    def cpu_used(self, group: str) -> float:
        """Seconds, of all processes that are or were in it. Raises OSError."""
        text = self._file(group, "cpuacct", "cpuacct.usage", "cpu.stat").read_text()
        return int(text) / 1e9 if self.controllers else int(_fields(text)["usage_usec"]) / 1e6

    def _file(self, group: str, controller: str, v1: str, v2: str) -> Path:
        """A file of the group's, by its names with v1 and v2 of `controller`."""
        if self.controllers or self.unified is None:
            point, name = self.controllers.get(controller, Path("/nowhere")), v1
        else:
            point, name = self.unified, v2
        background = point / self._background / group
        return (background if background.is_dir() else point / self._parent / group) / name

    def processes(self, group: str) -> set[int]:
        found: set[int] = set()
        for folder in self._folders(group):
            try:
                found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
            except OSError:
                continue
        return found

    def kill(self, group: str) -> None:
        """SIGKILL for everything in it."""
        for folder in self._folders(group):
            if (folder / "cgroup.kill").exists():
                (folder / "cgroup.kill").write_text("1")
        for pid in self.processes(group):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _below(self, group: str) -> list[str]:
        """Groups in a group; deeper there are none."""
        names: set[str] = set()
        for folder in self._folders(group):
            try:
                names.update(entry.name for entry in os.scandir(folder) if entry.is_dir())
            except FileNotFoundError:
                continue
        return [f"{group}/{name}" for name in names]

    def remove(self, group: str, patience: float = 5) -> None:
        """Kill what is left in it, then remove it. A killed process leaves its cgroup when the kernel gets to it."""
        for root in self._roots:
            folder = f"{root}/{group}"
            pause, waited = 0.0005, 0.0
            while not _rmdir(folder):
                if below := self._below(group):
                    for each in below:
                        self.remove(each, patience)
                    continue
                if waited > patience:
                    raise OSError(errno.EBUSY, "the cgroup still has processes", folder)
                self.kill(group)
                time.sleep(pause)
                waited += pause
                pause = min(0.05, pause * 2)

    def remove_parents(self) -> None:
        """Without instances only."""
        for root in self.roots():
            _rmdir(root)


def _rmdir(folder: str | Path) -> bool:
    """False: somebody is still in it."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
        return False
    return True
