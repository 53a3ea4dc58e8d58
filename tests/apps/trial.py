"""One application on trial: deployed once, looked at from outside, and what was found written down.

A check is a block of its own: one that fails is kept with its reason, and the next one follows.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.apps.images import Images
from tests.support.daemon import Daemon

_WOKEN = 3
_GRACE = 10


@dataclass(frozen=True)
class Check:
    """`error`: why it failed; empty if it did not."""

    what: str
    error: str = ""


@dataclass
class Trial:
    """`name`: of application, image and service. `rated`: for how many seconds requests are counted; 0: not at all."""

    name: str
    daemon: Daemon
    images: Images
    rated: float = 3.0
    version: str = ""
    checks: list[Check] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    """From request to answer, of one that finds no instance. In ms."""
    figure: str = ""
    """What its speed is told by: requests a second, seconds of a job."""

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.error]

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        """Say what holds. Whatever is raised within is its failure."""
        try:
            yield
        except Exception as error:
            self.checks.append(Check(what, f"{type(error).__name__}: {error}"[:2000]))
        else:
            self.checks.append(Check(what))

    def image(self, name: str = "") -> str:
        """The reference of an application's image, by default of this one, built if it is not there."""
        return self.images.build(name or self.name)

    def ask_version(self, *command: str) -> None:
        """From the installed application itself: the output of a command in its image."""
        self.version = " ".join(self.images.run(self.name, *command).split())

    # A service

    def deploy(self, *, port: int = 0, **template: Any) -> None:
        """`port`: where its packaged configuration has it listen; 0: it heeds PORT. The rest goes into the template."""
        container = template.pop("container", {})
        if port:
            container = {**container, "ports": [{"containerPort": port}]}
        self.daemon.deploy(self.name, self.image(), container=container, **template)

    @property
    def url(self) -> str:
        return f"http://{self.daemon.host(self.name)}"

    def get(self, path: str = "/", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Headers' names with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.ask(self.name, path, **named)

    def curl(self, *arguments: str, path: str = "/", input: bytes = b"", failing: bool = False) -> bytes:
        """What curl prints. An answer of 400 or more is an error, unless it is to be `failing`."""
        fail = [] if failing else ["--fail-with-body"]
        command = ["curl", "-sS", *fail, "--max-time", "60", *arguments, self.url + path]
        done = subprocess.run(command, input=input, capture_output=True)
        if done.returncode:
            raise AssertionError(f"curl {' '.join(arguments)} {path}: {done.stderr.decode()} {done.stdout[-500:]!r}")
        return done.stdout

    def wget(self, path: str) -> str:
        """What wget says about fetching it and all that it needs into a folder that is thrown away."""
        with tempfile.TemporaryDirectory() as folder:
            host = f"--header=Host: {self.daemon.host(self.name)}"
            address = f"http://127.0.0.1:{self.daemon.http_port}{path}"
            command = ["wget", "-nv", "-S", "--page-requisites", "-P", folder, host, address]
            done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stderr

    def raw(self, request: str) -> bytes:
        """The answer to a request as it is written here, until the connection is closed. `{host}`: the service's."""
        with socket.create_connection(("127.0.0.1", self.daemon.http_port), timeout=60) as connection:
            connection.sendall(request.format(host=self.daemon.host(self.name)).replace("\n", "\r\n").encode())
            answer = b""
            while more := connection.recv(1 << 16):
                answer += more
        return answer

    def entries(self, log: str = "") -> list[dict[str, Any]]:
        """Log entries of the service, of `stdout` or `stderr` or of all."""
        parts = [f"resource.labels.service_name={self.name}"]
        parts += [f"log_id(run.googleapis.com/{log})"] if log else []
        body = {"resourceNames": ["projects/homerun"], "filter": " AND ".join(parts), "pageSize": 1000}
        found: list[dict[str, Any]] = self.daemon.call("POST", "/v2/entries:list", body).get("entries", [])
        return found

    def until_logged(self, log: str, text: str) -> dict[str, Any]:
        """The first entry with this text in it, as soon as there is one."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [entry for entry in self.entries(log) if text in said(entry)]
            return bool(found)

        try:
            self.daemon.until(look)
        except TimeoutError:
            last = [said(entry) for entry in self.entries()][:15]
            raise AssertionError(f"nothing with {text!r} in {log}; there is {last}") from None
        return found[0]

    def ends_in_time(self) -> None:
        """Goes to zero; its programs end of themselves after SIGTERM, none has to be killed."""
        slow = self.slowest_end()
        assert slow < _GRACE - 1, f"not ended within {_GRACE} s of SIGTERM, but killed"

    def slowest_end(self) -> float:
        """Goes to zero. How long the last instance took from SIGTERM to its end, in s."""
        since: list[float] = []

        def gone() -> bool:
            views = self.daemon.explain(self.name)["instances"]
            if not since and any(view["phase"] == "stopping" for view in views):
                since.append(time.monotonic())
            return not views

        self.daemon.until(gone, timeout=60)
        return time.monotonic() - since[0] if since else 0

    def wakes(self, path: str = "/", well: Callable[[bytes], bool] = bool, times: int = _WOKEN) -> None:
        """From zero and back, a few times; the last instance goes on."""
        for _ in range(times):
            self.daemon.wait_for_zero(self.name, timeout=60)
            began = time.perf_counter()
            status, _, body = self.get(path)
            self.cold.append((time.perf_counter() - began) * 1000)
            assert status == 200 and well(body), f"{status} {body[:300]!r}"

    def rate(self, path: str = "/", connections: int = 8) -> None:
        """How many requests a second are answered, none of them badly."""
        wrk = shutil.which("wrk")
        if not wrk or not self.rated:
            return
        command = [wrk, "-t1", f"-c{connections}", f"-d{self.rated:g}s", "-H", f"Host: {self.daemon.host(self.name)}"]
        address = f"http://127.0.0.1:{self.daemon.http_port}{path}"
        said = subprocess.run([*command, address], capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in said and "Socket errors" not in said, said
        [line] = [line for line in said.splitlines() if line.startswith("Requests/sec:")]
        self.figure = f"{float(line.split()[1]):.0f} requests/s"

    # A job

    def job(self, name: str, *, tasks: int = 1, parallelism: int = 0, **template: Any) -> dict[str, Any]:
        """Create or change a job and execute it. The finished Execution; raises ApiError if it failed."""
        template.setdefault("container", {})
        self.daemon.create_job(name, self.image(), tasks, parallelism, maxRetries=0, **template)
        return self.daemon.execute(name)

    def said_by_job(self, name: str) -> list[str]:
        """Its output, oldest first."""
        body = {"resourceNames": ["projects/homerun"], "filter": f"resource.labels.job_name={name}", "pageSize": 1000}
        found = self.daemon.call("POST", "/v2/entries:list", {**body, "orderBy": "timestamp asc"}).get("entries", [])
        return [said(entry) for entry in found]

    def bucket(self, name: str) -> Path:
        """A new bucket's folder."""
        return Path(self.daemon.call("POST", f"/homerun/v1/buckets/{name}")["folder"])

    def row(self) -> dict[str, Any]:
        """For the report."""
        return {
            "name": self.name,
            "version": self.version,
            "image_mib": self.images.size(self.name) >> 20,
            "cold_ms": round(statistics.median(self.cold)) if self.cold else None,
            "figure": self.figure,
            "load": os.getloadavg()[0],
            "checks": [{"what": check.what, "error": check.error} for check in self.checks],
        }


def said(entry: dict[str, Any]) -> str:
    """The text of a log entry."""
    return str(entry.get("textPayload") or json.dumps(entry.get("jsonPayload", "")))


def in_bucket(bucket: str, path: str) -> dict[str, Any]:
    """Of a template of one container: the bucket mounted at `path`."""
    return {
        "volumes": [{"name": bucket, "gcs": {"bucket": bucket}}],
        "container": {"volumeMounts": [{"name": bucket, "mountPath": path}]},
    }
