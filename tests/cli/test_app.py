import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from homerun.cli import app


def test_help_names_every_verb_without_importing_one() -> None:
    script = (
        "import sys; from homerun.cli.app import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "loaded = [m for m in sys.modules if m.startswith('homerun.cli.') and m != 'homerun.cli.app']\n"
        "sys.exit(f'imported {loaded}' if loaded or 'http.client' in sys.modules else 0)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert all(f"\n  {verb} " in found.stdout for verb in app.VERBS)


@pytest.mark.parametrize("verb", app.VERBS)
def test_the_line_in_the_overview_is_the_verbs_own(verb: str) -> None:
    command = app.cli.get_command(click.Context(app.cli), verb)
    assert command is not None
    assert command.get_short_help_str(limit=200) == app.VERBS[verb][1].rstrip(".") or (
        command.short_help == app.VERBS[verb][1]
    )


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    found = []
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        found += leaves(child, (*path, name))
    return found


@pytest.mark.parametrize("path,command", leaves(app.cli), ids=lambda v: " ".join(v) if isinstance(v, tuple) else "")
def test_every_command_shows_an_example_of_itself(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(app.cli, [*path, "--help"])
    assert result.exit_code == 0
    assert f"homerun {' '.join(path)}" in result.output.partition("Example")[2]


def test_an_unknown_verb_is_wrong_usage_and_the_answer_names_the_right_ones() -> None:
    result = CliRunner().invoke(app.cli, ["service", "list"])
    assert result.exit_code == 2
    assert "services" in result.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_only_those_who_ask_for_a_traceback_get_one(
    debug: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("oops")

    command = app.cli.get_command(click.Context(app.cli), "down")
    assert command is not None
    monkeypatch.setattr(command, "callback", broken)
    monkeypatch.setattr(sys, "argv", ["homerun", "down"])
    monkeypatch.setenv("HOMERUN_DEBUG", "1" if debug else "")
    with pytest.raises(ZeroDivisionError if debug else SystemExit) as caught:
        app.run()
    if not debug:
        assert caught.value.code == 1
        assert capsys.readouterr().err == "Error: ZeroDivisionError: oops (HOMERUN_DEBUG=1 shows where)\n"
