"""Services over TLS: the real daemon, a real container, and curl, which believes the local authority."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.ports import free_port

pytestmark = pytest.mark.host


class SecureDaemon(Daemon):
    def __init__(self, state: Path, **options: object) -> None:
        self.https_port = free_port()
        super().__init__(state, **{"https": f"127.0.0.1:{self.https_port}", "redirect_https": True} | options)

    def curl(self, service: str, *arguments: str) -> str:
        """The answer with its head. Raises when curl does not believe it."""
        content = (self.state / "certificates" / "local-ca.pem").read_text()
        authority = self.state.parent / "ca.pem"
        authority.write_text(content[content.index("-----BEGIN CERTIFICATE") :])
        host = self.host(service).partition(":")[0]
        command = ["curl", "-sS", "-i", "--max-time", "60", "--cacert", str(authority), *arguments]
        done = subprocess.run(
            [*command, f"https://{host}:{self.https_port}/headers"], capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture(scope="module")
def secure(folder: Path) -> Iterator[SecureDaemon]:
    with SecureDaemon(folder / "secure") as daemon:
        yield daemon


def test_a_service_is_woken_over_tls(secure: SecureDaemon, app: str) -> None:
    service = secure.deploy("safe", app)
    assert service["uri"] == f"https://{secure.host('safe').partition(':')[0]}:{secure.https_port}"
    assert secure.get("safe")[0] == 302
    answer = secure.curl("safe")
    assert answer.startswith(("HTTP/1.1 200", "HTTP/2 200"))
    assert "x-forwarded-proto: https" in answer.lower()
    assert (secure.state / "certificates" / "local-ca.pem").stat().st_mode & 0o777 == 0o600


def test_both_versions_of_http_are_offered(secure: SecureDaemon, app: str) -> None:
    secure.deploy("both", app)
    assert secure.curl("both", "--http2").startswith("HTTP/2 200")
    assert secure.curl("both", "--http1.1").startswith("HTTP/1.1 200")
    assert "x-forwarded-proto: https" in secure.curl("both", "--http2").lower()


def test_each_connection_finds_the_router_that_owns_its_service(folder: Path, app: str) -> None:
    with SecureDaemon(folder / "several", routers=2) as daemon:
        for number in range(4):
            daemon.deploy(f"s{number}", app)
        for number in range(12):
            assert " 200" in daemon.curl(f"s{number % 4}")


def test_tls_survives_the_death_of_the_router(secure: SecureDaemon, app: str) -> None:
    secure.deploy("steady", app)
    assert " 200" in secure.curl("steady")
    secure.kill("router")
    assert " 200" in secure.curl("steady", "--retry", "5", "--retry-all-errors")
