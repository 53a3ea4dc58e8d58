"""Tokens that were found good, so that each is checked once: a signature costs as much as a whole request.

Only what our own issuer has signed gets in, so nobody else can fill it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from homerun.wire.keys import public_from_pem
from homerun.wire.link import KeySet
from homerun.wire.tokens import IDENTITY, BadToken, Claims, verify

KEPT = 4096


class Passports:
    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._keys: dict[str, RSAPublicKey] = {}
        self._good: dict[bytes, Claims] = {}

    def __repr__(self) -> str:
        return f"<Passports {len(self._good)} known, {len(self._keys)} keys>"

    def set_keys(self, message: KeySet) -> None:
        """What was signed with a key that is no longer there is no longer good."""
        self._keys = {id: public_from_pem(pem) for id, pem in message.keys.items()}
        self._good.clear()

    def check(self, token: bytes, now: float) -> Claims:
        """What it says, proved. Raises BadToken."""
        claims = self._good.get(token)
        if claims is not None:
            if now < claims.exp:
                return claims
            del self._good[token]
            raise BadToken("it has expired")
        claims = verify(token, self._keys, IDENTITY, now)
        if len(self._good) >= self._kept:
            # The oldest: tokens live for an hour, so it is not far from its end.
            del self._good[next(iter(self._good))]
        self._good[token] = claims
        return claims
