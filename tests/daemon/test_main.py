"""What the daemon's processes say when they cannot begin."""

from __future__ import annotations

import sys

import pytest

from homerun.daemon.__main__ import main, with_sbin
from homerun.daemon.processes import EXIT_FATAL


def test_an_unknown_role_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert "'nonsense' is no role" in capsys.readouterr().err


@pytest.fixture
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor's module is imported once more."""
    monkeypatch.delitem(sys.modules, "homerun.daemon.doctor", raising=False)
    monkeypatch.delattr("homerun.daemon.doctor", raising=False)


def test_a_missing_package_is_named_once_instead_of_again_and_again(
    afresh: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "json", None)
    assert main(["doctor"]) == EXIT_FATAL
    assert "the Python package that provides 'json' is missing: run scripts/setup" in capsys.readouterr().err


def test_a_missing_file_of_our_own_is_a_bug_and_shows_where(afresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "homerun.engine.oci.doctor", None)
    with pytest.raises(ModuleNotFoundError, match=r"homerun\.engine"):
        main(["doctor"])


def test_programs_for_root_are_found_in_a_shell_without_them_in_its_path() -> None:
    assert with_sbin("/usr/bin:/bin") == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    root = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert with_sbin(root) == root
