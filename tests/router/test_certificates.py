"""Which certificate is shown to whom, and what becomes of it when files change."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from homerun.lib.errors import FailedPrecondition
from homerun.router.certificates import LOOK_AGAIN, Certificates, check_pair, without_bad_names
from homerun.wire.authority import LEAF_DAYS
from tests.support.tls import NOW, make_authority, shake, shown, write_pair

AUTHORITY = make_authority()
LOCALHOST = ["localhost"]


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def mono(self) -> float:
        return self.time

    def now(self) -> float:
        return NOW + self.time

    def later(self, seconds: float = LOOK_AGAIN) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme").mkdir()
    return tmp_path


@pytest.fixture
def certificates(folder: Path, clock: Clock) -> Iterator[Certificates]:
    yield Certificates(folder, AUTHORITY, clock)


def test_names_of_a_region_share_a_certificate_of_the_local_authority(certificates: Certificates) -> None:
    client = ssl.create_default_context(cadata=AUTHORITY.certificate.public.decode())
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for name in ("hello-1.us-central1.run.localhost", "GREEN---hello-1.us-central1.run.localhost"):
        assert shown(certificates.context, name) == ["*.us-central1.run.localhost"]
    assert shown(certificates.context, "hello-1.europe-west1.run.localhost") == ["*.europe-west1.run.localhost"]
    assert repr(certificates) == "<Certificates 0 of files, 2 of the local authority>"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_where_it_began(
    certificates: Certificates, folder: Path, clock: Clock, version: ssl.TLSVersion
) -> None:
    """Among several routers too: a host's connections are all given to the one that owns it (door.py)."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode, client.maximum_version = False, ssl.CERT_NONE, version
    first = shake(certificates.context, "shop.localhost", client)
    assert shake(certificates.context, "shop.localhost", client, first.session).session_reused
    other = Certificates(folder, AUTHORITY, clock)
    assert not shake(other.context, "shop.localhost", client, first.session).session_reused


def test_a_name_beyond_ascii_is_refused_with_an_alert_and_without_noise(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", without_bad_names)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    said, heard, answer = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), said, server_hostname="www.example.com").do_handshake()
    heard.write(said.read().replace(b"www.example.com", b"www.ex\xffmple.com"))
    with pytest.raises(ssl.SSLError, match="callback failed"):
        certificates.context.wrap_bio(heard, answer, server_side=True).do_handshake()
    assert answer.read()[:1] == b"\x15"
    assert capsys.readouterr().err == ""


def test_a_name_directly_under_localhost_has_one_of_its_own(certificates: Certificates) -> None:
    assert shown(certificates.context, "shop.localhost") == ["shop.localhost"]


@pytest.mark.parametrize("name", [None, "localhost", "example.com", "127.0.0.1", "x.notlocalhost"])
def test_others_are_shown_that_of_localhost(certificates: Certificates, name: str | None) -> None:
    assert shown(certificates.context, name) == LOCALHOST


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b.localhost", "..", "*.example.com", "x" * 300, "a..localhost"]
)
def test_a_name_that_is_none_reaches_no_file(folder: Path, certificates: Certificates, name: str) -> None:
    write_pair(folder, "*.example.com")
    assert certificates.choose(name) is certificates.choose(None)


def test_a_file_of_that_name_comes_before_all_others(folder: Path, clock: Clock) -> None:
    write_pair(folder, "www.example.com", "www.example.com", "first")
    write_pair(folder, "*.example.com", "*.example.com", "second")
    made = write_pair(folder / "acme", "api.example.org")
    (folder / "acme" / "api.example.org.pem").write_bytes(b"".join(path.read_bytes() for path in reversed(made)))
    given = write_pair(folder, "given", "given.example.net", "*.given.example.net")
    certificates = Certificates(folder, AUTHORITY, clock, given)
    assert shown(certificates.context, "www.example.com") == ["www.example.com", "first"]
    assert shown(certificates.context, "other.example.com") == ["*.example.com", "second"]
    assert shown(certificates.context, "api.example.org") == ["api.example.org"]
    assert shown(certificates.context, "x.given.example.net")[0] == "given.example.net"
    assert shown(certificates.context, "x.run.localhost") == ["*.run.localhost"]
    assert shown(certificates.context, "unknown.example")[0] == "given.example.net"


def test_a_given_certificate_for_localhost_is_shown_instead_of_the_local_authority(folder: Path, clock: Clock) -> None:
    given = write_pair(folder, "given", "*.us-central1.run.localhost", "mine")
    certificates = Certificates(folder, AUTHORITY, clock, given)
    assert "mine" in shown(certificates.context, "hello-1.us-central1.run.localhost")
    assert shown(certificates.context, "hello-1.europe-west1.run.localhost") == ["*.europe-west1.run.localhost"]


def test_changed_files_are_used_from_then_on(folder: Path, certificates: Certificates, clock: Clock) -> None:
    write_pair(folder, "a.example", "a.example", "old")
    assert "old" in shown(certificates.context, "a.example")
    write_pair(folder, "a.example", "a.example", "new")
    assert "old" in shown(certificates.context, "a.example"), "it has been looked at a moment ago"
    clock.later()
    assert "new" in shown(certificates.context, "a.example")


