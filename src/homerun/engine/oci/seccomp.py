"""Which system calls a container may make.

seccomp.json is the allow-list of containers-common (Apache-2.0, the one that podman ships), without what a container
that may administer nothing cannot need: mounts, namespaces (clone with CLONE_NEW* flags too), keyrings, io_uring.
Unknown calls answer ENOSYS, so that a libc falls back to an older one (clone3); refused ones EPERM. Sockets are those
of programs that talk over the network or among themselves: each other family is one more kernel module for anybody to
load. Only the machine's own 64-bit ABI is let through. Docker's filter beside it: docs/security.md.
"""

from __future__ import annotations

import base64
import errno
import functools
import json
import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homerun.engine.oci.runtime import Runtime

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_COMPILED = "run.oci.seccomp_bpf_data"
_FAMILIES = sorted((socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK))


class Filter:
    """The profile as crun has compiled it, which takes it long and is the same for all containers: the first one's is
    given to the others. Other runtimes, and one that should not know the annotation, compile what `profile` says."""

    def __init__(self) -> None:
        self._compiled = ""

    def learn(self, runtime: Runtime, id: str) -> None:
        """`id`: of a container that was just created."""
        if not self._compiled:
            self._compiled = base64.b64encode(runtime.filter(id)).decode()

    def annotations(self) -> dict[str, str]:
        """For the runtime's config."""
        return {_COMPILED: self._compiled} if self._compiled else {}


@functools.cache
def profile() -> dict[str, Any]:
    """For `linux.seccomp` of the runtime's config."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("seccomp.json").read_text())
    document["syscalls"] += _sockets()
    return {**document, "architectures": [_ARCHITECTURES[platform.machine()]]}


def _sockets() -> Iterator[dict[str, Any]]:
    """A rule for each family, as one rule compares an argument once; what is refused looks as if it were not built."""
    most = _FAMILIES[-1]
    for family in range(most + 1):
        yield _socket(family, "SCMP_CMP_EQ", allowed=family in _FAMILIES)
    yield _socket(most, "SCMP_CMP_GT", allowed=False)


def _socket(family: int, comparison: str, *, allowed: bool) -> dict[str, Any]:
    action = {"action": "SCMP_ACT_ALLOW"} if allowed else {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EAFNOSUPPORT}
    return {"names": ["socket"], "args": [{"index": 0, "value": family, "op": comparison}], **action}
