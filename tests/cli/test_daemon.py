import sys

import pytest

from homerun.cli import daemon


def test_the_process_becomes_the_daemon_with_nothing_imported_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(daemon.os, "execv", lambda program, arguments: calls.append((program, arguments)))
    daemon.become("up", ["--state", "x"])  # returns only because execv is not real
    assert calls == [(sys.executable, [sys.executable, "-P", "-m", "homerun.daemon", "up", "--state", "x"])]
