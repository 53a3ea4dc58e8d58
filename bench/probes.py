"""What a probe costs: CPU of the process that asks, for one question and its answer, and memory of one that waits.

The servers are in a process of their own: `http.server` of Python's library, and grpc's health service.

    python -m bench.probes        no root needed; writes bench/results/probes.json
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2_grpc

from bench.support import machine, table, write_results
from homerun.core.health import Watch
from homerun.engine.oci import probes
from homerun.lib.clock import SystemClock
from homerun.model.probe import Probe

HOST = "127.0.0.1"
WAITING = 10_000


class Well(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def serve(ports: Connection) -> None:
    http = ThreadingHTTPServer((HOST, 0), Well)
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    ports.send((http.server_port, port))
    http.serve_forever()


async def cpu(probe: Probe, times: int) -> float:
    """Microseconds of one."""
    await probes.ask(HOST, probe, 5)
    began = time.process_time()
    for _ in range(times):
        assert await probes.ask(HOST, probe, 5) == ""
    return (time.process_time() - began) / times * 1e6


async def memory() -> float:
    """Bytes of one that waits for its time to come."""

    async def wait(watch: Watch) -> None:
        await asyncio.sleep(max(0.0, watch.due - clock.mono()))

    clock, probe = SystemClock(), Probe(80, "/", initial_delay=3600, period=10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tasks = [asyncio.ensure_future(wait(Watch(probe, clock.mono(), clock.mono()))) for _ in range(WAITING)]
    await asyncio.sleep(0.1)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    for task in tasks:
        task.cancel()
    return used * 1024 / WAITING


async def measure(http: int, grpc_port: int, times: int) -> dict[str, float]:
    kinds = {"TCP": Probe(http), "HTTP": Probe(http, "/"), "gRPC": Probe(grpc_port, grpc_service="")}
    figures = {f"{name}, µs": await cpu(probe, times) for name, probe in kinds.items()}
    return {**figures, "waiting, bytes": await memory()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    times = parser.parse_args().times
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    figures = uvloop.run(measure(*here.recv(), times))
    server.terminate()
    print(table(["", ""], [[name, f"{figure:.0f}"] for name, figure in figures.items()]))
    write_results("probes", {"machine": machine(), "figures": figures})


if __name__ == "__main__":
    main()
