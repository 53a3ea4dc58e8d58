"""User namespaces: root in a container is nobody on the host.

All containers have their users at the same place of the host's, far from those of people and programs. Files keep the
owners that they have: layers and volumes are mounted with the same map (mount_setattr(2), idmapped mounts).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.base import EngineUnavailable

BASE = 0x70000000
"""The first number beyond those that systemd gives to containers; the last is below 2^31, which old programs need."""
SIZE = 0x0FFF0000


@dataclass(frozen=True, slots=True)
class IdMap:
    """User and group `n` of a container are `base + n` of the host. `fd`: of a user namespace with this map."""

    fd: int
    base: int = BASE
    size: int = SIZE

    @classmethod
    def open(cls) -> IdMap:
        """Raises EngineUnavailable: the kernel makes no user namespaces."""
        made = ["unshare", "--user", "sh", "-c", "echo; cat"]  # until the end of its input
        with subprocess.Popen(made, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout and process.stderr
            if not process.stdout.read(1):
                why = process.stderr.read().decode(errors="replace").strip()
                raise EngineUnavailable(f"user namespaces cannot be made here: {why}; leave out --user-namespaces")
            for kind in ("uid", "gid"):
                Path(f"/proc/{process.pid}/{kind}_map").write_text(f"0 {BASE} {SIZE}\n")
            return cls(os.open(f"/proc/{process.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC))

    def owner(self, uid: int = 0, gid: int = 0) -> tuple[int, int]:
        """The numbers on the host of a container's own."""
        return self.base + uid, self.base + gid

    def mappings(self) -> list[dict[str, int]]:
        """As the runtime's config has them."""
        return [{"containerID": 0, "hostID": self.base, "size": self.size}]

    def close(self) -> None:
        os.close(self.fd)
