"""`homerun env`: shell exports that point Google's tools here."""

from __future__ import annotations

import os

import click

from homerun.cli.output import print_json
from homerun.cli.session import Session, session_options

REMEMBERED = "HOMERUN_ENV"
"""Holds the names that were exported, so that `--unset` works when homerun is long gone."""


@click.command(short_help="Print the exports that point gcloud and client libraries here.")
@click.option("--unset", is_flag=True, help="Print what takes the exports back; works without homerun running.")
@session_options
def env(session: Session, unset: bool) -> None:
    """Print shell exports that point an unmodified gcloud, and Google's client libraries, at this homerun.

    They hold for the shell that evaluates them and for nothing else.

    \b
    Examples:
      eval "$(homerun env)"
      gcloud run services list
      eval "$(homerun env --unset)"
    """
    if unset:
        for name in os.environ.get(REMEMBERED, "").split():
            click.echo(f"unset {name}")
        click.echo(f"unset {REMEMBERED}")
        return
    environment = dict(session.info["environment"])
    if session.json:
        print_json(environment)
        return
    environment[REMEMBERED] = " ".join(environment)
    for name, value in environment.items():
        click.echo(f"export {name}={quoted(value)}")


def quoted(value: str) -> str:
    """For any POSIX shell, whatever is in it."""
    return "'" + value.replace("'", "'\\''") + "'"
