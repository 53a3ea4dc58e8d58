import dataclasses
import os

import pytest

from homerun.cli import up as module
from homerun.settings import Settings
from tests.cli.conftest import Invoke


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(module, "become", lambda verb, arguments: calls.append((verb, arguments)))
    return calls


def test_only_what_is_given_is_passed_on(homerun: Invoke, became: list[tuple[str, list[str]]]) -> None:
    homerun("up", "--idle-timeout", "5", "--state", "/x")
    assert became == [("up", ["--idle-timeout", "5", "--state", "/x"])]


def test_a_flag_needs_no_value(homerun: Invoke, became: list[tuple[str, list[str]]]) -> None:
    homerun("up", "--redirect-https", "--https", "127.0.0.1:8443")
    assert became == [("up", ["--redirect-https", "--https", "127.0.0.1:8443"])]


def test_a_folder_that_may_be_given_twice(homerun: Invoke, became: list[tuple[str, list[str]]]) -> None:
    homerun("up", "--allow-host-path", "/a", "--allow-host-path", "/b")
    assert became == [("up", ["--allow-host-path", "/a", "--allow-host-path", "/b"])]


def test_every_setting_is_an_option_with_the_default_that_it_says() -> None:
    settings = Settings()
    assert list(module.OPTIONS) == [field.name for field in dataclasses.fields(Settings)]
    words = {
        "max_tasks": f"{settings.max_tasks // (os.cpu_count() or 1)} for each CPU",
        "task_memory": "nine tenths of it",
        "runtime": "the first that works",
        "https": "nowhere",
        "certificate": "a local CA's",
        "key": "none",
        "redirect_https": "off",
        "secrets_key": "secrets.key in --state",
        "acme": "off",
        "criu": "none",
        "max_connections": "by the limit of open files",
        "retry_idempotent": "off",
        "user_namespaces": "off",
        "allow_host_path": "none",
    }
    for name, (_, default, _) in module.OPTIONS.items():
        value = getattr(settings, name)
        assert default == words.get(name, f"{value:g}" if isinstance(value, int | float) else str(value))
