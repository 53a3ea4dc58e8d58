"""A certificate that is good for whoever was given it."""

import ssl

import pytest
from cryptography import x509

from homerun.lib.errors import FailedPrecondition
from homerun.wire.certificate import DAYS, Certificate, life, new_request

NOW = 1_800_000_000.0
MADE = Certificate.generate(["localhost", "*.homerun.localhost", "127.0.0.1"], NOW)


def test_it_is_for_its_names_and_its_time() -> None:
    found = x509.load_pem_x509_certificate(MADE.public)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.homerun.localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert found.not_valid_before_utc.timestamp() < NOW < found.not_valid_after_utc.timestamp()
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == DAYS


def test_who_has_it_may_trust_it() -> None:
    ssl.create_default_context(cadata=MADE.public.decode())


def test_it_comes_back_from_its_file() -> None:
    assert Certificate.load(MADE.dump(), "tls.pem") == MADE


@pytest.mark.parametrize("content", [b"", b"nonsense", MADE.private, MADE.public])
def test_a_damaged_file_is_named_with_the_remedy(content: bytes) -> None:
    with pytest.raises(FailedPrecondition, match=r"tls\.pem holds no certificate"):
        Certificate.load(content, "tls.pem")


def test_a_request_is_for_one_domain() -> None:
    private, request = new_request("www.example.com")
    assert private.startswith(b"-----BEGIN PRIVATE KEY-----")
    found = x509.load_pem_x509_csr(request)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.com"]
    assert found.is_signature_valid


def test_a_life_is_read_whatever_stands_in_front() -> None:
    since, until = life(b"# a word\n" + MADE.dump())
    assert since < NOW < until
    with pytest.raises(ValueError, match="PEM"):
        life(b"nonsense")
