"""`homerun doctor`: become the daemon's check of this machine."""

from __future__ import annotations

import click

from homerun.cli.daemon import become


@click.command(short_help="Say what this machine has, lacks, and how to get it.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", help="Form of the output.")
def doctor(format: str) -> None:
    """Say what this machine has, what it lacks to run containers, and the command that gets it.

    \b
    Examples:
      sudo homerun doctor
      sudo homerun doctor --format json
    """
    become("doctor", ["--format", format] if format != "table" else [])
