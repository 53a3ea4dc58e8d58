"""A file with the certificates that gcloud trusts."""

from __future__ import annotations

from pathlib import Path

import pytest

from homerun.cli.trust_file import trust_file

CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_it_is_homerun_s_and_this_machine_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "system.pem").write_text("OTHERS\n")
    monkeypatch.setattr("homerun.cli.trust_file.SYSTEM", str(tmp_path / "system.pem"))
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("Paths", (), {"cafile": None}))
    assert trust_file(CERTIFICATE).read_text() == f"OTHERS\n{CERTIFICATE}"
    (tmp_path / "system.pem").unlink()
    assert trust_file(CERTIFICATE).read_text() == CERTIFICATE


def test_it_is_written_once_and_again_for_another(cache: Path) -> None:
    first = trust_file(CERTIFICATE)
    assert trust_file(CERTIFICATE) == first
    assert trust_file(CERTIFICATE * 2) != first
    assert len(list((cache / "homerun").iterdir())) == 2
