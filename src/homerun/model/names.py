"""Resource names: `projects/P/locations/L/services/S/revisions/R` and its relatives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from homerun.lib.errors import Invalid

COLLECTIONS = {
    "services": "Service",
    "revisions": "Revision",
    "jobs": "Job",
    "executions": "Execution",
    "tasks": "Task",
    "operations": "Operation",
    "workerPools": "WorkerPool",
    "domainmappings": "DomainMapping",
}
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Name:
    """A parsed resource name. `path` is the part below the location: `("services", "S", "revisions", "R")`."""

    project: str
    location: str
    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Name:
        """Raises Invalid when `text` is no name of a resource in a location."""
        parts = text.split("/")
        if len(parts) < 4 or len(parts) % 2 or parts[0] != "projects" or parts[2] != "locations" or "" in parts:
            raise Invalid.field("name", f"{text!r} is not of the form projects/P/locations/L/services/S")
        return cls(parts[1], parts[3], tuple(parts[4:]))

    def __str__(self) -> str:
        return "/".join((self.parent_location, *self.path))

    @property
    def parent_location(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def id(self) -> str:
        return self.path[-1]

    @property
    def kind(self) -> str:
        return COLLECTIONS[self.path[-2]]

    @property
    def parent(self) -> Name:
        """The object above: the service of a revision. Of a service, the bare location."""
        return Name(self.project, self.location, self.path[:-2])

    def child(self, collection: str, id: str) -> Name:
        return Name(self.project, self.location, (*self.path, collection, id))


def last(name: str) -> str:
    """The id at the end of a resource name."""
    return name.rpartition("/")[2]


def parent(name: str) -> str:
    """The resource name above: `…/jobs/J` for `…/jobs/J/executions/E`."""
    return name.rsplit("/", 2)[0]


def check_id(id: str, field: str, limit: int = 49) -> str | None:
    """What is wrong with an id that a user chose, or None (contract §3: under 50 characters for services)."""
    if not _LABEL.fullmatch(id) or len(id) > limit:
        return (
            f"{field} must begin with a letter, hold only lowercase letters, digits and hyphens, not end with a hyphen "
            f"and have at most {limit} characters; {id!r} does not"
        )
    return None