def test_a_connection_keeps_what_it_has(folder: Path, certificates: Certificates, clock: Clock) -> None:
    write_pair(folder, "a.example")
    connection = shake(certificates.context, "a.example")
    before = connection.getpeercert(binary_form=True)
    write_pair(folder, "a.example")
    clock.later()
    assert shake(certificates.context, "a.example").getpeercert(binary_form=True) != before
    connection.write(b"still there")
    assert connection.getpeercert(binary_form=True) == before


def test_bad_files_are_complained_about_once_and_the_last_good_ones_stay(
    folder: Path, certificates: Certificates, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, private = write_pair(folder, "a.example")
    good = certificates.choose("a.example")
    shutil.copy(write_pair(folder, "other")[0], certificate)
    for _ in range(3):
        clock.later()
        assert certificates.choose("a.example") is good
    [record] = caplog.records
    assert f"the key in {private} is not that of the certificate in {certificate}" in record.message
    assert "the last good one stays in use" in record.message
    shutil.copy(folder / "other.key", private)
    clock.later()
    assert certificates.choose("a.example") is not good


def test_half_of_a_pair_is_no_reason_to_show_another(folder: Path, certificates: Certificates, clock: Clock) -> None:
    certificate, private = write_pair(folder, "a.example")
    good = certificates.choose("a.example")
    private.unlink()
    clock.later()
    assert certificates.choose("a.example") is good
    certificate.unlink()
    clock.later()
    assert certificates.choose("a.example") is certificates.choose(None)


def test_bad_files_from_the_start_are_not_used(
    folder: Path, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "a.localhost.crt").write_text("nonsense")
    (folder / "a.localhost.key").write_text("nonsense")
    assert shown(certificates.context, "a.localhost") == ["a.localhost"]
    assert "it is not used" in caplog.text


def test_a_certificate_of_the_local_authority_is_made_anew_before_it_ends(
    certificates: Certificates, clock: Clock
) -> None:
    first = certificates.choose("x.localhost")
    clock.later(LEAF_DAYS * 24 * 3600 / 2)
    assert certificates.choose("x.localhost") is first
    clock.later(LEAF_DAYS * 24 * 3600 / 4)
    assert certificates.choose("x.localhost") is not first


def test_names_that_are_made_up_do_not_fill_the_memory(certificates: Certificates) -> None:
    for number in range(300):
        certificates.choose(f"x.r{number}.localhost")
    assert repr(certificates) == "<Certificates 0 of files, 256 of the local authority>"


def test_old_versions_are_not_spoken(certificates: Certificates) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(certificates.context, "x.localhost", client).version() == "TLSv1.2"
    assert certificates.choose("x.localhost").minimum_version is ssl.TLSVersion.TLSv1_2


def test_protocols_are_agreed_upon_whatever_certificate_is_shown(folder: Path, clock: Clock) -> None:
    certificates = Certificates(folder, AUTHORITY, clock, protocols=("h2", "http/1.1"))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_alpn_protocols(["http/1.1", "h2"])
    assert shake(certificates.context, "x.localhost", client).selected_alpn_protocol() == "h2"


# Errors


def test_a_good_pair_tells_its_names(folder: Path) -> None:
    assert check_pair(*write_pair(folder, "a.example", "a.example", "*.A.example")) == {"a.example", "*.a.example"}


def test_what_is_not_there_is_named(folder: Path) -> None:
    certificate, private = write_pair(folder, "a")
    private.unlink()
    with pytest.raises(FailedPrecondition, match=r"cannot read .*a\.key: No such file.*private key in PEM"):
        check_pair(certificate, private)
    with pytest.raises(FailedPrecondition, match=r"cannot read .*b\.crt: No such file.*certificate in PEM"):
        check_pair(folder / "b.crt", private)


def test_what_is_no_certificate_is_named(folder: Path) -> None:
    certificate, private = write_pair(folder, "a")
    with pytest.raises(FailedPrecondition, match=r"a\.key holds no certificate in PEM"):
        check_pair(private, private)
    private.write_text("nonsense")
    with pytest.raises(FailedPrecondition, match=r"a\.crt and .*a\.key cannot be used"):
        check_pair(certificate, private)


def test_an_encrypted_key_is_named_with_the_remedy(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    certificate, private = write_pair(folder, "a")
    key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(FailedPrecondition, match=r"the key in .*a\.key is encrypted: .*openssl pkey"):
        check_pair(certificate, private)


def test_the_local_authoritys_keys_touch_no_disk(folder: Path, certificates: Certificates) -> None:
    certificates.choose("x.localhost")
    assert list(folder.iterdir()) == [folder / "acme"]
    assert not [link for link in Path("/proc/self/fd").iterdir() if "memfd:certificate" in _target(link)]


def test_a_certificate_says_who_has_signed_it(certificates: Certificates) -> None:
    raw = shake(certificates.context, "x.localhost").getpeercert(binary_form=True)
    assert raw is not None
    assert AUTHORITY.name in x509.load_der_x509_certificate(raw).issuer.rfc4514_string()


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
