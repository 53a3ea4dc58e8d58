"""`homerun doctor`: what this host has, what it lacks, and the command that gets it.

Programs are run, not only looked for: an OCI runtime is fine when a container made with it exits with 0.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homerun.core.standby import ENOUGH, SCARCE, room
from homerun.engine.base import EngineUnavailable
from homerun.engine.oci import checkpoints, host
from homerun.engine.oci.cgroup import CgroupLayout, Cgroups
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.runtime import CANDIDATES, Runtime
from homerun.engine.oci.sandbox import Sandboxes
from homerun.lib.memory import memory

_ROOM = 5 << 30
_MEMORY = 1 << 30
_MODULES = Path("/lib/modules")
_TOOLS = {
    "conmon": "apt-get install conmon",
    "skopeo": "apt-get install skopeo",
    "containers-storage": "apt-get install containers-storage",
    "nft": "apt-get install nftables",
    "buildah": "apt-get install buildah",
}
_OPTIONAL = {"buildah": "needed for --source only", "containers-storage": "removes unused and half imported images"}


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy` is empty when there is nothing to do. Without `essential`, homerun runs even if it is not ok."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    essential: bool = True


async def checks(state: Path) -> list[Check]:
    """All of them, in the order in which they are worth reading. Changes nothing on the host that it does not undo."""
    found = [_root(), _machine(), *_kernel(), *_cgroups(), *(_tool(name) for name in _TOOLS)]
    found += await _runtimes()
    return [
        *found,
        await _users(),
        _checkpoints(),
        _disks(),
        _nfs(),
        *_forwarding(),
        _room(state),
        _memory(),
        _standbys(),
    ]


def _root() -> Check:
    return Check("root", os.geteuid() == 0, f"uid {os.geteuid()}", "" if os.geteuid() == 0 else "run it with sudo")


def _machine() -> Check:
    machine = platform.machine()
    remedy = "" if machine == "x86_64" else "images must have a variant for linux/amd64: use an x86_64 host"
    return Check("machine", machine == "x86_64", f"{platform.system()} {platform.release()} {machine}", remedy)


def _kernel() -> Iterator[Check]:
    systems = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    yield _feature("overlay", "overlay" in systems or _has_module("overlay"))
    yield _feature("bridge", _has_module("bridge") or _trial_link("bridge"))
    yield _feature("veth", _has_module("veth") or _trial_link("veth"))
    namespaces = set(os.listdir("/proc/self/ns"))
    missing = sorted({"mnt", "net", "pid", "ipc", "uts", "cgroup"} - namespaces)
    remedy = f"use a kernel with {', '.join(missing)} namespaces" if missing else ""
    yield Check("namespaces", not missing, "all" if not missing else f"without {', '.join(missing)}", remedy)


def _feature(name: str, there: bool) -> Check:
    return Check(name, there, "in the kernel" if there else "missing", "" if there else f"modprobe {name}")


def _has_module(name: str) -> bool:
    """Is it loaded, built in, or there to be loaded? The kernel loads it by itself at the first use."""
    listed = [_MODULES / platform.release() / file for file in ("modules.builtin", "modules.dep")]
    return Path(f"/sys/module/{name}").exists() or any(
        file.exists() and f"/{name}.ko" in file.read_text() for file in listed
    )


def _trial_link(kind: str) -> bool:
    """A kernel without a module tree can only be asked: make one in a network namespace that ends with the command."""
    try:
        command = ["unshare", "--net", "ip", "link", "add", "hr-doctor", "type", kind]
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _cgroups() -> Iterator[Check]:
    cgroups = Cgroups.of_host("homerun-doctor")
    layout = cgroups.layout
    mounted = layout is not CgroupLayout.NONE
    remedy = "" if mounted else "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    yield Check("cgroups", mounted, f"layout {layout}", remedy)
    missing = cgroups.missing
    remedy = "add cgroup_enable=memory to the kernel's command line and reboot" if missing else ""
    yield Check("controllers", not missing, f"without {', '.join(missing)}" if missing else "cpu, memory, pids", remedy)


def _tool(name: str) -> Check:
    path = shutil.which(name)
    essential = name not in _OPTIONAL
    if path is None:
        note = f" ({_OPTIONAL[name]})" if name in _OPTIONAL else ""
        return Check(name, False, f"not installed{note}", _TOOLS[name], essential)
    return Check(name, True, _version(path), essential=essential)


def _version(path: str) -> str:
    flag = "version" if path.endswith("containers-storage") else "--version"
    done = subprocess.run([path, flag], capture_output=True, text=True)
    first = (done.stdout or done.stderr).strip().splitlines()
    return first[0] if first else path


async def _runtimes() -> list[Check]:
    """One that works is enough; the faults of the others are told, too."""
    installed = {name: path for name in CANDIDATES if (path := shutil.which(name))}
    faults = {name: await _fault(path) for name, path in installed.items()}
    works = any(fault is None for fault in faults.values())
    found = []
    for name in CANDIDATES:
        if name not in installed:
            found.append(Check(name, False, "not installed", f"apt-get install {name}", essential=not works))
            continue
        fault, version = faults[name], _version(installed[name])
        text = f"{version}, runs a container" if fault is None else f"{version}, does not run a container: {fault}"
        remedy = "" if fault is None else "homerun uses another one" if works else "apt-get install runc"
        found.append(Check(name, fault is None, text, remedy, essential=not works))
    return found


async def _users() -> Check:
    """For --user-namespaces: with the first runtime that there is."""
    path = next(filter(None, map(shutil.which, CANDIDATES)), None)
    fault = await _fault(path, mapped=True) if path else "no OCI runtime is installed"
    found = "root in a container can be nobody here" if fault is None else fault
    remedy = "" if fault is None else "leave out --user-namespaces, or use Linux 5.19 or later"
    return Check("user namespaces", fault is None, found, remedy, essential=False)


async def _fault(path: str, *, mapped: bool = False) -> str | None:
    conmon = shutil.which("conmon")
    if os.geteuid() != 0 or conmon is None:
        return "cannot be tried without root and conmon"
    with tempfile.TemporaryDirectory(prefix="homerun-doctor-") as folder:
        layout = Layout(Path(folder), mapped)
        layout.make()
        cgroups = Cgroups.of_host(layout.cgroup)
        if cgroups.missing:
            return "cannot be tried without cgroups"
        cgroups.prepare()
        runtime = Runtime(path, layout.run / os.path.basename(path))
        runtime.root.mkdir()
        sandboxes = Sandboxes(host.detached(cgroups), threads=1)
        ids = None
        try:
            ids = IdMap.open() if mapped else None
            return await sandboxes.run(lambda: host.trial(layout, cgroups, conmon, ids)(runtime))
        except EngineUnavailable as error:
            return error.message
        finally:
            if ids:
                ids.close()
            sandboxes.close()
            cgroups.remove_parents()
            layout.clear()


def _disks() -> Check:
    """What volumes on disk are made of."""
    if not os.path.exists("/dev/loop-control"):
        return Check("volumes on disk", False, "the kernel has no loop devices", "modprobe loop", essential=False)
    if shutil.which("mke2fs") is None:
        return Check("volumes on disk", False, "without mke2fs", "apt-get install e2fsprogs", essential=False)
    return Check("volumes on disk", True, "loop devices and mke2fs", essential=False)


def _nfs() -> Check:
    if not _has_module("nfs"):
        remedy = "use a kernel with NFS (CONFIG_NFS_FS), if a volume is to be on NFS"
        return Check("NFS volumes", False, "the kernel has no NFS", remedy, essential=False)
    if shutil.which("mount.nfs") is None:
        return Check("NFS volumes", False, "without mount.nfs", "apt-get install nfs-common", essential=False)
    return Check("NFS volumes", True, "the kernel and mount.nfs", essential=False)


def _forwarding() -> Iterator[Check]:
    """Docker, for one, has iptables drop everything that it did not ask for: then instances reach no network."""
    iptables = shutil.which("iptables")
    if iptables is None or os.geteuid() != 0:
        return
    done = subprocess.run([iptables, "-S", "FORWARD"], capture_output=True, text=True)
    if done.returncode:
        return
    accepts = "-P FORWARD ACCEPT" in done.stdout or " hr-+ " in done.stdout
    remedy = "" if accepts else "iptables -I FORWARD -i hr-+ -j ACCEPT; iptables -I FORWARD -o hr-+ -j ACCEPT"
    found = "accepted" if accepts else "dropped by iptables: instances reach no network"
    yield Check("forwarding", accepts, found, remedy, essential=False)


def _room(state: Path) -> Check:
    folder = state.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    remedy = "" if free >= _ROOM else f"free some, or choose another folder with --state: want {_ROOM >> 30} GiB"
    return Check("disk", free >= _ROOM, f"{free / (1 << 30):.1f} GiB free at {folder}", remedy, essential=False)


def _checkpoints() -> Check:
    """Off unless somebody wants them: `homerun up --criu`."""
    ours = Path(checkpoints.FOLDER) / "criu"
    path = str(ours) if ours.exists() else shutil.which("criu")
    if path is None:
        remedy = f"for slow starts: scripts/criu, then homerun up --criu {checkpoints.FOLDER}/criu"
        return Check("checkpoints", False, "CRIU is not installed", remedy, essential=False)
    fault = checkpoints.fault(path)
    remedy = "scripts/criu gets a newer one" if fault else ""
    return Check("checkpoints", not fault, fault or f"homerun up --criu {path}", remedy, essential=False)


def _memory() -> Check:
    free = memory().available
    remedy = "" if free >= _MEMORY else f"stop something: an instance may take 512 MiB, want {_MEMORY >> 30} GiB"
    return Check("memory", free >= _MEMORY, f"{free / (1 << 30):.1f} GiB available", remedy, essential=False)


def _standbys() -> Check:
    now = memory()
    if now.free < SCARCE:
        found = f"none: less than {SCARCE:.0%} of the memory is available"
        return Check("standbys", False, found, f"none are made until {ENOUGH:.0%} is", essential=False)
    most = room(now.total)
    found, remedy = f"memory for {most}", "" if most else "requests wait for instances to be made: give it more memory"
    return Check("standbys", most > 0, found, remedy, essential=False)
