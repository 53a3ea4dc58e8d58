import json
import subprocess

import pytest

from homerun.cli.env import quoted
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi


def test_a_shell_that_evaluates_it_has_the_variables_as_they_are(homerun: Invoke) -> None:
    script = homerun("env").stdout + '\nprintf "%s|%s|%s" "$A" "$C" "$HOMERUN_ENV"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout == "b|it's|A C"


def test_json_is_the_variables(homerun: Invoke) -> None:
    assert json.loads(homerun("env", "--format", "json").stdout) == {"A": "b", "C": "it's"}


def test_unset_takes_back_what_was_exported_without_asking_anybody(
    homerun: Invoke, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMERUN_ENV", "A C")
    assert homerun("env", "--unset").stdout == "unset A\nunset C\nunset HOMERUN_ENV\n"
    assert api.asked == []


@pytest.mark.parametrize("value", ["", "plain", "a b", "$HOME `id` \\", "it's", "'", "line\nline", '"'])
def test_quoting_holds_for_any_value(value: str) -> None:
    shown = subprocess.run(["sh", "-c", f"printf %s {quoted(value)}"], capture_output=True, text=True)
    assert shown.stdout == value
