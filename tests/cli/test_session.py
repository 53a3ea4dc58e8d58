from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from homerun.cli.session import Session, session_options
from tests.support.fake_api import FakeApi


@click.command()
@session_options
def probe(session: Session) -> None:
    click.echo(f"{session.api} {session.name('services', 'a/b')} {session.json}{session.flags()}")


def run(*arguments: str, **env: str) -> str:
    return CliRunner().invoke(probe, arguments, env=env, catch_exceptions=False).output.strip()


def test_the_daemons_own_project_and_region_are_the_default(api: FakeApi) -> None:
    assert run() == "127.0.0.1:8787 projects/p/locations/r/services/a%2Fb False"
    assert len(api.asked) == 1


@pytest.mark.parametrize("how", ["flags", "environment"])
def test_who_says_where_is_not_asked_about(api: FakeApi, how: str) -> None:
    flags = ["--api", "h:1", "--project", "x", "--region", "y"] if how == "flags" else []
    env = {"HOMERUN_API": "h:1", "CLOUDSDK_CORE_PROJECT": "x", "CLOUDSDK_RUN_REGION": "y"} if how != "flags" else {}
    assert run(*flags, **env) == "h:1 projects/x/locations/y/services/a%2Fb False --api h:1 --project x --region y"
    assert api.asked == []


def test_a_flag_beats_the_environment(api: FakeApi) -> None:
    assert "projects/flag/" in run("--project", "flag", CLOUDSDK_CORE_PROJECT="environment")


def test_json(api: FakeApi) -> None:
    assert run("--format", "json").endswith("True")


@click.command()
@session_options
def show_token(session: Session) -> None:
    click.echo(f"[{session.token}]{session.flags()}")


def test_a_token_comes_from_a_file_or_the_environment(api: FakeApi, tmp_path: Path) -> None:
    def shown(*arguments: str, **env: str) -> str:
        return CliRunner().invoke(show_token, arguments, env=env).output.strip()

    path = tmp_path / "token"
    path.write_text("a.b.c\n")
    assert shown() == "[]"
    assert shown(HOMERUN_TOKEN=" d.e.f ") == "[d.e.f]"
    assert shown("--token-file", str(path), HOMERUN_TOKEN="d.e.f") == f"[a.b.c] --token-file {path}"
    for content in (b"", b"a b\nc", b"\xff", "é".encode()):
        path.write_bytes(content)
        assert "token" in shown("--token-file", str(path)) and "[" not in shown("--token-file", str(path))
    assert "cannot read the token in /none" in shown("--token-file", "/none")
