"""The real library against a small server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from cryptography import x509

from homerun.lib.errors import FailedPrecondition, Unavailable
from homerun.wire.acme import Acme
from homerun.wire.certificate import new_request
from tests.support.acme_server import AcmeServer

pytestmark = pytest.mark.sockets

WWW = "www.example.com"


class Keys:
    def __init__(self) -> None:
        self.made: list[bytes] = []

    def __call__(self, make: Callable[[], bytes]) -> bytes:
        if not self.made:
            self.made.append(make())
        return self.made[0]


KEYS = Keys()
"""Making one takes a while."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sleeps a second before it looks at an order; this server needs none."""
    monkeypatch.setattr("acme.client.time", SimpleNamespace(sleep=lambda seconds: time.sleep(0.01)))


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    with AcmeServer() as server:
        yield server


def client(server: AcmeServer) -> Acme:
    return Acme(server.directory, "me@example.com", KEYS)


def finished(acme: Acme, kept: str) -> str:
    while (chain := acme.finish(kept)) is None:
        pass
    return chain


def test_a_certificate_is_ordered_proved_and_fetched(server: AcmeServer) -> None:
    acme = client(server)
    _, request = new_request(WWW)
    opened = acme.begin(WWW, request)
    [(token, proof)] = opened.proofs.items()
    assert proof.startswith(f"{token}.")
    assert not acme.proved(opened)
    acme.answer(opened)
    assert acme.proved(opened)
    chain = finished(acme, acme.keep(opened))
    assert chain.count("BEGIN CERTIFICATE") == 2
    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert leaf.public_key() == x509.load_pem_x509_csr(request).public_key()


def test_another_process_goes_on_with_an_order(server: AcmeServer) -> None:
    server.slow = 1_000_000
    first = client(server)
    opened = first.begin(WWW, new_request(WWW)[1])
    first.answer(opened)
    kept = first.keep(opened)
    assert first.finish(kept) is None, "the server is told to make it"
    server.slow = 0
    second = client(server)
    assert "BEGIN CERTIFICATE" in finished(second, kept)
    assert len(server.accounts) == 1, "the same key is the same account"
    assert server.requests.count("order") == 1


def test_a_refusal_has_the_servers_words(server: AcmeServer) -> None:
    server.refusal = {
        "type": "urn:ietf:params:acme:error:rateLimited",
        "detail": "too many certificates",
        "status": 429,
    }
    with pytest.raises(FailedPrecondition, match="the ACME server refuses: too many certificates"):
        client(server).begin(WWW, new_request(WWW)[1])


def test_a_proof_that_is_not_found_is_told_with_the_servers_words(server: AcmeServer) -> None:
    acme = client(server)
    opened = acme.begin(WWW, new_request(WWW)[1])
    server._orders["0"]["authorization"] = "invalid"
    with pytest.raises(FailedPrecondition, match=r"could not verify the domain: www\.example\.com says otherwise"):
        acme.proved(opened)


def test_a_server_that_is_not_there_is_named(server: AcmeServer) -> None:
    acme = Acme("http://127.0.0.1:1/dir", "me@example.com", KEYS)
    with pytest.raises(Unavailable, match=r"the ACME server at http://127\.0\.0\.1:1/dir cannot be reached"):
        acme.begin(WWW, new_request(WWW)[1])
    assert repr(acme) == "<Acme http://127.0.0.1:1/dir not asked yet>"


def test_what_is_no_acme_server_is_named(server: AcmeServer) -> None:
    acme = Acme(f"{server.url}/elsewhere", "me@example.com", KEYS)
    with pytest.raises((Unavailable, FailedPrecondition), match="the ACME server"):
        acme.begin(WWW, new_request(WWW)[1])
    assert server.requests == []
