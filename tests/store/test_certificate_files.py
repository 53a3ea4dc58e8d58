"""The folder of certificates."""

from pathlib import Path

import pytest

from homerun.store.certificate_files import CertificateFiles


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    made = CertificateFiles(tmp_path / "certificates")
    made.open()
    return made


def test_all_of_it_is_for_its_owner_only(files: CertificateFiles, tmp_path: Path) -> None:
    files.keep_order("a.example", b"order")
    files.keep_certificate("b.example", b"certificate")
    files.answer({"token": "proof"})
    files.account_key("https://a/dir", lambda: b"key")
    for path in (tmp_path / "certificates").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_certificate_takes_the_place_of_its_order(files: CertificateFiles) -> None:
    assert files.certificate("a.example") is None
    files.keep_order("a.example", b"order")
    assert files.order("a.example") == b"order"
    files.keep_certificate("a.example", b"one")
    files.keep_certificate("a.example", b"two")
    assert (files.certificate("a.example"), files.order("a.example")) == (b"two", None)
    files.drop_order("a.example")


def test_challenges_are_answered_for_a_while(files: CertificateFiles) -> None:
    files.answer({"token": "token.proof"})
    assert (files.challenges / "token").read_text() == "token.proof"
    files.stop_answering({"token": ""})
    assert list(files.challenges.iterdir()) == []
    files.answer({"left": "behind"})
    files.open()
    assert list(files.challenges.iterdir()) == []


def test_the_users_own_are_seen(files: CertificateFiles, tmp_path: Path) -> None:
    assert not files.is_own("www.example.com")
    (tmp_path / "certificates" / "*.example.com.crt").touch()
    assert files.is_own("www.example.com")
    assert not files.is_own("example.com")
    (tmp_path / "certificates" / "example.com.crt").touch()
    assert files.is_own("example.com")


def test_each_server_has_an_account_of_its_own(files: CertificateFiles) -> None:
    assert files.account_key("https://a/dir", lambda: b"a") == b"a"
    assert files.account_key("https://b/dir", lambda: b"b") == b"b"
    assert files.account_key("https://a/dir", lambda: b"another") == b"a"
