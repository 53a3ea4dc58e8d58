"""JSON Web Tokens of our own issuer: taken apart, and checked, the cheapest checks first.

Anybody can send a token, and a signature costs as much as a whole request: it is looked at only when size, shape, key
and time are as they should be. No other issuer has our keys, so that a key is ours says all that `iss` would say.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

LARGEST = 8192
"""Bytes of a token; ours have about a tenth of that."""
IDENTITY, ACCESS = "JWT", "at+jwt"
"""The `typ` of ID tokens, as Google's have it, and of access tokens (RFC 9068): neither is good as the other."""

_KINDS = {IDENTITY: ("an ID token", "print-identity-token"), ACCESS: ("an access token", "print-access-token")}

_rs256 = RSAAlgorithm(RSAAlgorithm.SHA256)


class BadToken(ValueError):
    """Why it is not good, in words for whoever sent it."""


class Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str = ""
    typ: str = ""
    crit: list[str] = []


class Claims(msgspec.Struct, frozen=True):
    """Times are seconds since 1970; what else a token says is not looked at."""

    aud: str
    sub: str
    exp: float
    email: str = ""

    @property
    def who(self) -> str:
        return self.email or f"subject {self.sub}"


_header = msgspec.json.Decoder(Header)
_claims = msgspec.json.Decoder(Claims)


def header_of(token: bytes) -> Header:
    """What a token says of itself, unchecked. Raises BadToken."""
    if len(token) > LARGEST:
        raise BadToken(f"it has more than {LARGEST} bytes")
    parts = token.split(b".")
    if len(parts) != 3:
        raise BadToken("it is no JSON Web Token, which has three parts with dots between")
    try:
        return _header.decode(_decode(parts[0]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadToken("its header is not that of a JSON Web Token") from None


def verify(token: bytes, keys: Mapping[str, RSAPublicKey], type: str, now: float) -> Claims:
    """What it says, proved; `keys` by id. The audience is the caller's to check. Raises BadToken."""
    header = header_of(token)
    if header.alg != "RS256" or header.crit:
        raise BadToken("it is not signed with RS256")
    key = keys.get(header.kid)
    if key is None:
        raise BadToken("it was not issued by this homerun, or its key is no longer in use")
    if header.typ != type:
        what, verb = _KINDS[type]
        raise BadToken(f"it is not {what}: get one with `homerun auth {verb}`")
    signed, _, signature = token.rpartition(b".")
    claims = _read_claims(signed.partition(b".")[2])
    if not now < claims.exp:
        raise BadToken("it has expired")
    if not _rs256.verify(signed, key, _decode(signature)):
        raise BadToken("its signature is wrong")
    return claims


def _read_claims(part: bytes) -> Claims:
    try:
        return _claims.decode(_decode(part))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadToken("its claims are not those of a token of homerun") from None


def _decode(part: bytes) -> bytes:
    """URL-safe base64 without padding, and nothing else."""
    try:
        return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadToken("a part of it is not URL-safe base64") from None
