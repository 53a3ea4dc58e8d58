"""nginx: a master that is root and workers that are not, logs by path to the container's own output."""

from __future__ import annotations

import http.client

from tests.apps.trial import Trial
from tests.support.daemon import Daemon

LARGE = 33 << 20


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "nginx -v 2>&1 | sed 's|.*nginx/||'")
    trial.deploy(port=80)
    basics(trial)
    with trial.check("curl resumes a download, from byte 34,000,000 on"):
        got = trial.curl("-C", "34000000", "-o", "-", "-w", "%{http_code}", path="/large.bin")
        assert got[-3:] == b"206" and len(got) - 3 == LARGE - 34000000
    with trial.check("a download of 33 MiB arrives whole"):
        assert len(trial.curl(path="/large.bin")) == LARGE
    with trial.check("a client that speaks HTTP/1.0 gets a whole page, and the end of the connection"):
        answer = trial.raw("GET / HTTP/1.0\nHost: {host}\n\n")
        assert answer.startswith(b"HTTP/1.") and b" 200 " in answer[:20] and answer.rstrip().endswith(b"</html>"), (
            answer[:300]
        )
    with trial.check("20 KB of headers, which it refuses by itself"):
        assert trial.get(X_Large="x" * 20_000)[0] == 400
    with trial.check("from zero and back"):
        trial.wakes()
    with trial.check("requests a second"):
        trial.rate()
    with trial.check("ends in time"):
        trial.ends_in_time()


def basics(trial: Trial) -> None:
    """What is worth checking with each change."""
    with trial.check("its page, by GET and HEAD, over a connection that is kept"):
        same_page_twice(trial.daemon, trial.name)
    with trial.check("ranges: 206 with the bytes asked for; 304 for what the client has; 416 past the end"):
        status, headers, body = trial.get("/large.bin", Range="bytes=100-199")
        assert (status, len(body)) == (206, 100), (status, len(body))
        assert headers["Content-Range"] == f"bytes 100-199/{LARGE}"
        assert trial.get("/large.bin", If_None_Match=headers["ETag"])[0] == 304
        assert trial.get("/large.bin", Range=f"bytes={LARGE}-")[0] == 416
    with trial.check("compressed for who asks, plain for others"):
        status, headers, body = trial.get(Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b"
        assert "Content-Encoding" not in trial.get()[1]
    with trial.check("what its configuration refuses is refused: 2 MiB uploaded, 413"):
        said = trial.curl("--data-binary", "@-", "-w", "%{http_code}", failing=True, input=b"x" * (2 << 20))
        assert said.endswith(b"413"), said
    with trial.check("access log on stdout, error log on stderr, though its workers are no root"):
        entry = trial.until_logged("stdout", '"POST / HTTP/1.1" 413')
        assert entry.get("severity", "DEFAULT") == "DEFAULT", entry
        trial.until_logged("stderr", "client intended to send too large body")


def same_page_twice(daemon: Daemon, service: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=60)
    try:
        connection.request("GET", "/", headers={"Host": daemon.host(service)})
        page = connection.getresponse()
        body = page.read()
        local = connection.sock.getsockname() if connection.sock else None
        assert page.status == 200 and b"Welcome to nginx!" in body, (page.status, body[:200])
        connection.request("HEAD", "/", headers={"Host": daemon.host(service)})
        head = connection.getresponse()
        assert head.read() == b"" and head.headers["Content-Length"] == str(len(body))
        assert connection.sock and connection.sock.getsockname() == local, "the connection was closed"
    finally:
        connection.close()
