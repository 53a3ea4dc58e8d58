"""Secrets and their versions: names, states, and which version is meant (Secret Manager API v1).

A secret is global, `projects/P/secrets/S`, or kept in one region, `projects/P/locations/L/secrets/S`. Its versions are
numbered from 1 and never change; `latest` is the one that was added last, whatever has become of it since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from homerun.lib.errors import FailedPrecondition, Invalid, NotFound

LATEST = "latest"
ENABLED, DISABLED, DESTROYED = "ENABLED", "DISABLED", "DESTROYED"
ACCESSOR = "roles/secretmanager.secretAccessor"

_NAME = re.compile(
    r"projects/([^/\s]+)(?:/locations/([^/\s]+))?/secrets/([A-Za-z0-9_-]{1,255})(?:/versions/([^/\s]+))?"
)


@dataclass(frozen=True, slots=True)
class SecretName:
    """`location` empty: global. `version` empty: the secret itself."""

    project: str
    location: str
    id: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> SecretName:
        """Raises Invalid."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise Invalid.field("name", f"{text!r} is not of the form projects/P/secrets/S")
        return cls(match[1], match[2] or "", match[3], match[4] or "")

    def __str__(self) -> str:
        version = f"/versions/{self.version}" if self.version else ""
        return f"{parent_of(self.project, self.location)}/secrets/{self.id}{version}"

    @property
    def kind(self) -> str:
        return "SecretVersion" if self.version else "Secret"

    @property
    def secret(self) -> SecretName:
        return self.at("")

    def at(self, version: str | int) -> SecretName:
        return replace(self, version=str(version))

    def of(self, project: str) -> SecretName:
        """The same by another name of its project: id or number."""
        return replace(self, project=project)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A version of a secret, as a template names it: in full, or by the id of a secret of the same project."""

    secret: str
    version: str = LATEST

    def name(self, project: str) -> SecretName:
        """`project`: where the template is. Raises Invalid."""
        full = self.secret if "/" in self.secret else f"projects/{project}/secrets/{self.secret}"
        return SecretName.parse(full).at(self.version or LATEST)


def parent_of(project: str, location: str) -> str:
    """What secrets are listed in and created under."""
    return f"projects/{project}/locations/{location}" if location else f"projects/{project}"


def version_number(name: SecretName, body: Mapping[str, Any], count: int) -> int:
    """Which one `name.version` means: `latest`, an alias or a number, of a secret with this body that ever had `count`
    versions. Raises NotFound."""
    if name.version == LATEST:
        if not count:
            raise NotFound(f"Secret [{name.secret}] not found or has no versions.")
        return count
    text = str(body.get("versionAliases", {}).get(name.version, name.version))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text) or int(text) > count:
        raise NotFound(f"Secret Version [{name}] not found.")
    return int(text)


def check_readable(name: SecretName, body: Mapping[str, Any]) -> None:
    """`body`: of the version `name`. Raises FailedPrecondition in Google's words."""
    if body["state"] != ENABLED:
        raise FailedPrecondition(f"Secret Version [{name}] is in {body['state']} state.")


def expired(body: Mapping[str, Any], now: str) -> bool:
    """Of a secret's body; `now` in RFC 3339, as homerun writes it."""
    return "expireTime" in body and str(body["expireTime"]) <= now
