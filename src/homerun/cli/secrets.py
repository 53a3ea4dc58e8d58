"""`homerun secrets`: secrets, their versions, and who may read them; under gcloud's names."""

from __future__ import annotations

from typing import BinaryIO

import click

from homerun.cli import access
from homerun.cli.access import member_option
from homerun.cli.client import Json, path
from homerun.cli.errors import CommandFailed
from homerun.cli.lists import split_pairs
from homerun.cli.lookup import confirm
from homerun.cli.output import ago, last, print_json, section, table
from homerun.cli.session import Session, session_options
from homerun.lib.clock import SystemClock

ACCESSOR = "roles/secretmanager.secretAccessor"
_data_file = click.option(
    "--data-file", type=click.File("rb"), metavar="FILE", help="File with the payload; -: standard input."
)
_secret_option = click.option("--secret", required=True, metavar="SECRET", help="Whose version it is.")
_role = click.option("--role", default=ACCESSOR, show_default=True, metavar="ROLE", help="What they may do.")
_yes = click.option("--yes", "--quiet", "-y", "yes", is_flag=True, help="Do not ask.")


@click.group(short_help="Create secrets, add and read versions, say who may read them.")
def secrets() -> None:
    """Secrets: passwords, keys and the like, for services, jobs and worker pools, which get them as variables or files.

    \b
    Examples:
      printf hunter2 | homerun secrets create db --data-file=-
      homerun secrets add-iam-policy-binding db --member serviceAccount:robot@homerun.iam.gserviceaccount.com
      homerun deploy hello --set-secrets DB_PASSWORD=db:latest
    """


@secrets.command()
@click.argument("secret")
@_data_file
@click.option("--labels", metavar="K=V,…", help="Labels.")
@click.option("--ttl", metavar="SECONDS", help="Delete it, with all its versions, after so long: 3600s.")
@session_options
def create(session: Session, secret: str, data_file: BinaryIO | None, labels: str | None, ttl: str | None) -> None:
    """Create SECRET; with --data-file, with a first version.

    \b
    Examples:
      printf hunter2 | homerun secrets create db --data-file=-
      homerun secrets create tls-key --data-file key.pem --labels app=shop
    """
    body: Json = {"replication": {"automatic": {}}}
    if labels:
        body["labels"] = split_pairs(labels, "--labels")
    if ttl:
        body["ttl"] = ttl if ttl.endswith("s") else f"{ttl}s"
    payload = _payload(data_file) if data_file is not None else None
    made = session.client.post(_url(session), body, secretId=secret)
    if payload is not None:
        session.client.post(f"{_url(session, secret)}:addVersion", payload)
    if session.json:
        print_json(made)
        return
    click.echo(f"Created {'version 1 of ' if payload else ''}secret {secret}.", err=True)
    account = f"{session.info['projectNumber']}-compute@developer.gserviceaccount.com"
    click.echo(
        "Nobody may read it yet. For services and jobs without a service account of their own:\n"
        f"  homerun secrets add-iam-policy-binding {secret} --member serviceAccount:{account}{session.flags()}",
        err=True,
    )


@secrets.command("list")
@click.option("--filter", "filter", metavar="EXPRESSION", help="Only those that match: labels.app=shop, name:db.")
@session_options
def list_secrets(session: Session, filter: str | None) -> None:
    """List the secrets of a project, newest first.

    \b
    Examples:
      homerun secrets list
      homerun secrets list --filter labels.app=shop
    """
    found = list(session.client.pages(_url(session), "secrets", **({"filter": filter} if filter else {})))
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [(last(secret["name"]), ago(secret["createTime"], now), _labels(secret)) for secret in found]
    click.echo(table(("SECRET", "CREATED", "LABELS"), rows))


@secrets.command()
@click.argument("secret")
@session_options
def describe(session: Session, secret: str) -> None:
    """Show a secret with its versions and who may do what with it, without what is in it.

    \b
    Example:
      homerun secrets describe db
    """
    url = _url(session, secret)
    found = session.client.get(url)
    versions = list(session.client.pages(f"{url}/versions", "versions"))
    if session.json:
        print_json({**found, "versions": versions})
        return
    now = SystemClock().now()
    click.echo(f"{click.style(secret, bold=True)}  created {ago(found['createTime'], now)}  {_labels(found)}".rstrip())
    if "expireTime" in found:
        click.echo(f"It is deleted at {found['expireTime']}.")
    for alias, number in sorted(found.get("versionAliases", {}).items()):
        click.echo(f"{alias} is version {number}.")
    click.echo(section("Versions", _versions(versions, now)))
    policy = session.client.get(f"{url}:getIamPolicy")
    click.echo(section("Who may", access.members_table(policy, indent="  ")))


@secrets.command("delete")
@click.argument("secret")
@_yes
@session_options
def delete_secret(session: Session, secret: str, yes: bool) -> None:
    """Delete a secret with all its versions, for good.

    \b
    Example:
      homerun secrets delete db --yes
    """
    url = _url(session, secret)
    session.client.get(url)
    confirm(f"Delete secret {secret} with all its versions?", yes)
    session.client.delete(url)
    click.echo(f"Deleted secret {secret}.", err=True)


@secrets.command("get-iam-policy")
@click.argument("secret")
@session_options
def get_policy(session: Session, secret: str) -> None:
    """Show who may do what with a secret.

    \b
    Example:
      homerun secrets get-iam-policy db
    """
    access.show(session, _url(session, secret))


