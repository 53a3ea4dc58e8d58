"""Counting what a host has, before and after: nothing may leak."""

from __future__ import annotations

import os
from pathlib import Path


def census() -> dict[str, int]:
    """Mounts, network links, cgroups, network namespaces in use and processes: what a leak would raise."""
    return {
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "cgroups": sum(1 for root in _cgroup_roots() for _, folders, _ in os.walk(root) for _ in folders),
        "instances' processes": _count_processes("conmon"),
        "network namespaces": len(_namespaces("net")),
        "mount namespaces": len(_namespaces("mnt")),
    }


def _cgroup_roots() -> list[Path]:
    base = Path("/sys/fs/cgroup")
    return [path for path in base.glob("*/homerun*")] + [path for path in base.glob("homerun*")]


def _namespaces(kind: str) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.add(os.readlink(process / "ns" / kind))
        except OSError:
            continue
    return found


def _count_processes(name: str) -> int:
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += (process / "comm").read_text().strip() == name
        except OSError:
            continue
    return count
