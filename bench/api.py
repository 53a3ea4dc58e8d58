"""The API with little and with much stored: get, list, create and the time until a controller has reacted.

python -m bench.api             root and an OCI runtime needed; prints a table, writes bench/results/api.json

Two daemons on stores of both sizes are asked in turns. No peer has this API, and the nearest (a Kubernetes API server
with etcd and Knative) does not run on this machine; the floor is the same HTTP server with a fixed answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import uvloop
from google.cloud import run_v2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.population import populate
from bench.support import cpu_seconds, machine, memory_mib, percentile, table, write_results
from homerun.daemon.control import ApiServer, server_config
from tests.support.daemon import LOCATION, Daemon
from tests.support.images import app_layer, make_image
from tests.support.ports import free_port

V2 = f"/v2/{LOCATION}"
V1 = "/apis/serving.knative.dev/v1/namespaces/homerun"
IDLE_SECONDS = 20


class Client:
    """One connection, kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(self, method: str, path: str, body: Any = None) -> bytes:
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        assert response.status == 200, text
        return text


class Size:
    """A daemon on a store with so many services and tasks, and how long each thing took there, in ms."""

    def __init__(self, folder: Path, services: int, tasks: int, image: str) -> None:
        self.services, self._image = services, image
        populate(folder / "state", services, tasks)
        self.daemon = Daemon(folder / "state")
        began = time.monotonic()
        self.daemon.start()
        self.daemon.until(self._answers, 300)
        self.startup = time.monotonic() - began
        self.control = self.daemon.children()["control"]
        self.startup_cpu = _settle(self.control)
        before = cpu_seconds(self.control)
        time.sleep(IDLE_SECONDS)
        self.idle = 100 * (cpu_seconds(self.control) - before) / IDLE_SECONDS
        self.memory = memory_mib(self.control)
        self.took: dict[str, list[float]] = {}
        self._client = Client(self.daemon.api_port)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.daemon.api_port}")
        transport = run_v2.ServicesClient.get_transport_class("grpc")(channel=self._channel)
        self._stub = run_v2.ServicesClient(transport=transport)
        self._made = 0

    def _answers(self) -> bool:
        try:
            return bool(self.daemon.call("GET", "/homerun/v1/info"))
        except OSError:
            return False

    def close(self) -> None:
        self._channel.close()
        self.daemon.stop()

    def round(self, gets: int) -> None:
        """One turn."""
        ask, middle = self._client, f"service-{self.services // 2:05}"
        name, tasks = f"{LOCATION}/services/{middle}", f"{V2}/jobs/job-000/executions/-/tasks?pageSize=1000"
        for _ in range(gets):
            self._time("get", lambda: ask("GET", f"/v2/{name}"))
            self._time("get, v1", lambda: ask("GET", f"{V1}/services/{middle}"))
            self._time("get, gRPC", lambda: self._stub.get_service(name=name))
        for _ in range(gets // 10):
            self._time("list of 100", lambda: ask("GET", f"{V2}/services?pageSize=100"))
            self._time("list of 1000", lambda: ask("GET", f"{V2}/services?pageSize=1000"))
            self._time("list of 1000, v1", lambda: ask("GET", f"{V1}/services?limit=1000"))
            self._time("list of 1000 tasks", lambda: ask("GET", tasks))
            self._react(name)
            self._create()

    def _react(self, name: str) -> None:
        """A write that makes no revision, and the wait until its controller has dealt with it."""
        body = {"description": str(time.monotonic())}
        path = f"/v2/{name}?updateMask=description"
        operation = json.loads(self._time("patch", lambda: self._client("PATCH", path, body)))
        wait = f"/v2/{operation['name']}:wait"
        self._time("until the controller has reacted", lambda: self._client("POST", wait, {"timeout": "30s"}))

    def _create(self) -> None:
        """Its revision is checked by a start; that is waited for, and not measured here."""
        self._made += 1
        path = f"{V2}/services?serviceId=made-{self._made:05}"
        body = {"template": {"containers": [{"image": self._image}]}}
        operation = json.loads(self._time("create", lambda: self._client("POST", path, body)))
        self.daemon.wait(operation)

    def _time(self, what: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = call()
        self.took.setdefault(what, []).append((time.perf_counter() - began) * 1000)
        return answer


def _settle(pid: int) -> float:
    """CPU seconds that the process has used by the time that it is quiet."""
    used = cpu_seconds(pid)
    while True:
        time.sleep(2)
        now = cpu_seconds(pid)
        if now - used < 0.04:
            return now
        used = now


def serve_floor(port: int) -> None:
    """The same HTTP server, with an answer as long as a service's."""

    async def answer(request: Request) -> Response:
        return Response(b'{"x":"' + b"x" * 2500 + b'"}', media_type="application/json")

    config = server_config(Starlette(routes=[Route("/", answer)]), lambda *_: None)  # type: ignore[arg-type]
    config.port = port
    uvloop.run(ApiServer(config).serve())


def floor(gets: int) -> list[float]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve_floor, args=(port,))
    process.start()
    try:
        for _ in range(500):
            try:
                client = Client(port)
                client("GET", "/")
                break
            except OSError:
                time.sleep(0.02)
        took = []
        for _ in range(gets):
            began = time.perf_counter()
            client("GET", "/")
            took.append((time.perf_counter() - began) * 1000)
        return took
    finally:
        process.terminate()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, nargs=2, default=(100, 10_000))
    parser.add_argument("--tasks", type=int, nargs=2, default=(1_000, 100_000))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gets", type=int, default=100, help="in each round; a tenth of it for what is slower")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homerun-bench-"))
    sizes: list[Size] = []
    try:
        image = f"oci-archive:{make_image(folder / 'app.tar', [app_layer()], cmd=['/app', 'serve'])}"
        for services, tasks in zip(options.services, options.tasks, strict=True):
            sizes.append(Size(folder / str(services), services, tasks, image))
        for _ in range(options.rounds):
            for size in sizes:
                size.round(options.gets)
        fixed = floor(options.gets * options.rounds)
    finally:
        for size in sizes:
            size.close()
        shutil.rmtree(folder)
    report(sizes, options.tasks, fixed)


