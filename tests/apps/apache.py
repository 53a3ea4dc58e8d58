"""Apache httpd with WebDAV: uploads of every kind, and workers that write as another user."""

from __future__ import annotations

import hashlib
import os
import tempfile

from tests.apps.trial import Trial

FILE = os.urandom(30 << 20)


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "apache2 -v | sed -n 's|.*Apache/||p'")
    trial.deploy(port=80, scaling={"maxInstanceCount": 1})
    with trial.check("its page, and a page that is not there"):
        assert b"Apache2 Debian Default Page" in trial.get()[2]
        assert trial.get("/missing")[0] == 404
    with trial.check("30 MiB uploaded after Expect: 100-continue (curl), and downloaded again"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(FILE)
            file.flush()
            said = trial.curl("-v", "-T", file.name, "--stderr", "-", path="/files/a")
        assert b"HTTP/1.1 100 Continue" in said and b"HTTP/1.1 201" in said, said[:2000]
        assert _same(trial.curl(path="/files/a"))
    with trial.check("30 MiB uploaded in chunks, without a length"):
        trial.curl("-T", "-", path="/files/b", input=FILE)
        assert _same(trial.curl(path="/files/b"))
    with trial.check("methods of WebDAV: PROPFIND, MKCOL, MOVE, DELETE"):
        trial.curl("-X", "MKCOL", path="/files/folder")
        trial.curl("-X", "MOVE", "-H", f"Destination: {trial.url}/files/folder/b", path="/files/b")
        listing = trial.curl("-X", "PROPFIND", "-H", "Depth: 1", path="/files/folder/")
        assert b"<D:multistatus" in listing and b"/files/folder/b" in listing
        trial.curl("-X", "DELETE", path="/files/folder/b")
        assert trial.get("/files/folder/b")[0] == 404
    with trial.check("a range of what was uploaded"):
        assert trial.curl("-r", "5-14", path="/files/a") == FILE[5:15]
    with trial.check("wget mirrors a page with what it needs"):
        assert "200 OK" in trial.wget("/index.html")
    with trial.check("logs by path: access on stdout, errors on stderr"):
        trial.until_logged("stdout", '"PUT /files/a HTTP/1.1" 201')
        trial.until_logged("stderr", "resuming normal operations")
    with trial.check("from zero and back"):
        trial.wakes()
    with trial.check("requests a second"):
        trial.rate()
    with trial.check("ends in time, of itself"):
        trial.ends_in_time()
        trial.until_logged("stderr", "caught SIGTERM, shutting down")


def _same(body: bytes) -> bool:
    return hashlib.sha256(body).digest() == hashlib.sha256(FILE).digest()
