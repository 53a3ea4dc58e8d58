"""Build from source: send the folder, show the log as it comes, get the name of an image."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

import click

from homerun.cli.client import api_error
from homerun.cli.errors import CommandFailed, Interrupted
from homerun.cli.output import size
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from homerun.cli.source import pack


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
