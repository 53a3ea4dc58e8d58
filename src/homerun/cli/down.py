"""`homerun down`: stop the daemon through its API."""

from __future__ import annotations

import click

from homerun.cli.client import Client
from homerun.cli.errors import CommandFailed, Unreachable
from homerun.cli.progress import Progress
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import ticks

GIVE_UP = 60.0
EVERY = 0.1


@click.command(short_help="Stop the homerun that runs, and all its instances.")
@session_options
def down(session: Session) -> None:
    """Stop the homerun that runs, and all its instances, cleanly. What was deployed is there again at the next `up`.

    \b
    Example:
      homerun down
    """
    try:
        session.client.post("/homerun/v1:shutdown", {})
    except Unreachable:
        click.echo(f"homerun is not running at {session.api}.", err=True)
        return
    session.client.close()
    with Progress() as progress:
        progress.stage("Stopping")
        for passed, _ in enumerate(ticks(EVERY)):
            if not _listens(session.api, session.token):
                return
            if passed * EVERY > GIVE_UP:
                raise CommandFailed(f"homerun still answers at {session.api} after {GIVE_UP:.0f} s: look at its output")
            progress.update("")


def _listens(address: str, token: str) -> bool:
    client = Client(address, token)
    try:
        client.get("/homerun/v1/info")
    except Unreachable:
        return False
    finally:
        client.close()
    return True
