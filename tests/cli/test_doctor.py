import pytest

from homerun.cli import doctor
from tests.cli.conftest import Invoke


@pytest.mark.parametrize("flags,passed", [((), []), (("--format", "json"), ["--format", "json"])])
def test_the_daemon_checks_the_machine(
    homerun: Invoke, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], passed: list[str]
) -> None:
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(doctor, "become", lambda verb, arguments: calls.append((verb, arguments)))
    homerun("doctor", *flags)
    assert calls == [("doctor", passed)]
