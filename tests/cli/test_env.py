import json
import subprocess
from pathlib import Path

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


def test_it_says_how_this_shell_reaches_homerun(homerun: Invoke, api: FakeApi) -> None:
    iam = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
    environment = {"CLOUDSDK_PROXY_ADDRESS": "127.0.0.1", "CLOUDSDK_PROXY_PORT": "8787", iam: "http://127.0.0.1:8787/"}
    api.on("GET", "/homerun/v1/info", {"environment": environment})
    found = json.loads(homerun("env", "--format", "json", "--api", "box.example:9000").stdout)
    assert (found["CLOUDSDK_PROXY_ADDRESS"], found["CLOUDSDK_PROXY_PORT"]) == ("box.example", "9000")
    assert found[iam] == "http://box.example:9000/"


def test_where_a_token_is_needed_gcloud_gets_ours(
    homerun: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a.b.c\n")
    monkeypatch.chdir(tmp_path)
    found = json.loads(homerun("env", "--format", "json", "--token-file", "token").stdout)
    assert found["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] == str(tmp_path / "token")
    monkeypatch.setenv("HOMERUN_TOKEN", "d.e.f")
    assert json.loads(homerun("env", "--format", "json").stdout)["CLOUDSDK_AUTH_ACCESS_TOKEN"] == "d.e.f"


def test_where_none_is_needed_it_stays_out_of_it(
    homerun: Invoke, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"CLOUDSDK_AUTH_ACCESS_TOKEN": "none-needed"}
    api.on("GET", "/homerun/v1/info", {"environment": environment})
    monkeypatch.setenv("HOMERUN_TOKEN", "d.e.f")
    found = json.loads(homerun("env", "--format", "json").stdout)
    assert {key: found[key] for key in environment} == environment


def test_the_api_s_certificate_is_kept_where_gcloud_finds_it(
    homerun: Invoke, api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api.on("GET", "/homerun/v1/info", {"environment": {}, "certificate": "-----BEGIN"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        found = json.loads(homerun("env", "--format", "json").stdout)
        assert Path(found["CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"]).read_text().endswith("-----BEGIN")
    assert len(list(tmp_path.rglob("*.pem"))) == 1
