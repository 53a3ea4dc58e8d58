"""`homerun trust`: become the daemon's hand on this machine's lists of trusted authorities."""

from __future__ import annotations

import click

from homerun.cli.daemon import become


@click.command(short_help="Have this machine believe homerun's certificates for *.localhost.")
@click.option("--state", metavar="DIR", help="State folder of the homerun.  [default: /var/lib/homerun]")
@click.option("--print", "shown", is_flag=True, help="Print the authority's certificate instead.")
@click.option("--remove", is_flag=True, help="Take it out again.")
def trust(state: str | None, shown: bool, remove: bool) -> None:
    """Put the local authority, which signs certificates for names under localhost, into the system's list of trusted
    ones, and into those of Firefox and Chrome. It is believed for such names only.

    \b
    Examples:
      sudo homerun trust
      sudo homerun trust --remove
      curl --cacert <(sudo homerun trust --print) https://hello-100000000001.us-central1.run.localhost:8443/
    """
    if shown and remove:
        raise click.UsageError("--print and --remove exclude each other: printing changes nothing.")
    arguments = ["--state", state] if state else []
    become("trust", [*arguments, *(["--print"] if shown else ["--remove"] if remove else [])])
