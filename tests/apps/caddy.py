"""Caddy, which is Go: port 80 without root, logs as JSON, and HTTP/2 without TLS to the container."""

from __future__ import annotations

from tests.apps.trial import Trial


def run(trial: Trial) -> None:
    trial.ask_version("caddy", "version")
    trial.deploy(port=80)
    with trial.check("its page, on port 80 as the user caddy"):
        assert b"Caddy" in trial.get()[2]
    with trial.check("a range, and 304 for what the client has"):
        status, headers, body = trial.get("/index.html", Range="bytes=0-9")
        assert (status, len(body)) == (206, 10)
        assert trial.get("/index.html", If_None_Match=headers["ETag"])[0] == 304
    with trial.check("a client that speaks HTTP/2 (curl --http2-prior-knowledge)"):
        assert trial.curl("--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version}") == b"2"
    with trial.check("its JSON log as fields"):
        entry = trial.until_logged("stderr", "serving initial configuration")
        assert entry["jsonPayload"]["level"] == "info", entry
    with trial.check("from zero and back"):
        trial.wakes()
    with trial.check("requests a second"):
        trial.rate()
    with trial.check("ends in time: it says why"):
        trial.ends_in_time()
        trial.until_logged("stderr", "shutting down apps, then terminating")
