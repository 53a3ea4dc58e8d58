import pytest

from homerun.cli import trust
from tests.cli.conftest import Invoke


@pytest.mark.parametrize(
    ("flags", "passed"),
    [
        ((), []),
        (("--print",), ["--print"]),
        (("--remove", "--state", "/x"), ["--state", "/x", "--remove"]),
    ],
)
def test_the_daemon_does_it(
    homerun: Invoke, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], passed: list[str]
) -> None:
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(trust, "become", lambda verb, arguments: calls.append((verb, arguments)))
    homerun("trust", *flags)
    assert calls == [("trust", passed)]


def test_printing_and_removing_are_two_things(homerun: Invoke) -> None:
    refused = homerun("trust", "--print", "--remove")
    assert (refused.exit_code, "exclude each other" in refused.output) == (2, True)
