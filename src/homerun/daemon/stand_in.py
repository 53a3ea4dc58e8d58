"""Answers on the API's socket while control cannot start: 503 with the reason, instead of a wait without an end.

A connection that comes while control merely starts again waits for it, and is served by it. Only when it is clear that
it will not come soon does `up` let this take the connections, until control says that it is there.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOK_EVERY = 0.25
"""Seconds between two looks at whether control is there."""
RETRY_AFTER = 5
_PATIENCE = 5.0
"""Seconds that a client has to send its request."""


class StandIn:
    def __init__(self, listener: socket.socket, is_up: Callable[[], bool]) -> None:
        """`listener` stays open, whatever happens here."""
        self._listener, self._is_up = listener, is_up
        self._thread: threading.Thread | None = None
        self.reason = ""

    def step_in(self, reason: str) -> bool:
        """Answer with `reason` from now on. False: it does so already, and has a new reason now."""
        self.reason = reason
        if self._thread is not None and self._thread.is_alive():
            return False
        self._thread = threading.Thread(target=self._serve, name="stand-in", daemon=True)
        self._thread.start()
        return True

    def _serve(self) -> None:
        stand_in = self

        class Handler(_Handler):
            def reason(self) -> str:
                return stand_in.reason

        # Its own descriptor of the same socket: control goes on to accept when it is there.
        with _Server(self._listener.dup(), Handler) as server:
            while not self._is_up():
                server.handle_request()


class _Server(ThreadingHTTPServer):
    timeout = LOOK_EVERY
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: object, client_address: object) -> None:
        """Who speaks no HTTP, or leaves, is nobody's concern here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def reason(self) -> str:
        raise NotImplementedError

    def answer(self) -> None:
        message = f"homerun's control process does not start: {self.reason()}"
        body = json.dumps({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}}).encode()
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", str(RETRY_AFTER))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *values: object) -> None:
        """One line of `up` said it for all."""
