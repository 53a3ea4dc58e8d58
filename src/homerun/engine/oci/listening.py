"""Why is it not ready? What a container does listen on, said in words that name the remedy."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.oci.procfs import PROC
from homerun.model.probe import Probe

_LISTEN = "0A"


@dataclass(frozen=True, slots=True, order=True)
class Socket:
    port: int
    address: str

    @property
    def local(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse(table: str) -> list[Socket]:
    """Listening sockets in the text of /proc/PID/net/tcp or tcp6."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, port = fields[1].split(":")
            words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
            packed = struct.pack(f"={len(words)}I", *words)
            family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
            found.append(Socket(int(port, 16), socket.inet_ntop(family, packed)))
    return found


def of_process(pid: int) -> list[Socket]:
    """What is listened on in the network namespace of `pid`."""
    found: set[Socket] = set()
    for name in ("tcp", "tcp6"):
        try:
            found.update(parse(Path(PROC / str(pid) / "net" / name).read_text()))
        except OSError:
            continue
    return sorted(found)


def explain(probe: Probe, sockets: Iterable[Socket], wrong: str = "") -> str:
    """What was waited for, what was found, what to do. `wrong`: what the last answer lacked, if there was one."""
    port, listed = probe.port, list(sockets)
    limit, why = f"within {probe.limit:g} s", f": {wrong}" if wrong else ""
    same = [each for each in listed if each.port == port]
    others = [each for each in listed if each.port != port]
    if any(not each.local for each in same):
        if probe.http_path is not None:
            return f"GET {probe.http_path} on port {port} was not answered with 2xx or 3xx {limit}{why}"
        if probe.grpc_service is not None:
            asked = f"the gRPC health check{f' of {probe.grpc_service}' if probe.grpc_service else ''}"
            return f"{asked} on port {port} did not succeed {limit}{why}"
        return f"port {port} accepted no connection {limit}, though the container listens on {_join(same)}"
    if same:
        return f"the container listens on {_join(same)} only: listen on 0.0.0.0:{port} ({limit})"
    if others:
        advice = f"listen on 0.0.0.0:{port}, the value of PORT"
        if open_ports := [each.port for each in others if not each.local]:
            advice += f", or deploy with --port {open_ports[0]}"
        return f"the container listens on {_join(others)}, not on port {port}: {advice} ({limit})"
    return f"the container listens on no port: listen on 0.0.0.0:{port}, the value of PORT, {limit}"


def _join(sockets: Iterable[Socket]) -> str:
    return ", ".join(map(str, sockets))
