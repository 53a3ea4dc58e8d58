"""How much memory this machine has, and how much of it is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes. `available`: what can be taken without swapping, as the kernel estimates it."""

    total: int
    available: int

    @property
    def free(self) -> float:
        """The share that is available, 0 to 1."""
        return self.available / self.total

    @classmethod
    def parse(cls, meminfo: str) -> Memory:
        """From the text of /proc/meminfo."""
        fields = dict(line.split(":", 1) for line in meminfo.splitlines())
        total, available = (int(fields[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
        return cls(total, available)


def memory() -> Memory:
    """Right now; some 50 µs."""
    return Memory.parse(Path("/proc/meminfo").read_text())
