from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.apis.access import Access
from homerun.lib.errors import Unauthenticated
from homerun.model.identity import OWNER
from tests.support.identity import id_token, issuer, other_keys

NOW = 1_000_000.0
FOREIGN = [
    "",
    "Bearer ya29.a0AfH6SMBxyz",
    "Basic dXNlcjpwYXNz",
    "Bearer",
    "Bearer a.b.c",
    f"Bearer {other_keys().sign({'aud': 'homerun'}, 'at+jwt')}",
]


class Fixed:
    def now(self) -> float:
        return NOW

    def mono(self) -> float:
        return 0


def access(*, required: bool) -> Access:
    return Access(issuer(), Fixed(), required)


def token(email: str = "ann@example.com", issued: float = NOW) -> str:
    return issuer().access_token(email, issued).text


@pytest.mark.parametrize("header", FOREIGN)
def test_on_loopback_who_shows_nothing_of_ours_is_the_owner(header: str) -> None:
    assert access(required=False).authenticate(header).owner


@pytest.mark.parametrize("header", FOREIGN)
def test_elsewhere_nobody_gets_in_without_a_token_of_ours(header: str) -> None:
    with pytest.raises(Unauthenticated, match=r"print-access-token.*HOMERUN_TOKEN"):
        access(required=True).authenticate(header)


@pytest.mark.parametrize("required", [True, False])
def test_a_good_token_says_who_it_is(required: bool) -> None:
    for header in (f"Bearer {token()}", f"bearer  {token()} "):
        caller = access(required=required).authenticate(header)
        assert (caller.email, caller.owner) == ("ann@example.com", False)
    assert access(required=required).authenticate(f"Bearer {token(OWNER)}").owner


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (token(issued=NOW - 3600), "it has expired"),
        (token()[:-8] + "AAAAAAAA", "its signature is wrong"),
        (id_token(now=NOW), "not an access token: get one with `homerun auth print-access-token`"),
    ],
    ids=["expired", "forged", "id token"],
)
def test_one_of_ours_that_is_not_good_is_refused_everywhere(required: bool, bad: str, why: str) -> None:
    with pytest.raises(Unauthenticated, match=why):
        access(required=required).authenticate(f"Bearer {bad}")


@given(st.text(max_size=60))
def test_any_other_text_is_refused_where_a_token_is_needed(text: str) -> None:
    with pytest.raises(Unauthenticated):
        access(required=True).authenticate(text)
    assert access(required=False).authenticate(text).owner
