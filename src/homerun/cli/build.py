"""Build from source: send the folder, show the log as it comes, get the name of an image."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

import click

from homerun.cli.client import Json, api_error
from homerun.cli.errors import CommandFailed, Interrupted
from homerun.cli.flags import ContainerFlags
from homerun.cli.output import size
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from homerun.cli.source import pack


def chosen_image(
    session: Session, what: str, id: str, existing: Json | None, flags: ContainerFlags, progress: Progress
) -> str:
    """What to deploy as `what` (such as "Job") `id`: the image that was named, or built from source; empty: what is
    there stays. Raises UsageError when nothing is."""
    if existing is None and not (flags.image or flags.source):
        raise click.UsageError(f"{what} {id} does not exist yet: give --image or --source.")
    return build(session, id, flags.source, progress) if flags.source else flags.image or ""


def build(session: Session, name: str, folder: str, progress: Progress) -> str:
    """The reference of the image that was made of `folder`."""
    progress.stage(f"Building {name}")
    packed, length = pack(Path(folder))
    progress.line(click.style(f"  {size(length)} of sources from {folder}", dim=True))
    url = f"/homerun/v1/{session.name('builds')}"
    try:
        with packed:
            for event in session.client.upload(url, cast(BinaryIO, packed), length, name=name):
                if "error" in event:
                    raise api_error(event["error"])
                if "image" in event:
                    return str(event["image"])
                progress.line(click.style(f"  {event.get('log', '')}", dim=True))
                progress.update("")
    except KeyboardInterrupt:
        raise Interrupted("The build was cancelled; nothing was deployed.") from None
    raise CommandFailed("The build ended without an image and without an error: look at the output of `homerun up`")
