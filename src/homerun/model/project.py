"""Project ids and numbers. Every id is a project; its number is fixed for the default one and derived for others."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from homerun.lib.errors import Invalid

_ID = re.compile(r"[a-z][-a-z0-9.:]{1,62}")


@dataclass(frozen=True, slots=True)
class Projects:
    """`id` and `number` of the default project."""

    id: str
    number: str

    def number_of(self, project: str) -> str:
        """The number of a project, always the same; of a number, itself."""
        if project == self.id:
            return self.number
        if project.isdigit():
            return project
        digest = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8])
        return str(200_000_000_000 + digest % 700_000_000_000)


def check_project(project: str) -> None:
    """Raises Invalid for what can be neither an id nor a number."""
    if not _ID.fullmatch(project) and not (project.isascii() and project.isdigit() and len(project) <= 20):
        raise Invalid.field("project", f"{project!r} is neither a project id (letters, digits, hyphens) nor a number")
