from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.wire import tokens
from homerun.wire.tokens import ACCESS, IDENTITY, BadToken, verify
from tests.support.identity import id_token, issuer, keys, other_keys


def why(token: str | bytes, type: str = IDENTITY, now: float = 1) -> str:
    with pytest.raises(BadToken) as error:
        verify(token.encode() if isinstance(token, str) else token, keys().public, type, now)
    return str(error.value)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_we_issued_is_good() -> None:
    claims = verify(id_token(now=1000).encode(), keys().public, IDENTITY, 1000)
    assert (claims.aud, claims.email, claims.exp) == ("http://hello.example", "ann@example.com", 4600)


def test_until_it_expires() -> None:
    token = id_token(now=1000).encode()
    verify(token, keys().public, IDENTITY, 4599.9)
    assert why(token, now=4600) == "it has expired"


def test_an_access_token_is_no_id_token_and_the_other_way_round() -> None:
    access = issuer().access_token("ann@example.com", 0).text
    assert verify(access.encode(), keys().public, ACCESS, 1).email == "ann@example.com"
    assert "not an ID token" in why(access)
    assert "not an access token" in why(id_token(audience="homerun"), ACCESS)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_change_of_any_part_is_noticed(at: int) -> None:
    mine, others = id_token("ann@example.com").split("."), id_token("bob@example.com", now=5).split(".")
    others[0] = part({"alg": "RS256", "kid": next(iter(keys().public)), "typ": "JWT", "x": 1})
    mine[at] = others[at]
    assert why(".".join(mine)) == "its signature is wrong"


def test_a_token_of_another_issuer_is_not_ours_whatever_it_says() -> None:
    stranger = other_keys().sign({"aud": "a", "sub": "1", "exp": 99}, IDENTITY)
    assert "not issued by this homerun" in why(stranger)
    # Our key's id over their signature.
    forged = jwt.encode(
        {"aud": "a", "sub": "1", "exp": 99},
        next(iter(other_keys()._keys)).private,
        "RS256",
        headers={"kid": next(iter(keys().public)), "typ": "JWT"},
    )
    assert why(forged) == "its signature is wrong"


def test_no_algorithm_but_ours() -> None:
    """`none`, and HS256 with the public key as the secret, are the classics."""
    kid = next(iter(keys().public))
    payload = part({"aud": "a", "sub": "1", "exp": 99})
    for alg in ("none", "HS256", "RS512", "rs256", ""):
        assert "RS256" in why(f"{part({'alg': alg, 'kid': kid, 'typ': 'JWT'})}.{payload}.AAAA")
    assert "RS256" in why(f"{part({'alg': 'RS256', 'kid': kid, 'typ': 'JWT', 'crit': ['b64']})}.{payload}.AAAA")


@pytest.mark.parametrize(
    "claims",
    [
        [],
        {},
        {"aud": "a", "sub": "1"},
        {"aud": ["a"], "sub": "1", "exp": 9},
        {"aud": "a", "sub": 1, "exp": 9},
        {"aud": "a", "sub": "1", "exp": "9"},
        {"aud": "a", "sub": "1", "exp": None},
        {"aud": "a", "sub": "1", "exp": 9, "email": {}},
    ],
)
def test_claims_of_another_form_are_refused_even_when_signed(claims: Any) -> None:
    header = part({"alg": "RS256", "kid": next(iter(keys().public)), "typ": "JWT"})
    assert "its claims" in why(f"{header}.{part(claims)}.AAAA")


def test_the_signature_is_looked_at_last() -> None:
    """So that garbage is cheap: each of these would need the signature to be right, and is refused before."""

    class Untouchable(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            raise AssertionError("the key was asked for")

    for token in (b"", b"x" * 9000, b"a.b", b"a.b.c.d", b"....", b"!.!.!", part([]).encode() + b".b.c"):
        with pytest.raises(BadToken):
            verify(token, Untouchable(), IDENTITY, 0)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    assert why(data)


@given(st.data())
def test_a_token_with_some_bytes_changed_is_refused(data: st.DataObject) -> None:
    token = bytearray(id_token().encode())
    # The last character holds bits that mean nothing.
    at = data.draw(st.integers(0, len(token) - 2))
    value = data.draw(st.integers(0, 255))
    if bytes([value]).translate(bytes.maketrans(b"+/", b"-_")) == bytes([token[at]]):
        return
    token[at] = value
    assert why(bytes(token))


@given(
    st.recursive(st.none() | st.floats() | st.text(max_size=5), lambda c: st.lists(c) | st.dictionaries(st.text(), c))
)
def test_any_json_as_header_or_claims_is_refused(value: Any) -> None:
    ours = part({"alg": "RS256", "kid": next(iter(keys().public)), "typ": "JWT"})
    assert why(f"{part(value)}.{part(value)}.AAAA")
    assert why(f"{ours}.{part(value)}.AAAA")


def test_the_header_alone_can_be_read() -> None:
    assert tokens.header_of(id_token().encode()).typ == IDENTITY
