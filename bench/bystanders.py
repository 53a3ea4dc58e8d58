"""Who else is there while a benchmark loads the machine: somebody who asks a service, and somebody who watches a job.

They stand for other machines, so each that measures has a process, a session and a priority of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon

RATE = 100
"""Requests a second to the service."""
ASK_EVERY = 0.1
_URGENT = -10


class Client:
    """Requests at a steady rate; each latency counts from when the request was due."""

    def __init__(self, port: int, host: str) -> None:
        self._stop = multiprocessing.Event()
        self._reader, writer = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.Process(target=self._run, args=(port, host, writer), daemon=True)
        self._process.start()
        writer.close()

    def end(self) -> list[float]:
        """Milliseconds, of each request. Raises RuntimeError if one was not answered as it should be."""
        self._stop.set()
        try:
            found: list[float] = self._reader.recv()
        except EOFError:
            raise RuntimeError("a request to the service failed: see above") from None
        self._process.join()
        return found

    def _run(self, port: int, host: str, writer: Connection) -> None:
        os.setsid()
        os.nice(_URGENT)
        with contextlib.suppress(OSError):  # where niceness counts within a session only
            Path("/proc/self/autogroup").write_text(str(_URGENT))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        found, due = [], time.monotonic()
        while not self._stop.is_set():
            due += 1 / RATE
            time.sleep(max(due - time.monotonic(), 0))
            connection.request("GET", "/", headers={"Host": host})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (response.status, response.headers.items(), body)
            found.append((time.monotonic() - due) * 1000)
        writer.send(found)


class Onlooker(threading.Thread):
    """Asks the API what a person's tools ask of an execution, again and again."""

    def __init__(self, daemon: Daemon, execution: str) -> None:
        super().__init__(daemon=True)
        self._daemon, self._execution = daemon, execution
        self._over = threading.Event()
        self._failure: Exception | None = None
        self.took: dict[str, list[float]] = {"execution": [], "progress": [], "page of 100 tasks": []}
        """Milliseconds of each answer."""

    def run(self) -> None:
        try:
            self._look()
        except Exception as error:
            self._failure = error

    def _look(self) -> None:
        token = ""
        while not self._over.wait(ASK_EVERY):
            self._ask("execution", f"/v2/{self._execution}")
            self._ask("progress", f"/homerun/v1/{self._execution}:progress")
            page = self._ask("page of 100 tasks", f"/v2/{self._execution}/tasks?pageSize=100&pageToken={token}")
            token = page.get("nextPageToken", "")

    def _ask(self, what: str, path: str) -> Any:
        began = time.monotonic()
        answer = self._daemon.call("GET", path)
        self.took[what].append((time.monotonic() - began) * 1000)
        return answer

    def end(self) -> None:
        """Raises what went wrong."""
        self._over.set()
        self.join()
        if self._failure is not None:
            raise self._failure
