"""Small things that several verbs do with resources: confirm, delete, wait."""

from __future__ import annotations

import sys

import click

from homerun.cli.client import Json
from homerun.cli.errors import ApiError
from homerun.cli.output import last
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from homerun.cli.waiting import finish


def existing(session: Session, name: str) -> Json | None:
    """The resource, or None when there is none of that name."""
    try:
        return session.client.get(f"/v2/{name}")
    except ApiError as error:
        if error.not_found:
            return None
        raise


def confirm(question: str, yes: bool) -> None:
    """Nothing is destroyed by accident; a script says --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask: say --yes.")
    click.confirm(question, abort=True, err=True)


def delete(session: Session, name: str) -> None:
    """Delete a resource and wait until it is gone."""
    with Progress() as progress:
        progress.stage(f"Deleting {last(name)}")
        operation = session.client.delete(f"/v2/{name}")
        finish(session.client, operation, lambda: progress.update(""))
