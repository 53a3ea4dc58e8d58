"""`homerun env`: shell exports that point Google's tools here."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from homerun.cli.output import print_json
from homerun.cli.session import Session, session_options
from homerun.cli.trust_file import trust_file

CERTIFICATE = "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"
IAM_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
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
    environment = reached(session, session.info["environment"])
    if certificate := session.info.get("certificate"):
        environment[CERTIFICATE] = str(trust_file(certificate))
    if session.json:
        print_json(environment)
        return
    environment[REMEMBERED] = " ".join(environment)
    for name, value in environment.items():
        click.echo(f"export {name}={quoted(value)}")


def reached(session: Session, environment: Mapping[str, str]) -> dict[str, str]:
    """As this session reaches homerun, which may be elsewhere: its address, and its token where one is needed."""
    host, _, port = session.client.address.rpartition(":")
    found = dict(environment)
    if "CLOUDSDK_PROXY_ADDRESS" in environment:
        found |= {"CLOUDSDK_PROXY_ADDRESS": host.strip("[]"), "CLOUDSDK_PROXY_PORT": port}
    if IAM_ENDPOINT in environment:
        found[IAM_ENDPOINT] = f"http://{session.client.address}/"
    if "CLOUDSDK_AUTH_ACCESS_TOKEN" not in environment:
        if session.token_file is not None:
            # gcloud reads the file each time: a new token in it is all that a renewal takes.
            found["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] = os.path.abspath(session.token_file)
        elif session.token:
            found["CLOUDSDK_AUTH_ACCESS_TOKEN"] = session.token
    return found


def quoted(value: str) -> str:
    """For any POSIX shell, whatever is in it."""
    return "'" + value.replace("'", "'\\''") + "'"
