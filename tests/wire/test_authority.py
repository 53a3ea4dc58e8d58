"""An authority for names under localhost."""

import ipaddress
import ssl

import pytest
from cryptography import x509

from homerun.lib.errors import FailedPrecondition
from homerun.wire.authority import LEAF_DAYS, Authority
from homerun.wire.certificate import Certificate
from tests.support.tls import NOW, make_authority

MADE = make_authority()


def test_it_may_sign_for_localhost_and_loopback_only() -> None:
    found = x509.load_pem_x509_certificate(MADE.certificate.public).extensions
    constraints = found.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert [name.value for name in constraints.value.permitted_subtrees or []] == [
        "localhost",
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    ]
    assert found.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_each_has_a_name_of_its_own() -> None:
    assert MADE.name.startswith("homerun local CA ")
    assert make_authority().name != MADE.name


def test_what_it_signs_is_for_those_names_and_a_while() -> None:
    made = MADE.issue(["*.us-central1.run.localhost", "127.0.0.1"], NOW)
    leaf = x509.load_pem_x509_certificate(made.public)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(MADE.certificate.public))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.us-central1.run.localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert leaf.not_valid_before_utc.timestamp() < NOW < leaf.not_valid_after_utc.timestamp()
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == LEAF_DAYS
    assert leaf.not_valid_after_utc.timestamp() < MADE.until


def test_a_name_longer_than_a_subject_may_be_is_signed_too() -> None:
    name = f"{'x' * 60}.{'y' * 60}.localhost"
    leaf = x509.load_pem_x509_certificate(MADE.issue([name], NOW).public)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_it_comes_back_from_its_file() -> None:
    again = Authority.load(MADE.certificate.dump(), "ca.pem")
    assert (again.name, again.certificate) == (MADE.name, MADE.certificate)
    ssl.create_default_context(cadata=again.certificate.public.decode())


def test_a_key_of_another_is_refused_with_the_remedy() -> None:
    mixed = Certificate(MADE.certificate.public, make_authority().certificate.private)
    with pytest.raises(FailedPrecondition, match=r"ca\.pem holds a key that is not its certificate's: move it away"):
        Authority.load(mixed.dump(), "ca.pem")