@secrets.command("add-iam-policy-binding")
@click.argument("secret")
@member_option
@_role
@session_options
def add_binding(session: Session, secret: str, member: str, role: str) -> None:
    """Let somebody read a secret: the service account of a service, job or worker pool that gets it.

    \b
    Example:
      homerun secrets add-iam-policy-binding db --member serviceAccount:robot@homerun.iam.gserviceaccount.com
    """
    access.grant(session, _url(session, secret), member, role)


@secrets.command("remove-iam-policy-binding")
@click.argument("secret")
@member_option
@_role
@session_options
def remove_binding(session: Session, secret: str, member: str, role: str) -> None:
    """Take back what a binding has granted.

    \b
    Example:
      homerun secrets remove-iam-policy-binding db --member user:ann@example.com
    """
    access.revoke(session, _url(session, secret), member, role, f"homerun secrets get-iam-policy {secret}")


@secrets.group(short_help="Add, read, switch and destroy versions of a secret.")
def versions() -> None:
    """Versions of a secret, numbered from 1. Each is named by its number, an alias, or latest: the last one added."""


@versions.command()
@click.argument("secret")
@_data_file
@session_options
def add(session: Session, secret: str, data_file: BinaryIO | None) -> None:
    """Add a version. Where a secret is mounted as files, instances see it at once; as a variable, those that start.

    \b
    Example:
      printf hunter3 | homerun secrets versions add db --data-file=-
    """
    if data_file is None:
        raise click.UsageError("--data-file is missing: name a file, or - for standard input.")
    made = session.client.post(f"{_url(session, secret)}:addVersion", _payload(data_file))
    _tell(session, made, f"Added version {last(made['name'])} of secret {secret}.")


@versions.command("access")
@click.argument("version")
@_secret_option
@session_options
def read(session: Session, version: str, secret: str) -> None:
    """Print what is in a version, byte by byte.

    \b
    Example:
      homerun secrets versions access latest --secret db
    """
    answer = session.client.get(f"{_url(session, secret, version)}:access")
    if session.json:
        print_json(answer)
        return
    click.echo(_bytes(answer["payload"]["data"]), nl=False)


@versions.command("list")
@click.argument("secret")
@session_options
def list_versions(session: Session, secret: str) -> None:
    """List the versions of a secret, newest first.

    \b
    Example:
      homerun secrets versions list db
    """
    found = list(session.client.pages(f"{_url(session, secret)}/versions", "versions"))
    if session.json:
        print_json(found)
        return
    click.echo(_versions(found, SystemClock().now(), indent=""))


@versions.command("describe")
@click.argument("version")
@_secret_option
@session_options
def describe_version(session: Session, version: str, secret: str) -> None:
    """Show a version, without what is in it.

    \b
    Example:
      homerun secrets versions describe 3 --secret db
    """
    print_json(session.client.get(_url(session, secret, version)))


@versions.command()
@click.argument("version")
@_secret_option
@session_options
def enable(session: Session, version: str, secret: str) -> None:
    """Let a version be read again.

    \b
    Example:
      homerun secrets versions enable 3 --secret db
    """
    made = session.client.post(f"{_url(session, secret, version)}:enable", {})
    _tell(session, made, f"Version {last(made['name'])} of secret {secret} can be read.")


@versions.command()
@click.argument("version")
@_secret_option
@session_options
def disable(session: Session, version: str, secret: str) -> None:
    """Let a version be read by nobody, until it is enabled again.

    \b
    Example:
      homerun secrets versions disable 3 --secret db
    """
    made = session.client.post(f"{_url(session, secret, version)}:disable", {})
    _tell(session, made, f"Version {last(made['name'])} of secret {secret} cannot be read any more.")


@versions.command()
@click.argument("version")
@_secret_option
@_yes
@session_options
def destroy(session: Session, version: str, secret: str, yes: bool) -> None:
    """Destroy what is in a version, for good.

    \b
    Example:
      homerun secrets versions destroy 3 --secret db --yes
    """
    confirm(f"Destroy version {version} of secret {secret}? It cannot be had back.", yes)
    made = session.client.post(f"{_url(session, secret, version)}:destroy", {})
    _tell(session, made, f"Destroyed version {last(made['name'])} of secret {secret}.")


def _url(session: Session, secret: str = "", version: str = "") -> str:
    below = [part for part in (secret, "versions" if version else "", version) if part]
    return f"/v1/{path('projects', session.project, 'secrets', *below)}"


def _payload(file: BinaryIO) -> Json:
    """Raises CommandFailed when there is nothing in it: nobody wants an empty password."""
    import base64

    content = file.read()
    if not content:
        raise CommandFailed(f"{getattr(file, 'name', '--data-file')} is empty: a secret has at least one byte")
    return {"payload": {"data": base64.b64encode(content).decode()}}


def _bytes(data: str) -> bytes:
    import base64

    return base64.b64decode(data)


def _tell(session: Session, version: Json, text: str) -> None:
    print_json(version) if session.json else click.echo(text, err=True)


def _labels(secret: Json) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(secret.get("labels", {}).items()))


def _versions(found: list[Json], now: float, indent: str = "  ") -> str:
    rows = [(last(version["name"]), version["state"].lower(), ago(version["createTime"], now)) for version in found]
    return table(("VERSION", "STATE", "CREATED"), rows, indent=indent)
