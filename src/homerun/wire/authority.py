"""A certificate authority for this machine alone: it signs names under `localhost`, and is believed for no others.

Whoever trusts it (`homerun trust`) trusts it for those names and loopback addresses only: its own certificate says so,
as name constraints. Its key, if it were stolen, would open nothing on the internet.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homerun.lib.errors import FailedPrecondition
from homerun.wire.certificate import Certificate, general_name

DAYS = 3650
"""That the authority is good for."""
LEAF_DAYS = 90
"""That what it signs is good for: made anew with each start of a router, and when two thirds have passed."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_CA_USAGE, _LEAF_USAGE = ("key_cert_sign", "crl_sign"), ("digital_signature",)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Authority:
    def __init__(self, certificate: Certificate, where: str) -> None:
        """`where` it was read from: to be named when it is damaged. Raises FailedPrecondition."""
        self.certificate = certificate
        self._issuer = x509.load_pem_x509_certificate(certificate.public)
        key = serialization.load_pem_private_key(certificate.private, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._issuer.public_key():
            raise FailedPrecondition(
                f"{where} holds a key that is not its certificate's: move it away and a new authority is made"
            )
        self._key = key

    @classmethod
    def generate(cls, now: float) -> Certificate:
        """A new one; `now`: Unix time."""
        key = ec.generate_private_key(ec.SECP256R1())
        mark = hashlib.sha256(_raw(key)).hexdigest()[:6]
        subject = _subject(f"homerun local CA {mark}")
        constraints = x509.NameConstraints(
            [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_network(net)) for net in _LOOPBACK)], None
        )
        made = (
            _builder(subject, subject, key, now, DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(_CA_USAGE), critical=True)
            .add_extension(constraints, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return Certificate(made.public_bytes(serialization.Encoding.PEM), _pem(key))

    @classmethod
    def load(cls, content: bytes, where: str) -> Authority:
        """What `Certificate.dump` of a generated one gave. Raises FailedPrecondition."""
        return cls(Certificate.load(content, where), where)

    @property
    def name(self) -> str:
        """As lists of trusted authorities show it."""
        [attribute] = self._issuer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(attribute.value)

    @property
    def until(self) -> float:
        """Unix time of its end."""
        return self._issuer.not_valid_after_utc.timestamp()

    def issue(self, names: Sequence[str], now: float) -> Certificate:
        """For a server that answers to `names`: host names under localhost, loopback addresses. Half a millisecond."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder(_subject(names[0][:64]), self._issuer.subject, key, now, LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(_LEAF_USAGE), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Certificate(made.public_bytes(serialization.Encoding.PEM), _pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float, days: int
) -> x509.CertificateBuilder:
    # Since yesterday: clocks of clients may be a little behind.
    since = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    until = since + datetime.timedelta(days=days)
    return x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), since, until)


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "homerun"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _usage(given: Sequence[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in given for usage in _USAGES})


def _raw(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
