"""The keys with which homerun signs tokens, and how they are written: PEM in a file of ours, JWK for the world.

`{"keys": [{"private": "-----BEGIN PRIVATE KEY-----…"}, …]}`. The first one signs; tokens of all of them are good. So a
key is changed by putting a new one in front, and taking the old one out when the last of its tokens has expired.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from homerun.lib.errors import FailedPrecondition

ALGORITHM = "RS256"
_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """`id`: the thumbprint of its public half (RFC 7638)."""

    id: str
    private: rsa.RSAPrivateKey

    @property
    def public(self) -> rsa.RSAPublicKey:
        return self.private.public_key()

    @classmethod
    def of(cls, private: rsa.RSAPrivateKey) -> Key:
        jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        canonical = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).digest()
        return cls(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), private)


class KeyRing:
    """None at all: nothing can be signed, and no token is good."""

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(key.id for key in self._keys)}>"

    @classmethod
    def generate(cls) -> KeyRing:
        """Takes a tenth of a second or so."""
        return cls([Key.of(rsa.generate_private_key(public_exponent=65537, key_size=_BITS))])

    @classmethod
    def load(cls, content: bytes, where: str) -> KeyRing:
        """`where`: what to call it when it is damaged. Raises FailedPrecondition."""
        try:
            entries = json.loads(content)["keys"]
            return cls([Key.of(_parse(entry["private"])) for entry in entries])
        except (ValueError, KeyError, TypeError) as error:
            raise FailedPrecondition(
                f"{where} holds no keys that can be read ({error}): put back a copy, or move it away and a new key is "
                "made; tokens that were given out are then no longer good"
            ) from error

    def dump(self) -> bytes:
        """For `load`: with the private halves."""
        return json.dumps({"keys": [{"private": _private_pem(key.private)} for key in self._keys]}).encode()

    def sign(self, claims: Mapping[str, Any], type: str) -> str:
        """A JSON Web Token. `type`: its `typ` header."""
        if not self._keys:
            raise FailedPrecondition("this homerun has no key to sign tokens with")
        key = self._keys[0]
        return jwt.encode(dict(claims), key.private, ALGORITHM, headers={"kid": key.id, "typ": type})

    @property
    def public(self) -> dict[str, rsa.RSAPublicKey]:
        """By id."""
        return {key.id: key.public for key in self._keys}

    def pems(self) -> dict[str, str]:
        """Public halves by id, as the older of Google's addresses for certificates answers."""
        return {key.id: public_pem(key.public) for key in self._keys}

    def jwks(self) -> dict[str, Any]:
        """A JSON Web Key Set (RFC 7517)."""
        return {
            "keys": [
                {**RSAAlgorithm.to_jwk(key.public, as_dict=True), "kid": key.id, "alg": ALGORITHM, "use": "sig"}
                for key in self._keys
            ]
        }


def public_pem(key: rsa.RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def public_from_pem(pem: str) -> rsa.RSAPublicKey:
    """Raises ValueError."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("it is no RSA key")
    return key


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _parse(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("it is no RSA key")
    return key
