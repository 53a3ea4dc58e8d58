"""homerun's own issuer: what its tokens say and how long they are good.

ID tokens have the shape of Google's, so that what reads theirs reads ours. Access tokens are signed as well and kept
nowhere: there is nothing to look up, and nothing that a restart forgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homerun.lib.errors import Invalid, Unauthenticated
from homerun.model import identity
from homerun.wire import tokens
from homerun.wire.keys import KeyRing
from homerun.wire.tokens import BadToken

API = "homerun"
"""The audience of access tokens."""
LIFETIME = 3600
"""Seconds that an ID token is good for, and an access token for which nothing else was asked."""
LONGEST = 12 * 3600
"""Of an access token, as in Google's IAM Credentials API."""


@dataclass(frozen=True, slots=True)
class Token:
    """`expires`: seconds since 1970."""

    text: str
    expires: int


@dataclass(frozen=True, slots=True)
class Issuer:
    """`url`: the `iss` of all tokens, and where the discovery document is."""

    keys: KeyRing
    url: str

    def id_token(self, email: str, audience: str, now: float, *, include_email: bool = True) -> Token:
        """Says to `audience`, the URL of a service, that its bearer is `email`."""
        subject, expires = identity.subject_of(email), int(now) + LIFETIME
        robot = identity.is_service_account(email)
        claims: dict[str, Any] = {
            "iss": self.url,
            "azp": subject if robot else identity.ANY_SERVICE,
            "aud": audience or identity.ANY_SERVICE,
            "sub": subject,
        }
        if not robot:
            claims["hd"] = identity.domain_of(email)
        if include_email:
            claims |= {"email": email, "email_verified": True}
        return Token(self.keys.sign({**claims, "iat": int(now), "exp": expires}, tokens.IDENTITY), expires)

    def access_token(self, email: str, now: float, lifetime: int = LIFETIME, longest: int = LONGEST) -> Token:
        """Opens the API to its bearer. `lifetime`: seconds. Raises Invalid."""
        if not 0 < lifetime <= longest:
            raise Invalid.field("lifetime", f"must be more than 0 and at most {longest} seconds, and is {lifetime}")
        expires = int(now) + lifetime
        claims = {
            "iss": self.url,
            "aud": API,
            "sub": identity.subject_of(email),
            "email": email,
            "iat": int(now),
            "exp": expires,
        }
        return Token(self.keys.sign(claims, tokens.ACCESS), expires)

    def is_ours(self, token: str) -> bool:
        """Whether it claims to be from here: signed with a key of ours, rightly or not."""
        try:
            return tokens.header_of(token.encode()).kid in self.keys.public
        except BadToken:
            return False

    def bearer(self, token: str, now: float) -> str:
        """Whose access token it is: an e-mail address. Raises Unauthenticated."""
        try:
            return tokens.verify(token.encode(), self.keys.public, tokens.ACCESS, now).email
        except BadToken as error:
            raise Unauthenticated(f"The access token is not good: {error}") from None
