from __future__ import annotations

from typing import Any

import google.auth.transport
import google.oauth2.id_token
import jwt
import pytest

from homerun.lib.clock import SystemClock
from homerun.lib.errors import Invalid, Unauthenticated
from homerun.model import identity
from tests.support.identity import ROBOT, id_token, issuer, keys, other_keys


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_an_id_token_has_the_shape_of_google_s() -> None:
    assert claims(id_token("ann@example.com", now=1000)) == {
        "iss": "http://127.0.0.1:8787",
        "azp": identity.ANY_SERVICE,
        "aud": "http://hello.example",
        "sub": identity.subject_of("ann@example.com"),
        "hd": "example.com",
        "email": "ann@example.com",
        "email_verified": True,
        "iat": 1000,
        "exp": 4600,
    }


def test_a_service_account_is_known_by_its_number_unless_its_address_is_asked_for() -> None:
    subject = identity.subject_of(ROBOT)
    without = claims(id_token(ROBOT, include_email=False))
    assert (without["sub"], without["azp"]) == (subject, subject)
    assert "email" not in without and "hd" not in without
    assert claims(id_token(ROBOT))["email"] == ROBOT


def test_without_an_audience_it_is_for_every_service() -> None:
    assert claims(id_token(audience=""))["aud"] == identity.ANY_SERVICE


def test_an_access_token_says_whose_it_is_until_it_expires() -> None:
    token = issuer().access_token("ann@example.com", 1000, 60)
    assert token.expires == 1060
    assert issuer().bearer(token.text, 1059) == "ann@example.com"
    with pytest.raises(Unauthenticated, match="it has expired"):
        issuer().bearer(token.text, 1060)
    assert issuer().is_ours(token.text)
    assert not issuer().is_ours("ya29.a0AfH6SMB")
    assert not issuer().is_ours(other_keys().sign({}, "at+jwt"))


@pytest.mark.parametrize("lifetime", [0, -1, 43201])
def test_a_lifetime_has_limits(lifetime: int) -> None:
    with pytest.raises(Invalid, match="lifetime"):
        issuer().access_token("ann@example.com", 0, lifetime)


class Certs:
    """google-auth's way to our published keys."""

    def __init__(self, body: bytes) -> None:
        self.status, self.data, self.headers = 200, body, {}

    def __call__(self, url: str, method: str = "GET", **_: Any) -> Certs:
        assert url == "http://127.0.0.1:8787/oauth2/v1/certs"
        return self


def test_google_auth_verifies_what_we_issue() -> None:
    import json

    request = Certs(json.dumps(keys().pems()).encode())
    token = id_token(now=SystemClock().now())
    found = google.oauth2.id_token.verify_token(
        token, request, audience="http://hello.example", certs_url="http://127.0.0.1:8787/oauth2/v1/certs"
    )
    assert found["email"] == "ann@example.com"
    with pytest.raises(ValueError):
        google.oauth2.id_token.verify_token(
            token[:-8] + "AAAAAAAA", request, certs_url="http://127.0.0.1:8787/oauth2/v1/certs"
        )
