"""The certificate of the API port, signed by itself: for clients that speak gRPC over TLS only, as gcloud does.

It proves nothing to anybody who was not given it; `homerun env` gives it to gcloud.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homerun.lib.errors import FailedPrecondition

DAYS = 3650
"""That it is good for."""
_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Both as PEM: the public part, and the private key."""

    public: bytes
    private: bytes

    @classmethod
    def generate(cls, names: Sequence[str], now: float) -> Certificate:
        """`names`: host names and addresses that it is for; `now`: Unix time."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homerun")])
        since = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
        made = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + datetime.timedelta(days=DAYS))
            .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(made.public_bytes(serialization.Encoding.PEM), private)

    @classmethod
    def load(cls, content: bytes, where: str) -> Certificate:
        """`where`: what to call it when it is damaged. Raises FailedPrecondition."""
        private, begin, rest = content.partition(_BEGIN)
        try:
            x509.load_pem_x509_certificate(begin + rest)
            serialization.load_pem_private_key(private, password=None)
        except (ValueError, TypeError) as error:
            raise FailedPrecondition(
                f"{where} holds no certificate that can be read ({error}): move it away and a new one is made"
            ) from error
        return cls(begin + rest, private)

    def dump(self) -> bytes:
        """For `load`: with the private key."""
        return self.private + self.public


def new_request(domain: str) -> tuple[bytes, bytes]:
    """A new private key, and with it a request for a certificate for `domain` (both PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, request.public_bytes(serialization.Encoding.PEM)


def life(content: bytes) -> tuple[float, float]:
    """From when until when the first certificate in `content` (PEM) is good: Unix times. Raises ValueError."""
    _, begin, rest = content.partition(_BEGIN)
    found = x509.load_pem_x509_certificate(begin + rest)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
