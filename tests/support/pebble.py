"""Pebble, the ACME server that Let's Encrypt tests clients with, on free ports; every name leads to this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from homerun.wire.certificate import Certificate
from tests.support.ports import free_port

INSTALLED = shutil.which("pebble") is not None and shutil.which("pebble-challtestsrv") is not None


class Pebble:
    """`http_port`: where it looks for proofs. As a context manager it runs."""

    def __init__(self, folder: Path, http_port: int, life: int = 3600) -> None:
        self.folder, self.port, self._dns, self._life = folder, free_port(), free_port(), life
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        own = Certificate.generate(["127.0.0.1"], time.time())
        self.trust = folder / "pebble.crt"
        """With what its own address is believed."""
        self.trust.write_bytes(own.public)
        (folder / "pebble.key").write_bytes(own.private)
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(self.trust),
            "privateKey": str(folder / "pebble.key"),
            "httpPort": http_port,
            "tlsPort": free_port(),
            "certificateValidityPeriod": life,
            "profiles": {"default": {"description": "the only one", "validityPeriod": life}},
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Pebble:
        dns = [
            "pebble-challtestsrv",
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-dns01",
            f"127.0.0.1:{self._dns}",
        ]
        dns += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{free_port()}"]
        server = ["pebble", "-config", str(self.folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{self._dns}"]
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        self.log = self.folder / "pebble.log"
        with self.log.open("wb") as log:
            for command in (dns, server):
                self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        for port in (self._dns, self.port):
            self._wait_for(port)
        return self

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(30)
