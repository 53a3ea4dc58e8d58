"""The runtime's config.json: what the container is, what it may do and what it sees.

Docker's default capabilities without NET_RAW, MKNOD, AUDIT_WRITE and SYS_CHROOT, no new privileges (setuid programs
gain nothing, contract §1.5), /proc and /sys masked and read-only, no devices but the harmless ones, 25,000 files.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homerun.engine.oci import seccomp
from homerun.engine.oci.cgroup import PERIOD, quota
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.users import User

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FILES = 25_000
_CAPABILITIES = [
    f"CAP_{name}"
    for name in ("CHOWN DAC_OVERRIDE FSETID FOWNER SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE KILL".split())
]
_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
    "/sys/dev/block",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    *sorted(map(str, Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle"))),
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def _mount(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


_SAFE = ("nosuid", "noexec", "nodev")
_MOUNTS = [
    _mount("/proc", "proc", "proc", *_SAFE),
    _mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "strictatime", "mode=755", "size=65536k"),
    _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    _mount("/dev/shm", "tmpfs", "shm", *_SAFE, "mode=1777"),
    _mount("/dev/mqueue", "mqueue", "mqueue", *_SAFE),
    _mount("/sys", "sysfs", "sysfs", *_SAFE, "ro"),
    _mount("/sys/fs/cgroup", "cgroup", "cgroup", *_SAFE, "relatime", "ro"),
]
_MOUNTS_BUT_SYS = [mount for mount in _MOUNTS if mount["destination"] != "/sys"]
"""In a user namespace, where /sys is there already (sandbox.mount_sys)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu` in cores, `memory` in bytes, `tasks`: processes and threads. `swap`: the host accounts for it."""

    cpu: float
    memory: int
    tasks: int
    swap: bool
    start_cpu: float = 0.0
    """In cores, for the start, if that is more. Its weight beside others is that of `cpu`."""
    group_oom: bool = False
    """One process over the limit takes the whole instance down (cgroup v2)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the container's parts are on the host, as paths in the runtime's mount namespace."""

    root: str
    files: Mapping[str, str]
    """Read-only files of ours: path in the container -> path on the host."""
    cgroup: str
    network: str
    ids: IdMap | None = None
    """For a user namespace of its own."""


def config(
    args: Sequence[str], env: Mapping[str, str], cwd: str, user: User, limits: Limits, place: Place
) -> dict[str, Any]:
    """The whole document (OCI runtime specification 1.0)."""
    return {
        "ociVersion": "1.0.0",
        "hostname": "localhost",
        "root": {"path": place.root, "readonly": False},
        "process": _process(args, env, cwd, user),
        "mounts": [
            *(_MOUNTS if place.ids is None else _MOUNTS_BUT_SYS),
            *(_mount(to, "bind", source, "bind", "ro", *_SAFE) for to, source in place.files.items()),
        ],
        "linux": {
            "cgroupsPath": place.cgroup,
            "resources": _resources(limits),
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")),
                {"type": "network", "path": place.network},
                *([{"type": "user"}] if place.ids else ()),
            ],
            **({} if place.ids is None else {f"{kind}Mappings": place.ids.mappings() for kind in ("uid", "gid")}),
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "seccomp": seccomp.profile(),
        },
    }


def _process(args: Sequence[str], env: Mapping[str, str], cwd: str, user: User) -> dict[str, Any]:
    kept = _CAPABILITIES
    files = min(_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return {
        "terminal": False,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": list(args),
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": cwd,
        "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": files, "hard": files}],
        "noNewPrivileges": True,
    }


def _resources(limits: Limits) -> dict[str, Any]:
    memory = {"limit": limits.memory}
    if limits.swap:
        memory["swap"] = limits.memory
    resources: dict[str, Any] = {
        "memory": memory,
        "cpu": {
            "quota": quota(max(limits.cpu, limits.start_cpu)),
            "period": PERIOD,
            "shares": max(2, int(limits.cpu * 1024)),
        },
        "pids": {"limit": limits.tasks},
        "devices": [{"allow": False, "access": "rwm"}],
    }
    if limits.group_oom:
        resources["unified"] = {"memory.oom.group": "1"}
    return resources
