"""Which system calls a container may make.

seccomp.json is the allow-list of containers-common (Apache-2.0, the one that podman ships), without what a container
that may administer nothing cannot need: mounts, namespaces (clone with CLONE_NEW* flags too), keyrings,
io_uring, AF_ALG and AF_VSOCK sockets. Unknown calls answer ENOSYS, so that a libc falls back to an older one (clone3);
refused ones EPERM. Only the machine's own 64-bit ABI is let through.
"""

from __future__ import annotations

import functools
import json
import platform
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


@functools.cache
def profile() -> dict[str, Any]:
    """For `linux.seccomp` of the runtime's config."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("seccomp.json").read_text())
    return {**document, "architectures": [_ARCHITECTURES[platform.machine()]]}
