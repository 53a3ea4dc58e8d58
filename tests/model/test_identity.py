import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.model import identity


@pytest.mark.parametrize("text", ["a@b", "Ann.B+c@example.com", "r@p.iam.gserviceaccount.com", "homerun@localhost"])
def test_an_address_is_one(text: str) -> None:
    assert identity.is_email(text)


@pytest.mark.parametrize("text", ["", "ann", "@example.com", "ann@", "a b@c", "a@b@c", "a@b\r\nX: y", "a@-b", "é@b.c"])
def test_other_text_is_none(text: str) -> None:
    assert not identity.is_email(text)


@given(st.emails())
def test_a_subject_is_a_number_of_21_digits_whatever_the_case(email: str) -> None:
    subject = identity.subject_of(email)
    assert len(subject) == 21 and subject.isdecimal()
    assert identity.subject_of(email.upper().lower()) == identity.subject_of(email.lower())


def test_different_people_have_different_subjects() -> None:
    assert len({identity.subject_of(f"u{n}@example.com") for n in range(10_000)}) == 10_000


def test_service_accounts_are_known_by_their_domain() -> None:
    assert identity.is_service_account("7-compute@developer.GServiceAccount.com")
    assert not identity.is_service_account("ann@gserviceaccount.com.example.com")
    assert identity.domain_of("Ann@Example.com") == "example.com"
