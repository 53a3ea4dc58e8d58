"""What is asked of each proxy: one small class for each kind of traffic.

To add one: a class with `name`, `protocol`, `connections` and `load`, and a line in WORKLOADS.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench import stand_in
from bench.launch import compile_c
from bench.proxies import AGAIN, DIRECT, GRPC, H2C, HTTP1, HTTPS, OURS, SEVERAL, Proxy
from bench.support import percentile

ALL = (1, 32, 256, 2000)
STREAMS = 32
"""Of HTTP/2, on each connection at most."""
HEADERS = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
    "Cookie: session=2f1c7a7f9d3b4e58a6c0",
]
"""As a browser sends them: a proxy's work grows with the headers that it must look at."""


class LoadFailed(Exception):
    """Requests failed: there is no figure."""


@dataclass(frozen=True, slots=True)
class Loaded:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


class Workload(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def protocol(self) -> str: ...

    @property
    def connections(self) -> tuple[int, ...]:
        """For HTTP/2: requests in flight, up to STREAMS of them on one connection."""
        ...

    def takes(self, proxy: Proxy) -> bool:
        """Whether this proxy is measured with it."""
        ...

    def load(self, proxy: Proxy, connections: int, seconds: int) -> Loaded:
        """Raises LoadFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Bodies:
    """HTTP/1.1: GET of so many bytes, by wrk."""

    name: str
    size: int
    connections: tuple[int, ...] = ALL
    protocol: str = HTTP1
    all: bool = False
    """The router is measured twice, which tells how far the figures can be believed, and peers that do the same job."""
    varied: bool = False
    """No two requests are the same: the router knows none of their heads from before."""

    def takes(self, proxy: Proxy) -> bool:
        return proxy.name != SEVERAL and (self.all or not (proxy.name == AGAIN or "same job" in proxy.name))

    def load(self, proxy: Proxy, connections: int, seconds: int) -> Loaded:
        script = ["-s", str(Path(__file__).parent / "varied.lua")] if self.varied else []
        host = [f"Host: {stand_in.host(HTTP1)}"]
        return _wrk(proxy, connections, seconds, self.size, host, options=script, protocol=self.protocol)


@dataclass(frozen=True, slots=True)
class Services:
    """HTTP/1.1 to many services at once, each asked over connections of its own: what several processes can share."""

    name: str = "services"
    connections: tuple[int, ...] = (32, 256)
    protocol: str = HTTP1

    def takes(self, proxy: Proxy) -> bool:
        return proxy.name in (DIRECT, OURS, SEVERAL)

    def load(self, proxy: Proxy, connections: int, seconds: int) -> Loaded:
        hosts = [stand_in.host(name) for name in stand_in.services(stand_in.SERVICES, stand_in.ROUTERS)]
        script = ["-s", str(Path(__file__).parent / "services.lua")]
        return _wrk(proxy, connections, seconds, 0, [], len(hosts), script, ["--", ",".join(hosts)])


@dataclass(frozen=True, slots=True)
class WebSocketEcho:
    """A message of 32 bytes, and its echo, over and over on each connection, by echo.c."""

    name: str = "websocket"
    connections: tuple[int, ...] = ALL
    protocol: str = HTTP1

    def takes(self, proxy: Proxy) -> bool:
        # Once a connection is a tunnel the rest of the router's job is done.
        return proxy.name not in (AGAIN, SEVERAL) and "same job" not in proxy.name

    def load(self, proxy: Proxy, connections: int, seconds: int) -> Loaded:
        program = proxy.folder / "echo"
        if not program.exists():
            compile_c(Path(__file__).parent / "echo.c", program)
        arguments = [str(proxy.ports[HTTP1]), str(connections), str(seconds), stand_in.host(HTTP1)]
        count, took, p50, p99 = map(float, _run([str(program), *arguments]).split())
        return Loaded(int(count), took, p50 / 1000, p99 / 1000)


@dataclass(frozen=True, slots=True)
class Http2:
    """HTTP/2 without TLS from end to end, by h2load: GET, or POST of `message` as gRPC's unary calls are."""

    name: str
    protocol: str
    path: str
    message: bytes = b""
    connections: tuple[int, ...] = ALL

    def takes(self, proxy: Proxy) -> bool:
        return proxy.name not in (AGAIN, SEVERAL) and "same job" not in proxy.name

    def load(self, proxy: Proxy, connections: int, seconds: int) -> Loaded:
        log = proxy.folder / "h2load.log"
        log.unlink(missing_ok=True)
        clients = -(-connections // STREAMS)
        arguments = ["h2load", "-t1", f"-c{clients}", f"-m{min(connections, STREAMS)}", f"-D{seconds}"]
        arguments += [f"--log-file={log}", f"--connect-to=127.0.0.1:{proxy.ports[self.protocol]}"]
        headers = HEADERS
        if self.message:
            body = proxy.folder / "message"
            body.write_bytes(self.message)
            arguments += [f"-d{body}"]
            headers = [
                "content-type: application/grpc",
                "te: trailers",
                "user-agent: grpc-c++/1.66",
                "grpc-timeout: 10S",
            ]
        for header in headers:
            arguments += ["-H", header]
        said = _run([*arguments, f"http://{stand_in.host(self.protocol)}{self.path}"])
        return self._understand(said, log, seconds)

    def _understand(self, said: str, log: Path, seconds: int) -> Loaded:
        counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", said)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
        if counts is None or codes is None or not int(counts[1]) or any(int(codes[at]) for at in (2, 3, 4)):
            raise LoadFailed(said)
        # What was in flight when time was over counts as failed; anything more is a failure.
        microseconds = [int(line.split("\t")[2]) for line in log.read_text().splitlines()]
        p50, p99 = (percentile(microseconds, part) / 1000 for part in (50, 99))
        return Loaded(int(counts[1]), seconds, p50, p99)


_MESSAGE = b"\x0a\x1e" + b"a message of thirty bytes....."
WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Bodies("http1", 0, all=True),
        Bodies("http1-varied", 0, connections=(32, 256), varied=True),
        Bodies("http1-10k", 10_000),
        # With more connections each answer would take longer than a round.
        Bodies("http1-10M", 10_000_000, connections=(1, 32)),
        Services(),
        WebSocketEcho(),
        Http2("h2c", H2C, "/hello"),
        Http2("grpc", GRPC, "/bench.Echo/Unary", b"\0" + len(_MESSAGE).to_bytes(4, "big") + _MESSAGE),
    )
}


def _wrk(
    proxy: Proxy,
    connections: int,
    seconds: int,
    size: int,
    headers: Sequence[str],
    threads: int = 1,
    options: Sequence[str] = (),
    script_arguments: Sequence[str] = (),
    protocol: str = HTTP1,
) -> Loaded:
    arguments = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", *options]
    for header in [*headers, *HEADERS]:
        arguments += ["-H", header]
    scheme = "https" if protocol == HTTPS else "http"
    said = _run([*arguments, f"{scheme}://127.0.0.1:{proxy.ports[protocol]}/{size}", *script_arguments])
    if "Non-2xx" in said or "Socket errors" in said:
        raise LoadFailed(said)
    count = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said)
    if count is None or not int(count[1]):
        raise LoadFailed(said)
    took = float(count[2]) * {"ms": 0.001, "s": 1, "m": 60}[count[3]]
    return Loaded(int(count[1]), took, _milliseconds(said, "50%"), _milliseconds(said, "99%"))


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise LoadFailed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _milliseconds(said: str, row: str) -> float:
    match = re.search(rf"{re.escape(row)}\s+([\d.]+)(us|ms|s|m)", said)
    if match is None:
        raise LoadFailed(said)
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[match[2]]
