"""Those who use it meanwhile, each in a thread of its own: requests, executions, writes to the API, and bad manners."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from bench.chaos.ledger import AWAY, BROKEN, REFUSED, Ledger, Request
from bench.chaos.town import SECRETS, Town
from tests.support.daemon import LOCATION, ApiError

_BROKEN = (OSError, http.client.HTTPException)
_TRANSIENT = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Users:
    """`start` and `stop` them all. `quiet`: no requests, for a while."""

    def __init__(self, town: Town, ledger: Ledger, seed: int) -> None:
        self.town, self.ledger, self._seed = town, ledger, seed
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._numbers = iter(range(1 << 60))
        self.executions: list[str] = []

    def start(self) -> None:
        for number in range(2):
            self._spawn(lambda rng: self._ask("alone", 20, rng.uniform(0.0, 0.02)), number)
            self._spawn(lambda rng: self._ask("shared", 30, rng.uniform(0.0, 0.02)), number + 10)
        self._spawn(lambda rng: self._ask("pair", 20, 0.05), 20)
        self._spawn(lambda rng: self._ask("rare", 10, rng.uniform(2.0, 6.0)), 30)
        self._spawn(self._execute, 40)
        self._spawn(self._write, 50)
        self._spawn(self._misbehave, 60)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
            if thread.is_alive():
                self.ledger.problem("a user waits for an answer that does not come")

    def _spawn(self, turn: Callable[[random.Random], None], number: int) -> None:
        rng = random.Random(self._seed + number)

        def work() -> None:
            while not self._stop.is_set():
                turn(rng)

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    # Requests

    def _ask(self, service: str, ms: int, pause: float) -> None:
        self._stop.wait(pause)
        self.ledger.note(request := self.request(service, ms))
        if request.outcome == BROKEN:
            self._stop.wait(0.05)

    def request(self, service: str, ms: int = 0, timeout: float = 60) -> Request:
        id, began = f"{service}-{next(self._numbers)}", time.monotonic()
        try:
            status, body = self.town.daemon.get(service, f"/work?id={id}&ms={ms}", timeout)
        except _BROKEN as error:
            return Request(service, id, began, time.monotonic(), BROKEN, type(error).__name__)
        outcome = "ok" if status == 200 and body.decode() == id else REFUSED
        if b"The router that this service belongs to" in body:
            outcome = AWAY
        if status == 599:
            self.ledger.problem(f"{id}: {body.decode()}")
        return Request(service, id, began, time.monotonic(), outcome, f"{status} {body[:200]!r}")

    # Executions

    def _execute(self, rng: random.Random) -> None:
        """One after the other, each watched to its end; an answer that got lost is looked for."""
        call = self.town.daemon.call
        known = set(self.executions)
        with suppress(ApiError, *_TRANSIENT):
            call("POST", f"/v2/{LOCATION}/jobs/work:run", {}, timeout=20)
        while not self._stop.is_set():
            with suppress(ApiError, *_TRANSIENT):
                listed = call("GET", f"/v2/{LOCATION}/jobs/work/executions?pageSize=1000", timeout=20)
                found = {each["name"]: each for each in listed.get("executions", ())}
                self.executions += sorted(found.keys() - known)
                known.update(found)
                if all("completionTime" in each for each in found.values()):
                    break
            self._stop.wait(0.3)

    # Writes

    def _write(self, rng: random.Random) -> None:
        id = f"w{next(self._numbers)}"
        try:
            self.town.daemon.call("POST", f"{SECRETS}?secretId={id}", {"replication": {"automatic": {}}}, timeout=20)
        except ApiError as error:
            # Refused in words, with a remedy: that is all one can ask of a full disk.
            self.ledger.count(f"writes refused: {error.error.get('status')}")
            if error.error.get("status") not in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
                self.ledger.problem(f"a write was answered with {error}")
        except _TRANSIENT:
            self.ledger.count("writes without an answer")
        else:
            self.ledger.acknowledged.add(id)
        self._stop.wait(0.15)

    # Bad manners

    def _misbehave(self, rng: random.Random) -> None:
        """Half a request, junk, a body that never comes, an answer that nobody reads; then away without a word."""
        open_ones: list[socket.socket] = []
        for _ in range(8):
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", self.town.daemon.http_port), timeout=5)
                open_ones.append(connection)
                host = f"Host: {self.town.daemon.host('shared')}\r\n"
                manners = [
                    f"GET / HTTP/1.1\r\n{host}X-Slow: ".encode(),
                    f"POST /work HTTP/1.1\r\n{host}Content-Length: 100000\r\n\r\nx".encode(),
                    f"GET /big HTTP/1.1\r\n{host}\r\n".encode(),
                    f"GET / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n".encode(),
                    bytes(rng.randrange(256) for _ in range(200)),
                ]
                connection.sendall(rng.choice(manners))
        self._stop.wait(rng.uniform(0.5, 2))
        for connection in open_ones:
            connection.close()
