"""`homerun auth`: tokens, to call private services and to use an API that wants one."""

from __future__ import annotations

import click

from homerun.cli.daemon import become
from homerun.cli.flags import parse_duration
from homerun.cli.output import print_json
from homerun.cli.session import Session, session_options


@click.group(short_help="Print tokens: to call private services, and to use the API.")
def auth() -> None:
    """Tokens of this homerun's own issuer."""


@auth.command("print-identity-token")
@click.option(
    "--audiences", metavar="URL", default="", help="The service that it is for; by default, any of this homerun."
)
@click.option(
    "--impersonate-service-account", "account", metavar="EMAIL", help="Whom it is to name: a service account."
)
@click.option(
    "--as", "user", metavar="EMAIL", help="Whom it is to name: anybody. By default the owner, who may call all."
)
@session_options
def print_identity_token(session: Session, audiences: str, account: str | None, user: str | None) -> None:
    """Print an ID token: it says to a private service who calls, and is good for an hour.

    \b
    Examples:
      curl -H "Authorization: Bearer $(homerun auth print-identity-token)" URL
      homerun auth print-identity-token --as ann@example.com --audiences URL
      homerun auth print-identity-token --impersonate-service-account robot@p.iam.gserviceaccount.com
    """
    if account and user:
        raise click.UsageError("Give --impersonate-service-account or --as, not both.")
    body = {"email": account or user or "", "audience": audiences}
    made = session.client.post("/homerun/v1:generateIdToken", {key: value for key, value in body.items() if value})
    _print(session, made, "token")


@auth.command("print-access-token")
@click.option(
    "--lifetime",
    metavar="TIME",
    default="1h",
    show_default=True,
    help="How long it is good: at most 12h; with --state, 8760h.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Make it from the keys in this state folder, whether homerun runs or not.",
)
@session_options
def print_access_token(session: Session, lifetime: str, state: str | None) -> None:
    """Print an access token: with it the API is used as its owner, from anywhere that reaches it.

    The API wants none where it listens on a loopback address. Elsewhere the first one comes from the state folder,
    on the machine that homerun runs on.

    \b
    Examples:
      sudo homerun auth print-access-token --state /var/lib/homerun --lifetime 8h > token
      homerun services list --api box.example:8787 --token-file token
    """
    duration = parse_duration(lifetime, "--lifetime")
    if state is not None:
        become("token", ["--state", state, "--lifetime", duration.removesuffix("s")])
    made = session.client.post("/homerun/v1:generateAccessToken", {"lifetime": duration})
    _print(session, made, "accessToken")


def _print(session: Session, made: dict[str, str], key: str) -> None:
    if session.json:
        print_json(made)
    else:
        click.echo(made[key])
