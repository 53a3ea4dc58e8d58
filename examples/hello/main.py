"""A small web service: a page and a JSON endpoint that say which instance of which revision answered.

It does what a service on Cloud Run should: listens on $PORT, logs one JSON object per line with the trace of the
request, and on SIGTERM finishes what it is answering and leaves with exit code 0.
"""

import json
import os
import signal
import sys
import time
import uuid

from flask import Flask, Response, jsonify, render_template, request
from waitress import create_server

STARTED = time.monotonic()
INSTANCE = uuid.uuid4().hex[:8]

app = Flask(__name__, template_folder=".")
served = 0


def log(severity: str, message: str, **more: object) -> None:
    """One line, in the shape that Cloud Logging reads as a structured entry."""
    print(json.dumps({"severity": severity, "message": message, **more}), flush=True)


def info() -> dict[str, object]:
    return {
        "service": os.environ.get("K_SERVICE", "hello (not on Cloud Run)"),
        "revision": os.environ.get("K_REVISION", "-"),
        "instance": INSTANCE,
        "uptime_seconds": round(time.monotonic() - STARTED, 3),
        "requests_served": served,
    }


@app.get("/")
def page() -> str:
    return render_template("page.html", **info())


@app.get("/api/info")
def api_info() -> Response:
    return jsonify(info())


@app.get("/api/sleep")
def api_sleep() -> tuple[Response, int]:
    """Hold the request for a while, to see concurrency and scaling at work."""
    try:
        seconds = float(request.args.get("seconds", "1"))
    except ValueError:
        return jsonify(error="seconds must be a number, e.g. /api/sleep?seconds=0.5"), 400
    if not 0 <= seconds <= 60:
        return jsonify(error="seconds must be between 0 and 60"), 400
    time.sleep(seconds)
    return jsonify(slept=seconds, instance=INSTANCE), 200


@app.after_request
def log_request(response: Response) -> Response:
    global served
    served += 1
    trace = request.headers.get("X-Cloud-Trace-Context", "").partition("/")[0]
    log("INFO", f"{request.method} {request.path} {response.status_code}", trace=trace, instance=INSTANCE)
    return response


def main() -> None:
    port = int(os.environ.get("PORT", "8080"))
    server = create_server(app, host="0.0.0.0", port=port, threads=32)

    def leave(number: int, frame: object) -> None:
        log("NOTICE", "SIGTERM: finishing requests", requests_served=served)
        sys.exit(0)  # waitress takes this as the request to shut down, and waits for its threads

    signal.signal(signal.SIGTERM, leave)
    log("INFO", f"listening on port {port}", instance=INSTANCE)
    server.run()


if __name__ == "__main__":
    main()
