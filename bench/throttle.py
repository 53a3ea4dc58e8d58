"""The first request after a pause, to instances whose CPU is throttled meanwhile and to others whose CPU is not.

Through homerun: services of both kinds, asked one after the other, each after a pause in which the first kind is
throttled; one more of them is busy all the time as far as it is let. Then the kernel alone: the same program, asked
directly, with its quota lifted, or its freezer thawed, beside the request, and with neither.

    python -m bench.throttle        root and an OCI runtime needed; writes bench/results/throttle.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bench.support import machine, percentile, table, write_results
from homerun.engine.base import THROTTLED
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.layout import Layout
from tests.support.daemon import Daemon
from tests.support.images import app_layer, make_image

PAUSE = 2.5
"""Seconds; a second and a half after its last request an instance is throttled for certain."""
GET = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


class Service:
    """Asked over a connection that stays open."""

    def __init__(self, daemon: Daemon, name: str, image: str, *, throttled: bool, spin: bool = False) -> None:
        env = [{"name": "SPIN", "value": "1"}] if spin else []
        daemon.deploy(name, image, container={"resources": {"cpuIdle": throttled}, "env": env})
        self._connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port)
        self._host = daemon.host(name)
        self.ms: list[float] = []

    def ask(self) -> None:
        began = time.perf_counter()
        self._connection.request("GET", "/", headers={"Host": self._host})
        assert self._connection.getresponse().read() == b"hello\n"
        self.ms.append((time.perf_counter() - began) * 1000)


def through_homerun(daemon: Daemon, image: str, services: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each first request."""
    kinds = {
        "always allocated": [Service(daemon, f"always-{n}", image, throttled=False) for n in range(services)],
        "throttled": [Service(daemon, f"throttled-{n}", image, throttled=True) for n in range(services)],
        "always allocated, again": [Service(daemon, f"again-{n}", image, throttled=False) for n in range(services)],
        "throttled, never at rest": [Service(daemon, "spin", image, throttled=True, spin=True)],
    }
    for _ in range(rounds + 1):
        time.sleep(PAUSE)
        for number in range(services):
            for found in kinds.values():
                if number < len(found):
                    found[number].ask()
    return {kind: [ms for one in found for ms in one.ms[1:]] for kind, found in kinds.items()}


def kernel_alone(daemon: Daemon, image: str, number: int) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds of first requests, and of what was written beside them."""
    daemon.deploy("alone", image, container={"resources": {"cpuIdle": False}})
    id = daemon.explain("alone")["instances"][0]["id"]
    layout = Layout(daemon.state)
    address = json.loads((layout.instances / id / "process.json").read_text())["address"]
    cgroups = Cgroups.of_host(layout.cgroup)
    freezer, frozen, thawed = (
        (cgroups.controllers["freezer"] / layout.cgroup / id / "freezer.state", "FROZEN", "THAWED")
        if "freezer" in cgroups.controllers
        else ((cgroups.unified or Path("/")) / layout.cgroup / id / "cgroup.freeze", "1", "0")
    )

    def throttle() -> None:
        cgroups.allot(id, THROTTLED)

    def nothing() -> None:
        pass

    ways: Mapping[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "nothing": (nothing, nothing),
        "quota, lifted": (throttle, lambda: cgroups.allot(id, 1)),
        "freezer, thawed": (lambda: freezer.write_text(frozen), lambda: freezer.write_text(thawed)),
        "quota, not lifted": (throttle, nothing),
    }
    results: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    with closing(socket.create_connection((address, 8080))) as instance:
        instance.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(number):
            for name, (down, up) in ways.items():
                down()
                time.sleep(0.12)
                began = time.perf_counter()
                instance.sendall(GET)
                sent = time.perf_counter()
                up()
                done = time.perf_counter()
                assert instance.recv(65536).endswith(b"hello\n")
                results[name][0].append((time.perf_counter() - began) * 1000)
                results[name][1].append((done - sent) * 1000)
                cgroups.allot(id, 1)
    return results


def row(name: str, ms: Sequence[float], *more: str) -> list[str]:
    return [name, *(f"{percentile(ms, p):.2f}" for p in (50, 99, 0, 100)), *more]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10, help="of each kind")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--alone", type=int, default=100, help="requests in each way without homerun")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state", idle_timeout=600) as daemon:
        image = f"oci-archive:{make_image(Path(folder) / 'app.tar', [app_layer()], cmd=['/app', 'serve'])}"
        kinds = through_homerun(daemon, image, options.services, options.rounds)
        ways = kernel_alone(daemon, image, options.alone)
    print(table(["first request, ms", "p50", "p99", "min", "max"], [row(kind, ms) for kind, ms in kinds.items()]))
    rows = [row(name, asked, f"{percentile(written, 50):.3f}") for name, (asked, written) in ways.items()]
    print(table(["kernel alone, ms", "p50", "p99", "min", "max", "writing it"], rows))
    write_results("throttle", {"machine": machine(), "homerun_ms": kinds, "alone_ms": ways})


if __name__ == "__main__":
    main()
