"""Who calls the API. One function for all transports: it takes the value of an Authorization header, or metadata entry.

On a loopback address the callers are programs of this machine, and need no token. Who sends one of ours is taken at
their word, so it must be good; tokens of others are not looked at, because gcloud sends that of whatever account its
user is logged in with. On any other address everybody needs a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homerun.apis.identity.issuer import Issuer
from homerun.lib.clock import Clock
from homerun.lib.errors import Unauthenticated
from homerun.model.identity import OWNER

CALLER = "homerun.caller"
"""The key in an ASGI scope under which apis/authentication.py leaves who sent the request."""
REMEDY = (
    "Expected `Authorization: Bearer TOKEN` with an access token of this homerun. On the machine that it runs on, "
    "`sudo homerun auth print-access-token --state DIR` prints one; the command line takes it from HOMERUN_TOKEN or "
    "--token-file, gcloud from CLOUDSDK_AUTH_ACCESS_TOKEN_FILE."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """`email` has proved to be who they are, or is the owner of this machine."""

    email: str

    @property
    def owner(self) -> bool:
        return self.email == OWNER


THE_OWNER = Caller(OWNER)


@dataclass(frozen=True, slots=True)
class Access:
    """`required`: nobody gets in without a token."""

    issuer: Issuer
    clock: Clock
    required: bool

    def authenticate(self, authorization: str) -> Caller:
        """Raises Unauthenticated."""
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        bearer = scheme.lower() == "bearer" and bool(token)
        if not self.required and not (bearer and self.issuer.is_ours(token)):
            return THE_OWNER
        if not bearer:
            raise Unauthenticated(f"This API needs an access token, and the request has none. {REMEDY}")
        try:
            return Caller(self.issuer.bearer(token, self.clock.now()))
        except Unauthenticated as error:
            raise Unauthenticated(f"{error.message}. {REMEDY}") from None


def caller_of(scope: Mapping[str, Any]) -> Caller:
    caller: Caller = scope[CALLER]
    return caller
