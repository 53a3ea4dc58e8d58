"""`homerun buckets`: folders that services and jobs mount as Cloud Storage volumes."""

from __future__ import annotations

import click

from homerun.cli.client import path
from homerun.cli.output import print_json, table
from homerun.cli.session import Session, session_options

_BUCKETS = "/homerun/v1/buckets"


@click.group(short_help="Make and list buckets: folders to mount as Cloud Storage volumes.")
def buckets() -> None:
    """Buckets, for volumes of the type cloud-storage. Each is a folder on homerun's machine, and its objects are plain
    files there: put them in and take them out with cp.

    \b
    Examples:
      homerun buckets create models
      sudo cp model.bin /var/lib/homerun/buckets/models/
      homerun deploy hello --image … --add-volume name=m,type=cloud-storage,bucket=models \\
        --add-volume-mount volume=m,mount-path=/models
    """


@buckets.command()
@click.argument("name")
@session_options
def create(session: Session, name: str) -> None:
    """Make an empty bucket, and print its folder.

    \b
    Examples:
      homerun buckets create models
      sudo cp model.bin "$(homerun buckets create models)"
    """
    made = session.client.post(f"{_BUCKETS}/{path(name)}", {})
    print_json(made) if session.json else click.echo(made["folder"])


@buckets.command("list")
@session_options
def list_(session: Session) -> None:
    """List buckets and their folders.

    \b
    Examples:
      homerun buckets list
    """
    found = session.client.get(_BUCKETS)["buckets"]
    if session.json:
        print_json(found)
    elif found:
        click.echo(table(("BUCKET", "FOLDER"), ((bucket["name"], bucket["folder"]) for bucket in found)))
    else:
        click.echo("There are no buckets: homerun buckets create NAME makes one.")


@buckets.command()
@click.argument("name")
@session_options
def delete(session: Session, name: str) -> None:
    """Delete an empty bucket.

    \b
    Examples:
      homerun buckets delete models
    """
    session.client.delete(f"{_BUCKETS}/{path(name)}")
    click.echo(f"Deleted bucket {name}.")