def report(sizes: list[Size], tasks: list[int], fixed: list[float]) -> None:
    small, large = sizes

    def row(what: str, first: list[float], second: list[float]) -> list[str]:
        cells = [f"{percentile(values, percent):.2f}" for values in (first, second) for percent in (50, 95)]
        return [what, *cells, f"{percentile(second, 50) / percentile(first, 50):.2f}"]

    rows = [row(what, small.took[what], large.took[what]) for what in small.took]
    rows.append(row("the HTTP server alone", fixed, fixed))
    named = [f"{size.services:,} services, {count:,} tasks" for size, count in zip(sizes, tasks, strict=True)]
    print(table(["ms", f"{named[0]}: p50", "p95", f"{named[1]}: p50", "p95", "growth"], rows))
    print()
    print(
        table(
            ["control", *named],
            [
                ["until the API answers, s", *(f"{size.startup:.1f}" for size in sizes)],
                ["CPU until all is looked at, s", *(f"{size.startup_cpu:.1f}" for size in sizes)],
                ["idle, % of a core", *(f"{size.idle:.2f}" for size in sizes)],
                ["memory, MiB (PSS)", *(f"{size.memory:.0f}" for size in sizes)],
            ],
        )
    )
    results = [
        {"services": s.services, "startup_s": s.startup, "startup_cpu_s": s.startup_cpu, "idle_percent": s.idle,
         "memory_mib": s.memory, "ms": s.took}
        for s in sizes
    ]  # fmt: skip
    write_results("api", {"machine": machine(), "floor_ms": fixed, "sizes": results})


if __name__ == "__main__":
    main()
