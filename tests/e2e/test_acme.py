"""Certificates for mapped domains from a real ACME server, where one is installed, and from a small one elsewhere."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.support.acme_server import AcmeServer
from tests.support.daemon import Daemon
from tests.support.pebble import INSTALLED, Pebble
from tests.support.ports import free_port

pytestmark = pytest.mark.host

MAPPINGS = "/apis/domains.cloudrun.com/v1/namespaces/homerun/domainmappings"
WWW = "www.example.com"


class MappedDaemon(Daemon):
    """A daemon that asks for certificates. `directory` is set before it starts."""

    def __init__(self, state: Path) -> None:
        self.https_port = free_port()
        super().__init__(state, https=f"127.0.0.1:{self.https_port}", acme="me@example.com", redirect_https=True)

    def map(self, domain: str) -> None:
        spec = {"routeName": "hello"}
        body = {"apiVersion": "domains.cloudrun.com/v1", "kind": "DomainMapping", "metadata": {"name": domain}}
        self.call("POST", MAPPINGS, {**body, "spec": spec})

    def condition(self, domain: str) -> dict[str, Any]:
        status = self.call("GET", f"{MAPPINGS}/{domain}")["status"]
        [found] = [c for c in status["conditions"] if c["type"] == "CertificateProvisioned"]
        return found  # type: ignore[no-any-return]

    def shown(self, domain: str) -> x509.Certificate:
        """To a client that asks for `domain`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.https_port), 30) as raw,
            context.wrap_socket(raw, server_hostname=domain) as connection,
        ):
            content = connection.getpeercert(binary_form=True)
        assert content is not None
        return x509.load_der_x509_certificate(content)


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> MappedDaemon:
    return MappedDaemon(tmp_path_factory.mktemp("acme") / "state")


@pytest.fixture(params=["small", "pebble"])
def directory(
    request: pytest.FixtureRequest, daemon: MappedDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Of an ACME server that proves names at the daemon's plain port."""
    if request.param == "small":
        with AcmeServer(prover=f"127.0.0.1:{daemon.http_port}") as server:
            yield server.directory
        return
    if not INSTALLED:
        pytest.skip("pebble is not installed: apt-get install pebble")
    with Pebble(tmp_path, daemon.http_port) as pebble:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pebble.trust))
        yield pebble.directory


def test_a_mapped_domain_gets_a_certificate_and_is_answered_over_tls(daemon: MappedDaemon, directory: str) -> None:
    daemon.options["acme_directory"] = directory
    with daemon:
        daemon.map(WWW)
        daemon.until(lambda: daemon.condition(WWW)["status"] == "True", 60)
        daemon.until(lambda: "localhost" not in daemon.shown(WWW).subject.rfc4514_string())
        names = daemon.shown(WWW).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [WWW]


def test_control_is_killed_while_it_gets_a_certificate(daemon: MappedDaemon) -> None:
    with AcmeServer(prover=f"127.0.0.1:{daemon.http_port}") as server:
        server.slow = 1_000_000
        daemon.options["acme_directory"] = server.directory
        with daemon:
            daemon.map(WWW)
            order = daemon.state / "certificates" / "acme" / f"{WWW}.order"
            daemon.until(order.exists)
            daemon.kill("control")
            server.slow = 0
            daemon.until(lambda: order.with_name(f"{WWW}.pem").exists(), 60)
            assert server.requests.count("order") == 1
