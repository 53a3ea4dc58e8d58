"""Keys and tokens for tests. One key for all of them: making one takes a while."""

from __future__ import annotations

from functools import cache

from homerun.apis.access import THE_OWNER, Caller
from homerun.apis.identity.issuer import Issuer
from homerun.wire.keys import KeyRing

ROBOT = "robot@p.iam.gserviceaccount.com"
URL = "http://hello.example"


@cache
def keys() -> KeyRing:
    return KeyRing.generate()


@cache
def other_keys() -> KeyRing:
    """Of somebody else."""
    return KeyRing.generate()


def issuer() -> Issuer:
    return Issuer(keys(), "http://127.0.0.1:8787")


def anybody(authorization: str) -> Caller:
    """Who is taken for the owner without a question."""
    return THE_OWNER


def id_token(email: str = "ann@example.com", audience: str = URL, now: float = 0, **options: bool) -> str:
    return issuer().id_token(email, audience, now, **options).text
