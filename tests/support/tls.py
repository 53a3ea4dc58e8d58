"""Certificates for tests, and a handshake without a network."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from homerun.wire.authority import Authority
from homerun.wire.certificate import Certificate

NOW = 1_700_000_000.0


def make_authority(now: float = NOW) -> Authority:
    return Authority(Authority.generate(now), "ca.pem")


def write_pair(folder: Path, name: str, *names: str, now: float = NOW) -> tuple[Path, Path]:
    """Files `name`.crt and `name`.key with a new certificate for `names`, or for `name`."""
    made = Certificate.generate(names or [name], now)
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(made.public)
    private.write_bytes(made.private)
    return certificate, private


def shake(
    context: ssl.SSLContext,
    name: str | None,
    client: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> ssl.SSLObject:
    """The client's end of a connection that `context` has taken, by memory alone; `session`: of an earlier one, to be
    resumed. Raises ssl.SSLError."""
    if client is None:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(end)
    # The tickets of TLS 1.3 come behind the handshake.
    theirs.write(b"x")
    ours.read(1)
    return ours


def shown(context: ssl.SSLContext, name: str | None) -> list[str]:
    """The host names of the certificate that a client which asks for `name` is shown."""
    raw = shake(context, name).getpeercert(binary_form=True)
    assert raw is not None
    names = x509.load_der_x509_certificate(raw).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.DNSName)
