"""Who may call a service, or read a secret: IAM policies, read, changed and written back; under gcloud's names."""

from __future__ import annotations

from collections.abc import Callable

import click

from homerun.cli.errors import ApiError, CommandFailed
from homerun.cli.flags import Json
from homerun.cli.output import last, print_json, table
from homerun.cli.session import Session, session_options

INVOKER, ALL = "roles/run.invoker", "allUsers"
_ATTEMPTS = 5

member_option = click.option(
    "--member", required=True, metavar="WHO", help="user:ann@example.com, serviceAccount:…, domain:…, allUsers, …"
)
_role = click.option("--role", default=INVOKER, show_default=True, metavar="ROLE", help="What they may do.")


@click.command("get-iam-policy")
@click.argument("service")
@session_options
def get_policy(session: Session, service: str) -> None:
    """Show who may do what with a service.

    \b
    Example:
      homerun services get-iam-policy hello
    """
    show(session, _url(session, service))


@click.command("add-iam-policy-binding")
@click.argument("service")
@member_option
@_role
@session_options
def add_binding(session: Session, service: str, member: str, role: str) -> None:
    """Let somebody call a service, or do with it what another role allows.

    \b
    Examples:
      homerun services add-iam-policy-binding hello --member user:ann@example.com
      homerun services add-iam-policy-binding hello --member allUsers
    """
    grant(session, _url(session, service), member, role)


@click.command("remove-iam-policy-binding")
@click.argument("service")
@member_option
@_role
@session_options
def remove_binding(session: Session, service: str, member: str, role: str) -> None:
    """Take back what a binding has granted.

    \b
    Example:
      homerun services remove-iam-policy-binding hello --member allUsers
    """
    revoke(session, _url(session, service), member, role, f"homerun services get-iam-policy {service}")


COMMANDS = (get_policy, add_binding, remove_binding)


def open_to_all(session: Session, service: str, open: bool) -> None:
    """Let everybody call it, or only those who are named, whatever role it was that let everybody in."""
    url = _url(session, service)
    _change(session, url, lambda p: with_member(p, ALL, INVOKER) if open else without_member(p, ALL, None))


def show(session: Session, url: str) -> None:
    """The policy of what is at `url`."""
    policy = session.client.get(f"{url}:getIamPolicy")
    if session.json:
        print_json(policy)
        return
    click.echo(members_table(policy))


def members_table(policy: Json, indent: str = "") -> str:
    rows = [(binding["role"], member) for binding in policy.get("bindings", ()) for member in binding["members"]]
    return table(("ROLE", "MEMBER"), rows, indent=indent)


def grant(session: Session, url: str, member: str, role: str) -> None:
    _change(session, url, lambda policy: with_member(policy, member, role))


def revoke(session: Session, url: str, member: str, role: str, shows: str) -> None:
    """`shows`: the command that shows who has what."""

    def remove(policy: Json) -> Json:
        changed = without_member(policy, member, role)
        if changed == policy:
            raise CommandFailed(f"{member} has no {role} on {last(url)}: {shows}")
        return changed

    _change(session, url, remove)


def with_member(policy: Json, member: str, role: str) -> Json:
    bindings = _copied(policy)
    if any(binding["role"] == role and member in binding["members"] for binding in bindings):
        return policy
    return {**policy, "bindings": [*bindings, {"role": role, "members": [member]}]}


def without_member(policy: Json, member: str, role: str | None) -> Json:
    """`role` None: of any role."""
    bindings = _copied(policy)
    for binding in bindings:
        if role in (None, binding["role"]):
            binding["members"] = [other for other in binding["members"] if other != member]
    return policy if bindings == _copied(policy) else {**policy, "bindings": bindings}


def _copied(policy: Json) -> list[Json]:
    return [{**binding, "members": list(binding.get("members", ()))} for binding in policy.get("bindings", ())]


def _url(session: Session, service: str) -> str:
    return f"/v2/{session.name('services', service)}"


def _change(session: Session, url: str, change: Callable[[Json], Json]) -> None:
    """Read, change, write with the etag of what was read; again, when somebody else was faster."""
    for attempt in range(1, _ATTEMPTS + 1):
        policy = session.client.get(f"{url}:getIamPolicy")
        changed = change(policy)
        if changed == policy:
            return
        try:
            session.client.post(f"{url}:setIamPolicy", {"policy": changed})
            return
        except ApiError as error:
            if error.status != "ABORTED" or attempt == _ATTEMPTS:
                raise
