"""Which addresses instances get: a private /16 that this host does not use otherwise, kept over restarts.

The first choice depends on the state folder, so that two homeruns on one host do not meet.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from homerun.engine.base import EngineUnavailable
from homerun.lib.lock import take

_CANDIDATES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in range(150, 240))
_PATIENCE = 2000
"""Tries: 10 s."""


def host_routes(table: str) -> list[IPv4Network]:
    """Destinations in the text of /proc/net/route, without the default route."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (socket.inet_ntoa(struct.pack("=I", int(fields[i], 16))) for i in (1, 7))
        if mask != "0.0.0.0":
            found.append(IPv4Network((destination, mask), strict=False))
    return found


@contextlib.contextmanager
def choosing() -> Iterator[None]:
    """From before the choice until the host has a route to what was chosen, which is how others know of it: no other
    homerun in this network namespace chooses meanwhile.

    Two that start at the same moment would each find the other's choice free, and no packet of either would arrive. The
    lock is on the namespace itself: no folder is shared by all who share the addresses. Any user of this host may hold
    it, so nobody is waited for longer than a choice can take.
    """
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        take(fd, _PATIENCE)
        yield
    finally:
        os.close(fd)


def choose(tag: str, used: Iterable[IPv4Network]) -> IPv4Network:
    start = int(tag, 16) % len(_CANDIDATES)
    taken = list(used)
    for candidate in _CANDIDATES[start:] + _CANDIDATES[:start]:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise EngineUnavailable("every 10.150.0.0/16 to 10.239.0.0/16 is routed on this host: instances need a free one")


def _recall(file: Path) -> IPv4Network | None:
    """None: there is none, or the machine went down while it was written."""
    try:
        return IPv4Network(json.loads(file.read_text())["subnet"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


@dataclass
class Subnet:
    network: IPv4Network

    @classmethod
    def kept(cls, file: Path, tag: str, bridge: str) -> Subnet:
        """The one written to `file` before, unless somebody else has begun to use it."""
        lines = Path("/proc/net/route").read_text().splitlines()
        used = host_routes("\n".join(lines[:1] + [line for line in lines[1:] if not line.startswith(f"{bridge}\t")]))
        network = _recall(file)
        if network is None or any(network.overlaps(other) for other in used):
            network = choose(tag, used)
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps({"subnet": str(network)}))
            fresh.rename(file)
        return cls(network)

    @property
    def gateway(self) -> str:
        return str(self.network.network_address + 1)

    @property
    def prefix(self) -> int:
        return self.network.prefixlen

    def addresses(self) -> Iterator[str]:
        """All that instances may have, in order."""
        first = int(self.network.network_address)
        for number in range(2, self.network.num_addresses - 1):
            yield socket.inet_ntoa((first + number).to_bytes(4))
