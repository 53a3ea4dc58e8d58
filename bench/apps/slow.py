"""An app that takes its time to boot, as those do that import large libraries; then it answers at once."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOOT = float(os.environ.get("BOOT_SECONDS", "2"))
"""Seconds of CPU."""


def import_much() -> dict[int, str]:
    """What stays in memory of it, some 20 MiB."""
    until, found = time.process_time() + BOOT, {}
    while time.process_time() < until:
        for number in range(1000):
            found[len(found) % 100_000] = f"module {number}" * 10
    return found


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    modules = import_much()
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
