"""An IAM policy: what is wrong with one, its tidy form, and whom it lets do what. Pure.

`{"version": 1, "bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}], "etag": "…"}`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homerun.lib.errors import Violation
from homerun.model import identity
from homerun.model.permissions import INVOKE, ROLES, RUN_ROLES, Role

EVERYBODY = ("allUsers", "allAuthenticatedUsers")
MOST_MEMBERS = 1500
"""Of one policy, as in IAM."""
_WITH_EMAIL = ("user", "serviceAccount", "group")
_PROJECT_ROLES = ("projectOwner", "projectEditor", "projectViewer")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Invokers:
    """Who may call a service. `public`: everybody, unasked; `known`: everybody who says who they are."""

    public: bool
    known: bool
    subjects: frozenset[str]
    domains: frozenset[str]


def check(policy: Mapping[str, Any], roles: Mapping[str, Role] = RUN_ROLES) -> Iterator[Violation]:
    """`roles`: those that may be granted. Paths are the same in both versions of the API."""
    if policy.get("version", 0) not in (0, 1, 3):
        yield Violation("policy.version", f"must be 1 or 3, and is {policy['version']}")
    total = 0
    for number, binding in enumerate(policy.get("bindings", ())):
        path = f"policy.bindings[{number}]"
        yield from _check_binding(binding, path, roles)
        total += len(binding.get("members", ()))
    if total > MOST_MEMBERS:
        yield Violation("policy.bindings", f"has {total} members, and may have {MOST_MEMBERS}")


def _check_binding(binding: Mapping[str, Any], path: str, roles: Mapping[str, Role]) -> Iterator[Violation]:
    role = binding.get("role", "")
    if not role:
        yield Violation(f"{path}.role", "is required, such as roles/run.invoker")
    elif role not in roles:
        yield Violation(f"{path}.role", f"Role {role} is not supported for this resource: known are {', '.join(roles)}")
    if binding.get("condition"):
        yield Violation(
            f"{path}.condition", "conditions are not evaluated by homerun: leave it out, or the binding would mean more"
        )
    for number, member in enumerate(binding.get("members", ())):
        if problem := _problem(member):
            yield Violation(f"{path}.members[{number}]", problem)


def _problem(member: str) -> str | None:
    """What is wrong with a member, or None."""
    kind, colon, rest = member.partition(":")
    if member in EVERYBODY or (kind in ("principal", "principalSet", "deleted") and rest):
        return None
    if not colon or kind not in (*_WITH_EMAIL, *_PROJECT_ROLES, "domain"):
        return (
            f"The member {member!r} is of an unknown type: begin it with user:, serviceAccount:, group: or domain:, "
            "or write allUsers or allAuthenticatedUsers"
        )
    if kind in _WITH_EMAIL and not identity.is_email(rest):
        return f"{rest!r} is no e-mail address: write {kind}:NAME@DOMAIN"
    if kind == "user" and identity.is_service_account(rest):
        return f"{rest} is a service account: write serviceAccount:{rest}"
    if kind == "serviceAccount" and not identity.is_service_account(rest):
        return f"{rest} is no service account, whose address ends with .gserviceaccount.com: write user:{rest}"
    if kind == "domain" and not _DOMAIN.fullmatch(rest):
        return f"{rest!r} is no domain, such as example.com"
    return None if rest else f"{member!r} names nobody"


def tidy(bindings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One binding for each role, each member once, no binding without members: as IAM keeps them."""
    found: dict[str, dict[str, None]] = {}
    for binding in bindings:
        found.setdefault(binding["role"], {}).update(dict.fromkeys(binding.get("members", ())))
    return [{"role": role, "members": list(members)} for role, members in found.items() if members]


def unresolvable(bindings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Members who can never match here: nobody knows who is in a group, or has a role in a project."""
    members = {member for binding in bindings for member in binding.get("members", ())}
    return sorted(m for m in members if m.partition(":")[0] in ("group", "principal", "principalSet"))


def members_with(policy: Mapping[str, Any], permission: str) -> frozenset[str]:
    return frozenset(
        member
        for binding in policy.get("bindings", ())
        if binding.get("role") in ROLES and ROLES[binding["role"]].includes(permission)
        for member in binding.get("members", ())
    )


def invokers(policy: Mapping[str, Any]) -> Invokers:
    """The owner of the project may always, as in Google's."""
    members = members_with(policy, INVOKE)
    named = [(kind, rest.lower()) for kind, _, rest in (member.partition(":") for member in members)]
    emails = [identity.OWNER, *(rest for kind, rest in named if kind in ("user", "serviceAccount"))]
    return Invokers(
        public="allUsers" in members,
        known="allAuthenticatedUsers" in members,
        subjects=frozenset(map(identity.subject_of, emails)),
        domains=frozenset(filter(_of_people, (rest for kind, rest in named if kind == "domain"))),
    )


def _of_people(domain: str) -> bool:
    return not identity.is_service_account(f"@{domain}")


def permits(policy: Mapping[str, Any], permission: str, email: str) -> bool:
    """Whether somebody who has proved to be `email` has it."""
    if email == identity.OWNER:
        return True
    members = {member.lower() for member in members_with(policy, permission)}
    kind = "serviceaccount" if identity.is_service_account(email) else "user"
    own = {f"{kind}:{email.lower()}", *(who.lower() for who in EVERYBODY)}
    if kind == "user":
        own.add(f"domain:{identity.domain_of(email)}")
    return not members.isdisjoint(own)
