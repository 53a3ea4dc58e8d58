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
