from __future__ import annotations

import json

import jwt
import pytest

from homerun.lib.errors import FailedPrecondition
from homerun.wire.keys import KeyRing, public_from_pem
from tests.support.identity import keys, other_keys


def test_keys_are_the_same_after_they_were_written_and_read() -> None:
    again = KeyRing.load(keys().dump(), "f")
    assert again.jwks() == keys().jwks()
    assert list(again.public) == list(keys().public)


def test_what_one_signs_anybody_can_check_with_the_published_set() -> None:
    token = keys().sign({"sub": "1"}, "JWT")
    [published] = keys().jwks()["keys"]
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": published["kid"], "typ": "JWT"}
    assert (published["kty"], published["use"], published["alg"]) == ("RSA", "sig", "RS256")
    assert "d" not in published, "the private half is nobody's business"
    assert jwt.decode(token, jwt.PyJWK(published).key, algorithms=["RS256"]) == {"sub": "1"}


def test_the_first_key_signs_and_all_check() -> None:
    """How a key is changed: the new one in front, the old one still there."""
    old, new = json.loads(keys().dump())["keys"], json.loads(other_keys().dump())["keys"]
    both = KeyRing.load(json.dumps({"keys": new + old}).encode(), "f")
    assert jwt.get_unverified_header(both.sign({}, "JWT"))["kid"] in other_keys().public
    assert set(both.public) == {*keys().public, *other_keys().public}


def test_public_halves_go_through_pem() -> None:
    for id, pem in keys().pems().items():
        assert public_from_pem(pem) == keys().public[id]
        assert "PRIVATE" not in pem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"{}",
        b"[]",
        b'{"keys": 3}',
        b'{"keys": [{}]}',
        b'{"keys": [{"private": "x"}]}',
        b'{"keys": [3]}',
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(content: bytes) -> None:
    with pytest.raises(FailedPrecondition, match=r"^/s/identity\.json holds no keys .* move it away"):
        KeyRing.load(content, "/s/identity.json")


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(FailedPrecondition):
        KeyRing().sign({}, "JWT")
    assert KeyRing().jwks() == {"keys": []}
