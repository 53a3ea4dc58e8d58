"""A burst: 500 requests for a service at zero, ten to an instance, so 50 instances at once; the same with `podman run`.

Each request is held for a while by its instance, so that every slot is needed: what is told is how long a request
waited until an instance had it. `instances a second` are those ready within that time. A larger burst shows what can be
sustained. podman starts its containers all at the same time, with a published port each (as in bench.coldstart);
homerun and podman take turns.

    python -m bench.burst           root, an OCI runtime and podman needed; writes bench/results/burst.json
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from bench.containers import Podman, podman
from bench.support import cpu_seconds, machine, percentile, spread, table, write_results
from tests.support.daemon import Daemon
from tests.support.images import app_layer, make_image

CONCURRENCY = 10
PAUSE = 3.0
"""Seconds after a burst, in which its instances end."""
HOLD = 1.0
"""Seconds; longer than a burst takes, or the first instances would answer for the last ones."""


class Client(asyncio.Protocol):
    """One connection, one request."""

    def __init__(self, request: bytes, done: asyncio.Future[float]) -> None:
        self._request, self._done = request, done
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._answer.endswith(b"hello\n") and not self._done.done():
            self._done.set_result(time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError(self._answer.split(b"\r\n")[0].decode() or "closed"))


async def ask(daemon: Daemon, service: str, number: int, hold: float) -> list[float]:
    """Seconds until an instance had each of `number` requests, in order."""
    loop = asyncio.get_running_loop()
    request = f"GET /sleep?ms={int(hold * 1000)} HTTP/1.1\r\nHost: {daemon.host(service)}\r\n\r\n".encode()
    began = time.perf_counter()
    answers: list[asyncio.Future[float]] = [loop.create_future() for _ in range(number)]
    made = [
        loop.create_connection(lambda done=done: Client(request, done), "127.0.0.1", daemon.http_port)  # type: ignore[misc]
        for done in answers
    ]
    transports = [transport for transport, _ in await asyncio.gather(*made)]
    times = await asyncio.gather(*answers)
    for transport in transports:
        transport.close()
    return sorted(at - began - hold for at in times)


class Homerun:
    """A service for each burst: what had one is not at zero for a minute, because of its average."""

    def __init__(self, daemon: Daemon, image: str) -> None:
        self._daemon, self._image = daemon, image
        self._fresh: list[str] = []
        self._made = 0
        self.phases: dict[str, list[float]] = {}

    def prepare(self, bursts: int) -> None:
        for _ in range(bursts):
            name = f"burst-{self._made}"
            self._made += 1
            limits = {"maxInstanceRequestConcurrency": CONCURRENCY, "scaling": {"maxInstanceCount": 500}}
            self._daemon.deploy(name, self._image, **limits)
            self._fresh.append(name)
        for name in self._fresh:
            self._daemon.wait_for_zero(name)

    def burst(self, instances: int) -> list[float]:
        """Seconds until an instance had each request."""
        service = self._fresh.pop()
        hold = max(HOLD, HOLD * instances / 40)
        waited = uvloop.run(ask(self._daemon, service, instances * CONCURRENCY, hold))
        found = self._daemon.explain(service)["instances"]
        for name in found[0]["phases"] if found else ():
            self.phases.setdefault(name, []).extend(one["phases"].get(name, 0) * 1000 for one in found)
        time.sleep(PAUSE)
        return waited


def podman_burst(peer: Podman, instances: int) -> list[float]:
    """Seconds until each of so many containers, started at once, has answered."""
    began, took = time.perf_counter(), list[float]()

    def one() -> None:
        peer.start(lambda: took.append(time.perf_counter() - began))

    threads = [threading.Thread(target=one) for _ in range(instances)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(took)


def row(name: str, bursts: Sequence[Sequence[float]], instances: int, unit: float = 1000) -> list[str]:
    """Medians over the bursts."""
    cells = [f"{median(percentile(b, p) for b in bursts) * unit:.0f}" for p in (0, 50, 99, 100)]
    rates = [instances / b[-1] for b in bursts]
    return [name, *cells, spread(rates, 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--small", type=int, default=10, help="instances of the bursts that podman takes part in")
    parser.add_argument("--large", type=int, default=200, help="instances of the burst that shows what is sustained")
    options = parser.parse_args()
    bursts, small, theirs = list[list[float]](), list[list[float]](), list[list[float]]()
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder) / "state", idle_timeout=1) as daemon:
        archive = make_image(Path(folder) / "app.tar", [app_layer()], cmd=["/app", "serve"])
        home = Homerun(daemon, f"oci-archive:{archive}")
        home.prepare(2 * options.rounds + 2)
        control = daemon.children()["control"]
        home.burst(options.instances)
        home.phases.clear()
        used = cpu_seconds(control)
        for _ in range(options.rounds):
            bursts.append(home.burst(options.instances))
        used = (cpu_seconds(control) - used) / (options.rounds * options.instances)
        phases = {name: median(values) for name, values in home.phases.items()}
        with podman(archive) as peer:
            for _ in range(options.rounds if options.small else 0):
                small.append(home.burst(options.small))
                if peer is not None:
                    theirs.append(podman_burst(peer, options.small))
        large = [home.burst(options.large)] if options.large else []
    rows = [row(f"homerun, {options.instances} instances", bursts, options.instances)]
    if large:
        rows.append(row(f"homerun, {options.large} instances, once", large, options.large))
    if small:
        rows.append(row(f"homerun, {options.small} instances", small, options.small))
    if theirs:
        rows.append(row(f"podman run, {options.small} containers", theirs, options.small))
    print(table([f"{options.rounds} bursts from zero, ms", "first", "p50", "p99", "all", "instances a second"], rows))
    print("median of phases, ms:", {name: round(value, 1) for name, value in phases.items()})
    print(f"CPU of control for each start and stop: {used * 1000:.1f} ms")
    figures = {"bursts": bursts, "large": large, "small": small, "podman": theirs, "phases_ms": phases}
    write_results("burst", {"machine": machine(), **figures})


if __name__ == "__main__":
    main()
