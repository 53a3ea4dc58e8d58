"""Tokens are signed once and kept while they are good for long enough."""

import jwt

from homerun.apis.metadata.tokens import LEAST_LEFT, MOST, Tokens
from tests.support.identity import ROBOT, issuer


def test_an_access_token_is_made_anew_before_it_is_over() -> None:
    tokens = Tokens(issuer())
    first = tokens.access(ROBOT, 1000)
    assert tokens.access(ROBOT, first.expires - LEAST_LEFT) is first
    second = tokens.access(ROBOT, first.expires - LEAST_LEFT + 1)
    assert second.expires > first.expires and tokens.signed == 2


def test_id_tokens_are_kept_by_account_audience_and_form() -> None:
    tokens = Tokens(issuer())
    made = [
        tokens.identity(account, audience, 0, full=full)
        for account in (ROBOT, "other@p.iam.gserviceaccount.com")
        for audience in ("http://a", "http://b")
        for full in (True, False)
    ]
    assert len({token.text for token in made}) == 8
    assert tokens.identity(ROBOT, "http://a", 0, full=True) is made[0]
    claims = [jwt.decode(token.text, options={"verify_signature": False}) for token in made[:2]]
    assert claims[0]["email"] == ROBOT and "email" not in claims[1]
    assert claims[0]["aud"] == "http://a"


def test_no_more_are_kept_than_a_cache_should() -> None:
    tokens = Tokens(issuer())
    first = tokens.identity(ROBOT, "0", 0, full=True)
    tokens._issuer = type("Quick", (), {"id_token": lambda *_, **__: first})()
    for number in range(1, MOST + 1):
        tokens.identity(ROBOT, str(number), 0, full=True)
    assert len(tokens._kept) == MOST
    assert tokens.signed == MOST + 1
    tokens.identity(ROBOT, "0", 0, full=True)
    assert tokens.signed == MOST + 2, "it was the one not asked for the longest"
