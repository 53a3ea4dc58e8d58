"""What several routers on one port cost and bring, next to one that is alone.

Cost: connections of one request each, one after the other. Of two routers each owns half of the services, so every
second connection is handed over: twice the difference in CPU is what one hand-over costs. Gain: requests a second of
wrk to all services at once, over connections that are kept. wrk and the backend take their share of the cores: with
two cores, two routers cannot carry twice as much, and CPU per request says more.

    python -m bench.routers [--rounds 5] [--seconds 2] [--connections 2000]          writes bench/results/routers.json
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
from pathlib import Path

from bench import stand_in
from bench.launch import Programs
from bench.proxies import HTTP1, OURS, SEVERAL, Field, Proxy
from bench.support import machine, spread, table, write_results
from bench.workloads import Services


def come_anew(proxy: Proxy, hosts: list[str], number: int) -> float:
    """CPU µs of the routers for each of `number` connections with one request."""
    requests = [f"GET /0 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode() for host in hosts]
    before = proxy.cpu()
    for at in range(number):
        with socket.create_connection(("127.0.0.1", proxy.ports[HTTP1]), timeout=30) as connection:
            connection.sendall(requests[at % len(requests)])
            _answered(connection)
    return (proxy.cpu() - before) / number * 1e6


def stay(proxy: Proxy, seconds: int) -> tuple[float, float]:
    """Requests a second on connections that are kept, to all services at once, and CPU µs of the routers for each."""
    before = proxy.cpu()
    loaded = Services().load(proxy, 32, seconds)
    return loaded.requests / loaded.seconds, (proxy.cpu() - before) / loaded.requests * 1e6


def _answered(connection: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"no answer but {answer!r}")
        answer += more
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"it answered {answer[:60]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=2000)
    options = parser.parse_args()
    hosts = [stand_in.host(name) for name in stand_in.services(stand_in.SERVICES, stand_in.ROUTERS)]
    anew: dict[str, list[float]] = {OURS: [], SEVERAL: []}
    kept: dict[str, list[tuple[float, float]]] = {OURS: [], SEVERAL: []}
    with tempfile.TemporaryDirectory() as folder, Programs() as programs:
        routers = Field(programs, Path(folder)).routers()
        for _ in range(options.rounds):
            for proxy in routers:
                anew[proxy.name].append(come_anew(proxy, hosts, options.connections))
                kept[proxy.name].append(stay(proxy, options.seconds))
    handed = [2 * (several - one) for one, several in zip(anew[OURS], anew[SEVERAL], strict=True)]
    gained = [several[0] / one[0] for one, several in zip(kept[OURS], kept[SEVERAL], strict=True)]
    rows = [
        [name, spread(anew[name]), spread([rate for rate, _ in kept[name]], 0), spread([cpu for _, cpu in kept[name]])]
        for name in (OURS, SEVERAL)
    ]
    print(table(["routers", "CPU µs/new connection", "requests/s, kept", "CPU µs/request, kept"], rows))
    print(f"a hand-over costs {spread(handed)} µs; {SEVERAL} carry {spread(gained, 2)} times as much as one")
    results = {"anew_us": anew, "kept": kept, "hand_over_us": statistics.median(handed)}
    write_results("routers", {"machine": machine(), **results})


if __name__ == "__main__":
    main()
