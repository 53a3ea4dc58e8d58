"""A shell inside a container: a service whose requests are commands. For what an application there would see."""

from __future__ import annotations

import http.client
import io
import subprocess
import sysconfig
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon

IMAGE = "localhost/homerun/python:3.11"
"""Made by scripts/base-image."""
_SERVER = r"""
import http.server, io, os, signal, subprocess, sys, tarfile

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def body(self):
        return self.rfile.read(int(self.headers["content-length"]))
    def answer(self, content):
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def do_GET(self):
        self.answer(str(self.headers).encode())
    def do_POST(self):
        done = subprocess.run(["sh"], input=self.body(), capture_output=True)
        self.answer(done.stdout + done.stderr)
    def do_PUT(self):
        tarfile.open(fileobj=io.BytesIO(self.body())).extractall(self.path)
        self.answer(b"")
    def log_message(self, *_):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


def have_image() -> bool:
    return subprocess.run(["buildah", "inspect", IMAGE], capture_output=True).returncode == 0


class Shell:
    """The service `name` of a daemon, with one instance that stays."""

    def __init__(self, daemon: Daemon, name: str, **template: Any) -> None:
        self._daemon, self.name = daemon, name
        container = {"command": ["python3", "-c", _SERVER], **template.pop("container", {})}
        daemon.deploy(name, IMAGE, container=container, scaling={"minInstanceCount": 1}, **template)

    def run(self, command: str) -> str:
        """What it prints, on either stream."""
        return self._ask("POST", "/", command.encode()).decode()

    def python(self, script: str, path: str = "") -> str:
        """`path`: where to look for packages."""
        return self.run(f"PYTHONPATH={path} python3 - <<'END_OF_SCRIPT'\n{script}\nEND_OF_SCRIPT\n")

    def unpack(self, tar: bytes, path: str) -> None:
        self._ask("PUT", path, tar)

    def _ask(self, method: str, path: str, body: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._daemon.http_port, timeout=120)
        try:
            connection.request(method, path, body, {"Host": self._daemon.host(self.name)})
            response = connection.getresponse()
            content = response.read()
            assert response.status == 200, content
            return content
        finally:
            connection.close()


def packages(*names: str) -> bytes:
    """These files and folders of our own virtual environment, which is for the same Python, as a tar."""
    site = Path(sysconfig.get_path("purelib"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name in names:
            for path in _found(site, name):
                tar.add(path, path.relative_to(site), filter=lambda info: None if "__pycache__" in info.name else info)
    return buffer.getvalue()


def _found(site: Path, name: str) -> Sequence[Path]:
    found = sorted(site.glob(name))
    assert found, f"{name} is not in {site}"
    return found
