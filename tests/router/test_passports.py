from __future__ import annotations

import pytest

from homerun.router import passports
from homerun.router.passports import Passports
from homerun.wire.keys import KeyRing
from homerun.wire.link import KeySet
from homerun.wire.tokens import BadToken, Claims
from tests.support.identity import id_token, issuer, keys, other_keys


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tokens whose signature was looked at."""
    seen: list[bytes] = []
    verify = passports.verify

    def spy(token: bytes, *rest: object) -> Claims:
        seen.append(token)
        return verify(token, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(passports, "verify", spy)
    return seen


def office(kept: int = 10, ring: KeyRing | None = None) -> Passports:
    made = Passports(kept)
    made.set_keys(KeySet((ring or keys()).pems()))
    return made


def test_a_token_is_checked_once(checked: list[bytes]) -> None:
    made, token = office(), id_token().encode()
    first = made.check(token, 1)
    assert made.check(token, 2) is first
    assert checked == [token]


def test_it_is_forgotten_when_it_has_expired() -> None:
    made, token = office(), id_token(now=0).encode()
    made.check(token, 1)
    for _ in range(2):
        with pytest.raises(BadToken, match="it has expired"):
            made.check(token, 3600)
    assert "0 known" in repr(made)


def test_no_more_are_kept_than_may_be(checked: list[bytes]) -> None:
    made = office(kept=3)
    tokens = [id_token(f"u{n}@example.com").encode() for n in range(5)]
    for token in tokens:
        made.check(token, 1)
    assert "3 known" in repr(made)
    for token in tokens[2:]:
        made.check(token, 1)
    assert len(checked) == 5
    made.check(tokens[0], 1)
    assert len(checked) == 6


def test_bad_ones_are_not_kept() -> None:
    made = office()
    for number in range(20):
        with pytest.raises(BadToken):
            made.check(f"garbage {number}".encode(), 1)
        with pytest.raises(BadToken):
            made.check(id_token(now=number).encode()[:-8] + b"AAAAAAAA", number)
    assert "0 known" in repr(made)


def test_with_a_key_go_all_that_it_signed() -> None:
    made, token = office(), id_token().encode()
    made.check(token, 1)
    made.set_keys(KeySet(other_keys().pems()))
    with pytest.raises(BadToken, match="not issued by this homerun"):
        made.check(token, 1)
    made.set_keys(KeySet({**other_keys().pems(), **keys().pems()}))
    made.check(token, 1)


def test_without_keys_nobody_passes() -> None:
    with pytest.raises(BadToken):
        Passports().check(id_token().encode(), 1)
    with pytest.raises(BadToken, match="not an ID token"):
        office().check(issuer().access_token("ann@example.com", 0).text.encode(), 1)
